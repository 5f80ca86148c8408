"""The levels of many rules at one height, in arrays: each signal is measured once for all windows, and all lines compared at once.

A rule that is more than one line each way (several conditions, a clearing hold) is judged alone. Pure.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from alerts.rules.condition import Condition, judged_by_lines
from alerts.rules.conditional import ConditionalRule
from alerts.rules.line import OPERATORS, Line, ManyLines, Operator
from alerts.rules.rule import HeightRule
from alerts.rules.top_share import TopShareRule
from alerts.rules.verdict import NO_DATA_LEVELS, NoData
from alerts.rules.when import WhenRule
from alerts.signals.levels import LevelArray
from alerts.signals.signal import Measured, Signal
from alerts.signals.specs.registry import SIGNALS
from alerts.signals.window_counts import WindowCounts, stacked

SeriesKey = Hashable
_Row = tuple[SeriesKey, int]
"""A series, and how many heights before its last one."""

_OTHER_SIDE: Final[dict[Operator, Operator]] = {
    "above": "at_most",
    "at_least": "below",
    "below": "at_least",
    "at_most": "above",
}


@dataclass(frozen=True, slots=True)
class _Simple:
    """A rule that is one condition: what decides its level. `judged` has the rule's word on which windows are judged."""

    at: int
    series: SeriesKey
    condition: Condition
    judged: HeightRule | None
    judged_key: Hashable
    no_data: NoData


class ManyLevels:
    """N rules of one chain."""

    def __init__(self, rules: Sequence[HeightRule], series: Sequence[SeriesKey]) -> None:
        """`series` names the series that each of the rules reads."""
        simple: list[_Simple] = []
        self._alone: list[tuple[int, HeightRule, SeriesKey]] = []
        for at, (rule, its) in enumerate(zip(rules, series, strict=True)):
            found = _simple(at, rule, its)
            if found is None:
                self._alone.append((at, rule, its))
            else:
                simple.append(found)
        self._size = len(rules)
        self._compile(simple)

    def _compile(self, simple: Sequence[_Simple]) -> None:
        """Rules as places in tables: of rows of series, of signals measured at all rows, of ways to judge a window."""
        rows: dict[_Row, int] = {}
        signals: dict[tuple[str, str], int] = {}
        judges: dict[Hashable, int] = {}
        self._judges: list[HeightRule | None] = []
        table = []
        for one in simple:
            condition = one.condition
            now = rows.setdefault((one.series, 0), len(rows))
            then = rows.setdefault((one.series, condition.change_blocks), len(rows))
            signal = signals.setdefault((condition.signal, condition.pool), len(signals))
            if one.judged_key not in judges:
                judges[one.judged_key] = len(judges)
                self._judges.append(one.judged)
            table.append((one.at, now, then, signal, judges[one.judged_key], int(NO_DATA_LEVELS[one.no_data])))
        self._rows = list(rows)
        self._signals: list[tuple[Signal, str]] = [(SIGNALS[name], pool) for name, pool in signals]
        columns = np.array(table, np.intp).reshape(-1, 6).T
        self._at, self._now, self._then, self._signal, self._judge, self._no_data = columns
        self._changes = np.array([one.condition.change_blocks > 0 for one in simple], np.bool_)
        fires = [one.condition.line for one in simple]
        clears = [one.condition.clear for one in simple]
        self._fire = _lines([(line.operator, line.value) for line in fires])
        self._clear = _lines([_clearing(fire, clear) for fire, clear in zip(fires, clears, strict=True)])

    def at_last(self, series: Mapping[Any, WindowCounts]) -> LevelArray:
        """The level of each rule at the last height of its series, by name; a series has the heights that its rules look back on."""
        found = np.empty(self._size, np.int8)
        if len(self._at):
            found[self._at] = self._at_last(series)
        for at, rule, its in self._alone:
            needed = series[its]
            if len(needed) > rule.lookback_blocks + 1:
                needed = needed.part(slice(-rule.lookback_blocks - 1, None))
            found[at] = rule.levels(needed)[-1]
        return found

    def _at_last(self, series: Mapping[Any, WindowCounts]) -> LevelArray:
        places = [(series[name], len(series[name]) - 1 - back) for name, back in self._rows]
        there = np.array([at >= 0 for _, at in places])
        stack = stacked([of.part(slice(max(at, 0), max(at, 0) + 1)) for of, at in places])
        judged = np.stack([_is_judged(judge, stack) for judge in self._judges]) & there
        known = judged[self._judge, self._now] & judged[self._judge, self._then]
        now, then = self._measured(stack)
        change = now.minus(then)
        values = Measured(
            np.where(self._changes, change.low, now.low),
            np.where(self._changes, change.high, now.high),
            None if now.upper is None else np.where(self._changes, np.nan, now.upper),
            None if change.rounding is None else np.where(self._changes, change.rounding, np.nan),
        )
        verdict = judged_by_lines(self._fire, self._clear, values, known)
        return np.where(verdict.known, verdict.levels(), self._no_data).astype(np.int8)

    def _measured(self, stack: WindowCounts) -> tuple[Measured, Measured]:
        """Each rule's signal at the last height, and where it judges a change at the one before."""
        with np.errstate(all="ignore"):  # a row may lack the columns of a signal that no rule asks for there
            measured = [signal.measure(stack, pool) for signal, pool in self._signals]
        absent = np.full(len(stack), np.nan)
        low, high = np.stack([one.low for one in measured]), np.stack([one.high for one in measured])
        upper = np.stack([absent if one.upper is None else one.upper for one in measured])
        now, then = (self._signal, self._now), (self._signal, self._then)
        return Measured(low[now], high[now], upper[now]), Measured(low[then], high[then])


def _simple(at: int, rule: HeightRule, series: SeriesKey) -> _Simple | None:
    """What decides a rule's level, where it is one condition on each side."""
    if isinstance(rule, TopShareRule):
        # A share and a line are the nearest doubles to fractions of small integers: they compare as these do.
        fire, clear = Line(above=rule.above), Line(below=rule.clear_below)
        condition = Condition(signal=f"top{rule.k}_share", fire=fire, clear=clear)
        return _Simple(at, series, condition, None, None, "ignore")
    if not isinstance(rule, ConditionalRule) or not rule.is_single:
        return None
    if not isinstance(rule, WhenRule):
        return _Simple(at, series, rule.main, None, None, "ignore")
    if rule.keep_firing_for:
        return None
    key = (rule.min_samples, rule.max_unknown)
    return _Simple(at, series, rule.main, None if key == (None, None) else rule, key, rule.no_data)


def _is_judged(judge: HeightRule | None, stack: WindowCounts) -> NDArray[np.bool_]:
    if isinstance(judge, WhenRule):
        return judge.judged(stack)
    full: NDArray[np.bool_] = stack.window_full & (stack.n > 0)
    return full


def _clearing(fire: Line, clear: Line | None) -> tuple[Operator, float]:
    """Where a rule clears; without a clearing line where it is not past the line."""
    return (_OTHER_SIDE[fire.operator], fire.value) if clear is None else (clear.operator, clear.value)


def _lines(lines: Sequence[tuple[Operator, float]]) -> ManyLines:
    return ManyLines(
        np.array([OPERATORS.index(operator) for operator, _ in lines], np.intp),
        np.array([value for _, value in lines], np.float64),
    )
