"""Calendar months, for sources that count by them. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple


class Month(NamedTuple):
    """A calendar month; they sort by time."""

    year: int
    month: int

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, self.month, 1)

    @property
    def last(self) -> date:
        """Its last day."""
        return self.next.first - timedelta(days=1)

    @property
    def next(self) -> Month:
        """The month after it."""
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    @property
    def previous(self) -> Month:
        """The month before it."""
        return month_of(self.first - timedelta(days=1))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


def month_of(day: date) -> Month:
    """The month of a day."""
    return Month(day.year, day.month)


def complete_months(today: date, lag_days: int, count: int) -> list[Month]:
    """The last `count` months that had ended `lag_days` before today, oldest first.

    >>> [str(month) for month in complete_months(date(2026, 3, 1), 2, 2)]
    ['2025-12', '2026-01']
    >>> [str(month) for month in complete_months(date(2026, 3, 2), 2, 2)]
    ['2026-01', '2026-02']
    """
    month = month_of(today - timedelta(days=lag_days - 1)).previous
    months = [month]
    while len(months) < count:
        months.append(months[-1].previous)
    return months[::-1]


def published_at_ms(month: Month, lag_days: int) -> int:
    """When a source with this lag has the month complete: midnight UTC, `lag_days` days after the month's last day."""
    return (month.last + timedelta(days=lag_days) - date(1970, 1, 1)) // timedelta(milliseconds=1)
