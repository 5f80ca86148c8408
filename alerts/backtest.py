"""What a rule on concentration would have done over a stretch of history. Pure: counts in, numbers out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from alerts.machine.machine import NOWHERE, Step, advance_many
from alerts.rules.rule import HeightRule
from alerts.signals.levels import Level
from alerts.signals.window_counts import WindowCounts
from counterpoise.spans import DAY_SECONDS

YEAR_DAYS: Final = 365.25
FLAP_BLOCKS: Final = 144
"""A firing this close behind the end of the one before it is a flap."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One firing: the height where it fired, and the height where it cleared; None while it still fires at the end."""

    fired: int
    cleared: int | None


@dataclass(frozen=True, slots=True)
class Backtest:
    """A rule's history.

    `crossings` counts how often the value went over the line, without hold and clearing line. `days` is the time from the
    first to the last block, `days_in_breach` the part of it in which the rule fired, both by header time. `flaps` counts the
    firings that begin at most `FLAP_BLOCKS` blocks after the one before them cleared.
    """

    crossings: int
    firings: tuple[Firing, ...]
    days: float
    days_in_breach: float
    flaps: int

    @property
    def firings_a_year(self) -> float:
        """Firings in 365.25 days; 0 for a history without duration."""
        return len(self.firings) * YEAR_DAYS / self.days if self.days > 0 else 0.0

    @property
    def messages_a_year(self) -> float:
        """Firings and clearings in 365.25 days; 0 for a history without duration."""
        messages = sum(1 if one.cleared is None else 2 for one in self.firings)
        return messages * YEAR_DAYS / self.days if self.days > 0 else 0.0


def backtest(rule: HeightRule, series: WindowCounts) -> Backtest:
    """Judge every height of `series`, from no episode on, by the alerter's state machine. ValueError for no heights."""
    if not len(series):
        raise ValueError("a backtest needs at least one height")
    levels = rule.levels(series)
    over = levels == Level.OVER
    crossings = int(over[0]) + int(np.count_nonzero(over[1:] & ~over[:-1]))
    first, last = int(series.height[0]), int(series.height[-1])
    _, steps = advance_many(NOWHERE, levels, first, rule.for_blocks)
    firings = _firings(steps)
    seconds = sum(
        int(series.time[(last if f.cleared is None else f.cleared) - first] - series.time[f.fired - first])
        for f in firings
    )
    flaps = sum(
        before.cleared is not None and after.fired - before.cleared <= FLAP_BLOCKS
        for before, after in pairwise(firings)
    )
    days = int(series.time[-1] - series.time[0]) / DAY_SECONDS
    return Backtest(crossings, firings, days, seconds / DAY_SECONDS, flaps)


def _firings(steps: list[Step]) -> tuple[Firing, ...]:
    found: list[Firing] = []
    for step in steps:
        if step.state == "firing":
            found.append(Firing(step.height, None))
        elif step.state == "resolved":
            found[-1] = Firing(found[-1].fired, step.height)
    return tuple(found)
