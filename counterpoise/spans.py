"""Lengths of time: read from text, and written in three forms. Seconds in, seconds out. Pure."""

from __future__ import annotations

import re
from typing import Final

MINUTE_SECONDS: Final = 60
HOUR_SECONDS: Final = 3_600
DAY_SECONDS: Final = 86_400

SECONDS_OF: Final = {
    "s": 1,
    "m": MINUTE_SECONDS,
    "h": HOUR_SECONDS,
    "d": DAY_SECONDS,
    "w": 7 * DAY_SECONDS,
    "y": 365 * DAY_SECONDS,
}
"""The units that text may use. A year has 365 days."""

_WRITTEN: Final = ((DAY_SECONDS, "d", "day"), (HOUR_SECONDS, "h", "hour"), (MINUTE_SECONDS, "min", "minute"))
_SPAN: Final = re.compile(r"(\d{1,6})\s?([a-z])")


def parse_span(text: str, units: str = "smhd") -> int:
    """Seconds in a whole number and one of `units`; ValueError for anything else, and for zero.

    >>> parse_span("90s"), parse_span("10m"), parse_span("2 h"), parse_span("12w", "dwy")
    (90, 600, 7200, 7257600)
    """
    found = _SPAN.fullmatch(text.strip())
    if found is None or found[2] not in units or int(found[1]) == 0:
        raise ValueError(f"{text!r} is not a length of time")
    return int(found[1]) * SECONDS_OF[found[2]]


def exact_span(seconds: float) -> str:
    """The shortest form that loses nothing of the whole seconds.

    >>> exact_span(90), exact_span(600), exact_span(7_200), exact_span(604_800), exact_span(0)
    ('90 s', '10 min', '2 h', '7 d', '0 s')
    """
    whole = int(seconds)
    for size, unit, _ in _WRITTEN:
        if whole and whole % size == 0:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def long_span(seconds: float) -> str:
    """The two largest units, rounded down; nothing below a minute, and below zero it is none.

    >>> long_span(403_200), long_span(3_900), long_span(2_100), long_span(-5)
    ('4 d 16 h', '1 h 5 min', '35 min', '0 min')
    """
    minutes = int(max(0, seconds)) // MINUTE_SECONDS
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def rough_span(seconds: float, *, words: bool = False) -> str:
    """One rounded number of the largest unit of which there are two; `words` spells the unit out. Below zero it is none.

    >>> rough_span(45), rough_span(1_740), rough_span(43_200), rough_span(293_760)
    ('45 s', '29 min', '12 h', '3 d')
    >>> rough_span(1_740, words=True), rough_span(1, words=True)
    ('29 minutes', '1 second')
    """
    seconds = max(0.0, seconds)
    size, unit, word = next((written for written in _WRITTEN if seconds >= 2 * written[0]), (1, "s", "second"))
    count = f"{seconds / size:.0f}"
    return f"{count} {word}{'' if count == '1' else 's'}" if words else f"{count} {unit}"
