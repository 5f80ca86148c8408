"""How values and times are written for people: each kind in one way, times in UTC. Pure.

A value beside a line is written with as many decimals as show on which side of the line it stands: methods that take `lines`.

`TEXT` is for messages, logs and SQL notes, `TERMINAL` for dense lines of a terminal, `PAGE` for HTML, where a number and its
percent sign must not be torn apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from counterpoise.spans import rough_span

NO_BREAK: Final = "\u00a0"
NOT_KNOWN: Final = "not known"
_LINE_DECIMALS: Final = 4
"""Digits of a percentage without a fixed number: lines of rules have at most six decimals as shares."""
_LINE_DIGITS: Final = 6
_MAX_DIGITS: Final = 9
"""A value that differs from a line by less is the line: doubles are no more exact than that."""


@dataclass(frozen=True, slots=True)
class Formats:
    """One typography. `gap` stands between number and unit, `minus` before what is below zero, `missing` for what is not known."""

    gap: str = " "
    minus: str = "-"
    missing: str = "–"

    def tie(self, text: str) -> str:
        """The same text with each percent sign tied to its number by `gap`.

        >>> PAGE.tie("95 % of 8")
        '95\\xa0% of 8'
        """
        return text.replace(" %", f"{self.gap}%")

    def number(self, value: float | None, digits: int = 0, *, lines: Sequence[float] = ()) -> str:
        """A number with a fixed count of decimals, thousands apart.

        >>> TEXT.number(1850.277, 1), TEXT.number(None), TEXT.number(2500.3, lines=[2500])
        ('1,850.3', '–', '2,500.3')
        """
        if value is None or _unknown(value):
            return self.missing
        return f"{value:,.{digits_beside(value, lines, digits)}f}"

    def share(self, value: float | None, digits: int | None = 1, *, lines: Sequence[float] = ()) -> str:
        """A share of 0 to 1 in percent; `digits` None writes no more decimals than it has.

        >>> TEXT.share(0.7118), TEXT.share(0.75, None), TEXT.share(0.755, None), TERMINAL.share(0.7118, 2), PAGE.share(None)
        ('71.2 %', '75 %', '75.5 %', '71.18%', 'not known')
        >>> TEXT.share(0.74996, lines=[0.75]), TEXT.share(0.75, lines=[0.75]), TEXT.share(0.75000001, None, lines=[0.75])
        ('74.996 %', '75.0 %', '75.000001 %')
        """
        if value is None or _unknown(value):
            return self.missing
        found = digits_beside(100 * value, [100 * line for line in lines], _LINE_DECIMALS if digits is None else digits)
        exact = digits is None and found == _LINE_DECIMALS
        return f"{self.points_line(value) if exact else f'{100 * value:.{found}f}'}{self.gap}%"

    def share_range(self, low: float | None, high: float | None, digits: int | None = 1) -> str:
        """Two shares, as of an interval.

        >>> TEXT.share_range(0.7118, 0.75)
        '71.2 % to 75.0 %'
        """
        return f"{self.share(low, digits)} to {self.share(high, digits)}"

    def points(self, change: float, digits: int = 1, *, lines: Sequence[float] = ()) -> str:
        """The change of a share in percentage points, always signed.

        >>> TEXT.points(0.043), TEXT.points(-0.2), TEXT.points(0.0), TEXT.points(0.04996, lines=[0.05])
        ('+4.3', '-20.0', '+0.0', '+4.996')
        """
        found = digits_beside(100 * change, [100 * line for line in lines], digits)
        return f"{100 * change:+.{found}f}".replace("-", self.minus)

    def points_line(self, size: float) -> str:
        """The size of a change in percentage points as in a rules file, without a sign.

        >>> TEXT.points_line(0.05), TEXT.points_line(0.025), TEXT.points_line(1.000004)
        ('5', '2.5', '100.0004')
        """
        return f"{100 * size:.{_LINE_DECIMALS}f}".rstrip("0").rstrip(".")

    def count(self, value: int | None) -> str:
        """A count, thousands apart.

        >>> TEXT.count(946236), PAGE.count(None)
        ('946,236', 'not known')
        """
        return self.missing if value is None else f"{value:,}"

    def doublings(self, value: float, digits: int = 2) -> str:
        """A signed number of doublings; zero has no sign.

        >>> PAGE.doublings(-0.337), TEXT.doublings(-0.337), TEXT.doublings(0.5), TEXT.doublings(0.0, 1)
        ('−0.34', '-0.34', '+0.50', '0.0')
        """
        written = f"{abs(value):.{digits}f}"
        sign = "" if float(written) == 0.0 else self.minus if value < 0 else "+"
        return sign + written

    def doublings_range(self, low: float, high: float, digits: int = 2) -> str:
        """Two numbers of doublings, as of an interval.

        >>> TEXT.doublings_range(-0.337, 0.5)
        '-0.34 to +0.50'
        """
        return f"{self.doublings(low, digits)} to {self.doublings(high, digits)}"

    def probability(self, value: float | None, digits: int = 3, *, lines: Sequence[float] = ()) -> str:
        """A probability of 0 to 1 as a decimal.

        >>> TEXT.probability(0.9621), TEXT.probability(0.95003, lines=[0.95])
        ('0.962', '0.95003')
        """
        if value is None or _unknown(value):
            return self.missing
        return f"{value:.{digits_beside(value, lines, digits)}f}"

    def metric(self, value: float | None, kind: str, unit: str, *, lines: Sequence[float] = ()) -> str:
        """A metric's value, by the `kind` and `unit` of its spec.

        >>> TEXT.metric(0.7531, "percent", "share"), TEXT.metric(1850.277, "whole", "points"), TEXT.metric(5.4321, "number", "pools")
        ('75.3 %', '1,850', '5.43')
        >>> TEXT.metric(0.18503, "number", "index")
        '0.185'
        """
        if kind == "percent":
            return self.share(value, lines=lines)
        return self.number(value, 0 if kind == "whole" else 3 if unit == "index" else 2, lines=lines)

    def metric_line(self, value: float, kind: str) -> str:
        """A line on a metric as its rule's file has it, with no more decimals than that.

        >>> TEXT.metric_line(0.75, "percent"), TEXT.metric_line(2500.0, "whole"), TEXT.metric_line(0.185, "number")
        ('75 %', '2,500', '0.185')
        """
        return self.share(value, None) if kind == "percent" else f"{value:,.10g}"

    def day(self, value: date | datetime | None) -> str:
        """A day in words.

        >>> TEXT.day(date(2026, 4, 2))
        '2 Apr 2026'
        """
        return self.missing if value is None else f"{value.day}{self.gap}{value:%b}{self.gap}{value:%Y}"

    def minute(self, value: datetime | None) -> str:
        """A moment to the minute, with its zone.

        >>> TEXT.minute(datetime(2026, 4, 2, 7, 5, tzinfo=UTC))
        '2026-04-02 07:05 UTC'
        """
        return self.missing if value is None else f"{utc_minute(value.timestamp())} UTC"

    def age(self, seconds: float | None) -> str:
        """How old something is, in words; below zero it is none.

        >>> PAGE.age(1_728), PAGE.age(43_200), PAGE.age(-60), PAGE.age(None)
        ('29 minutes', '12 hours', 'none', 'not known')
        """
        if seconds is None:
            return self.missing
        return "none" if seconds < 0 else rough_span(seconds, words=True)


TEXT: Final = Formats()
TERMINAL: Final = Formats(gap="")
PAGE: Final = Formats(gap=NO_BREAK, minus="\u2212", missing=NOT_KNOWN)


def noun(count: int, singular: str) -> str:
    """A noun with a regular plural, in the number that a count asks for.

    >>> noun(1, "block"), noun(36, "block")
    ('block', 'blocks')
    """
    return singular if count == 1 else f"{singular}s"


def counted(count: int, singular: str) -> str:
    """A count with its noun.

    >>> counted(1, "block"), counted(36, "block")
    ('1 block', '36 blocks')
    """
    return f"{count} {noun(count, singular)}"


def digits_beside(value: float, lines: Sequence[float], digits: int) -> int:
    """The decimals, `digits` at least, with which a value is written over, under or on each line as it is itself.

    A value on a line of more than six decimals, as no file has it, is written without them.

    >>> digits_beside(74.996, [75.0], 1), digits_beside(75.0, [75.0, 73.0], 1), digits_beside(2500.5, [2500.5], 0)
    (3, 1, 1)
    """
    sides = [(line, _side(value, line)) for line in lines]
    sides = [(line, side) for line, side in sides if side or not _side(line, round(line, _LINE_DIGITS))]

    def keeps_sides(count: int) -> bool:
        written = float(f"{value:.{count}f}") if sides else value
        return all(_side(written, line) == side for line, side in sides)

    return next((count for count in range(digits, _MAX_DIGITS) if keeps_sides(count)), max(digits, _MAX_DIGITS))


def _side(value: float, line: float) -> int:
    """1 over the line, -1 under it, 0 on it."""
    return 0 if abs(value - line) < 10.0**-_MAX_DIGITS else 1 if value > line else -1


def clickhouse_moment(moment: datetime) -> str:
    """A UTC moment as a DateTime64(3) parameter takes it.

    >>> clickhouse_moment(datetime(2026, 1, 2, 3, 4, 5, 678_901))
    '2026-01-02 03:04:05.678'
    """
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def utc_second(seconds: float) -> str:
    """`2022-10-29 12:04:33`, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def utc_minute(seconds: float) -> str:
    """`2022-10-29 12:04`, in UTC."""
    return utc_second(seconds)[:16]


def utc_day(seconds: float) -> str:
    """`2022-10-29`, in UTC."""
    return utc_second(seconds)[:10]


def quarter(value: date) -> str:
    """The quarter that a day is in.

    >>> quarter(date(2025, 12, 31))
    '2025Q4'
    """
    return f"{value.year}Q{(value.month + 2) // 3}"


def _unknown(value: float | None) -> bool:
    return value is None or value != value  # noqa: PLR0124 - NaN
