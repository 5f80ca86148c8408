"""How values and times are written for people: each kind in one way, times in UTC. Pure.

`TEXT` is for messages, logs and SQL notes, `TERMINAL` for dense lines of a terminal, `PAGE` for HTML, where a number and its
percent sign must not be torn apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from counterpoise.spans import rough_span

NO_BREAK: Final = "\u00a0"
NOT_KNOWN: Final = "not known"
_LINE_DECIMALS: Final = 4
"""Digits of a percentage without a fixed number: lines of rules have at most six decimals as shares."""


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

    def number(self, value: float | None, digits: int = 0) -> str:
        """A number with a fixed count of decimals, thousands apart.

        >>> TEXT.number(1850.277, 1), TEXT.number(None)
        ('1,850.3', '–')
        """
        return self.missing if _unknown(value) else f"{value:,.{digits}f}"

    def share(self, value: float | None, digits: int | None = 1) -> str:
        """A share of 0 to 1 in percent; `digits` None writes no more decimals than it has.

        >>> TEXT.share(0.7118), TEXT.share(0.75, None), TEXT.share(0.755, None), TERMINAL.share(0.7118, 2), PAGE.share(None)
        ('71.2 %', '75 %', '75.5 %', '71.18%', 'not known')
        """
        if value is None or _unknown(value):
            return self.missing
        written = self.points_line(value) if digits is None else f"{100 * value:.{digits}f}"
        return f"{written}{self.gap}%"

    def share_range(self, low: float | None, high: float | None, digits: int | None = 1) -> str:
        """Two shares, as of an interval.

        >>> TEXT.share_range(0.7118, 0.75)
        '71.2 % to 75.0 %'
        """
        return f"{self.share(low, digits)} to {self.share(high, digits)}"

    def points(self, change: float, digits: int = 1) -> str:
        """The change of a share in percentage points, always signed.

        >>> TEXT.points(0.043), TEXT.points(-0.2), TEXT.points(0.0)
        ('+4.3', '-20.0', '+0.0')
        """
        return f"{100 * change:+.{digits}f}".replace("-", self.minus)

    def points_line(self, size: float) -> str:
        """The size of a change in percentage points as in a rules file, without a sign.

        >>> TEXT.points_line(0.05), TEXT.points_line(0.025)
        ('5', '2.5')
        """
        return f"{round(100 * size, _LINE_DECIMALS):g}"

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

    def probability(self, value: float | None, digits: int = 3) -> str:
        """A probability of 0 to 1 as a decimal.

        >>> TEXT.probability(0.9621)
        '0.962'
        """
        return self.missing if _unknown(value) else f"{value:.{digits}f}"

    def metric(self, value: float | None, kind: str, unit: str) -> str:
        """A metric's value, by the `kind` and `unit` of its spec.

        >>> TEXT.metric(0.7531, "percent", "share"), TEXT.metric(1850.277, "whole", "points"), TEXT.metric(5.4321, "number", "pools")
        ('75.3 %', '1,850', '5.43')
        >>> TEXT.metric(0.18503, "number", "index")
        '0.185'
        """
        if kind == "percent":
            return self.share(value)
        return self.number(value, 0 if kind == "whole" else 3 if unit == "index" else 2)

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
