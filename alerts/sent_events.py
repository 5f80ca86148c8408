"""What two versions of a rules file would have sent over the same history: the firings and clearings of each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from alerts.backtest import backtest
from alerts.rules.rule import HeightRule
from alerts.signals.window_counts import WindowCounts
from counterpoise.spans import DAY_SECONDS

What = Literal["fires", "clears"]


@dataclass(frozen=True, slots=True)
class SentEvent:
    """One message: the rule, its chain, the height, and the block's time in UTC seconds."""

    time: int
    height: int
    rule_id: str
    chain: str
    what: What


@dataclass(frozen=True, slots=True)
class EventOfTwo:
    """An event with its value in words under the old and the new file; None where that file does not send it."""

    event: SentEvent
    old: str | None
    new: str | None


def sent_events(
    rules: Iterable[HeightRule], series_of: Callable[[HeightRule], WindowCounts], *, days: float | None = None
) -> dict[SentEvent, str]:
    """Every firing and clearing of some rules, with the value there, in the last `days` before the tip; in all history without."""
    found: dict[SentEvent, str] = {}
    for rule in rules:
        series = series_of(rule)
        first, since = int(series.height[0]), -1.0 if days is None else float(series.time[-1]) - days * DAY_SECONDS
        for firing in backtest(rule, series).firings:
            for what, height in _ends(firing.fired, firing.cleared):
                at = height - first
                time = int(series.time[at])
                if time >= since:
                    reading = rule.reading(series, at)
                    value = "–" if reading is None else rule.format_value(reading.value)
                    found[SentEvent(time, height, rule.id, rule.chain, what)] = value
    return found


def _ends(fired: int, cleared: int | None) -> Sequence[tuple[What, int]]:
    return (("fires", fired),) if cleared is None else (("fires", fired), ("clears", cleared))


def diff_events(old: dict[SentEvent, str], new: dict[SentEvent, str]) -> list[EventOfTwo]:
    """All events of both, in the order of their times."""
    return [EventOfTwo(event, old.get(event), new.get(event)) for event in sorted({*old, *new}, key=_order)]


def _order(event: SentEvent) -> tuple[int, int, str, str, bool]:
    return event.time, event.height, event.chain, event.rule_id, event.what == "clears"
