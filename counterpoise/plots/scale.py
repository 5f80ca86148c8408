"""From values to places on a drawing: straight scales, ticks that people can read, labels that do not lie on each other. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

MONTHS_A_YEAR: Final = 12
_ALIKE: Final = 1e-12
_SMALLEST: Final = 1e-300
_MONTH_STEPS: Final = (1, 3, 6)
_YEAR_STEPS: Final = (1, 2, 5, 10, 20, 50, 100)
_HOUR_STEPS: Final = (1, 3, 6, 12, 24, 48, 168, 336)


@dataclass(frozen=True, slots=True)
class Scale:
    """The straight line that takes `low` to `start` and `high` to `end`; where both values are equal, everything to the middle.

    >>> Scale(0, 10, 100, 200)(2.5)
    125.0
    >>> Scale(0, 1, 200, 100)(0.25)
    175.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        if self.high == self.low:
            return (self.start + self.end) / 2
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def nice_step(span: float, most: int) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that cuts `span` > 0 into at most `most` parts.

    >>> nice_step(0.3, 4)
    0.1
    """
    raw = span / most
    power: float = 10.0 ** math.floor(math.log10(raw))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= raw * (1 - 1e-9))


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round values from the first at or above `low` to the last at or below `high`; one value where they are as good as equal.

    >>> ticks(0.47, 0.83, 5)
    [0.5, 0.6, 0.7, 0.8]
    """
    if not high - low > max(_ALIKE * max(abs(low), abs(high)), _SMALLEST):
        return [low]
    step = nice_step(high - low, most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step)))
    return [round(index * step, digits) for index in range(first, last + 1)]


def rounded_out(low: float, high: float, most: int) -> tuple[float, float]:
    """The range between the round values next outside, so that nothing touches the frame.

    >>> rounded_out(0.47, 0.83, 5)
    (0.4, 0.9)
    """
    if not high - low > _ALIKE * max(abs(low), abs(high), 1.0):  # nothing to tell apart: a range around it
        room = 0.5 * max(abs(low), abs(high), 1.0)
        low, high = low - room, high + room
    step = nice_step(high - low, most)
    digits = max(0, -math.floor(math.log10(step)))
    return round(math.floor(low / step + 1e-9) * step, digits), round(math.ceil(high / step - 1e-9) * step, digits)


def time_ticks(low: datetime, high: datetime, most: int) -> list[tuple[datetime, str]]:
    """Beginnings of years, months, days or hours (UTC) between two moments, at most `most` of them, each with its label.

    A label is as short as possible: a day or month has its year only where the year begins or the scale does.
    """
    span = high - low
    for hours in _HOUR_STEPS:
        if span / timedelta(hours=hours) <= most:
            return _hour_ticks(low, high, hours)
    months = (high.year - low.year) * MONTHS_A_YEAR + high.month - low.month
    for step in _MONTH_STEPS:
        if months / step <= most:
            return _month_ticks(low, high, step)
    years = high.year - low.year
    step = next((one for one in _YEAR_STEPS if years / one <= most), _YEAR_STEPS[-1])
    found = (datetime(year, 1, 1, tzinfo=UTC) for year in range(low.year - low.year % step, high.year + 1, step))
    return [(moment, str(moment.year)) for moment in found if low <= moment <= high]


def _hour_ticks(low: datetime, high: datetime, hours: int) -> list[tuple[datetime, str]]:
    midnight = datetime(low.year, low.month, low.day, tzinfo=UTC)
    found: list[tuple[datetime, str]] = []
    moment = midnight
    while moment <= high:
        if moment >= low:
            day = f"{moment.day} {moment:%b}"
            first = not any(other.hour == 0 for other, _ in found)
            found.append((moment, f"{moment:%H:%M}" if moment.hour else f"{day} {moment.year}" if first else day))
        moment += timedelta(hours=hours)
    return found


def _month_ticks(low: datetime, high: datetime, step: int) -> list[tuple[datetime, str]]:
    found: list[tuple[datetime, str]] = []
    first = low.year * MONTHS_A_YEAR
    for index in range(first, high.year * MONTHS_A_YEAR + high.month, step):
        moment = datetime(index // MONTHS_A_YEAR, index % MONTHS_A_YEAR + 1, 1, tzinfo=UTC)
        if low <= moment <= high:
            with_year = moment.month == 1 or not found
            found.append((moment, f"{moment:%b %Y}" if with_year else f"{moment:%b}"))
    return found


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places in the same order, moved as little as it takes for neighbours to be `gap` apart, between `low` and `high`.

    Where they do not fit they are as far apart as the room allows.

    >>> spread([10, 12, 40], 10, 0, 100)
    [6.0, 16.0, 40.0]
    """
    if not places:
        return []
    order = sorted(range(len(places)), key=places.__getitem__)
    gap = min(gap, (high - low) / max(1, len(places) - 1))
    groups: list[tuple[float, int]] = []  # mean of the wished places, and number, of labels that stand together

    def first_and_last(wish: float, size: int) -> tuple[float, float]:
        reach = (size - 1) * gap
        first = min(max(wish - reach / 2, low), high - reach)
        return first, first + reach

    for index in order:
        wish, size = float(places[index]), 1
        while groups and first_and_last(*groups[-1])[1] + gap > first_and_last(wish, size)[0]:
            other, others = groups.pop()
            wish, size = (other * others + wish * size) / (others + size), others + size
        groups.append((wish, size))
    moved = [first_and_last(wish, size)[0] + at * gap for wish, size in groups for at in range(size)]
    result = [0.0] * len(places)
    for place, index in zip(moved, order, strict=True):
        result[index] = place
    return result
