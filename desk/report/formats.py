"""How the report writes numbers and times: one way each, in UTC. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime

NO_BREAK = "\u00a0"
MINUS = "\u2212"
NOT_KNOWN = "not known"


def unbroken(words: str) -> str:
    """The same with each percent sign tied to its number.

    >>> unbroken("95 % of 8")
    '95\\xa0% of 8'
    """
    return words.replace(" %", f"{NO_BREAK}%")


def percent(share: float | None, digits: int | None = 1) -> str:
    """A share of 0 to 1 in percent; `digits` None writes no more of them than it has (to a hundredth).

    >>> percent(0.7118), percent(0.75, None), percent(0.755, None), percent(None)
    ('71.2\\xa0%', '75\\xa0%', '75.5\\xa0%', 'not known')
    """
    if share is None or share != share:  # noqa: PLR0124 - NaN
        return NOT_KNOWN
    written = f"{round(100 * share, 2):g}" if digits is None else f"{100 * share:.{digits}f}"
    return f"{written}{NO_BREAK}%"


def whole(value: int | None) -> str:
    """A count, thousands apart.

    >>> whole(946236), whole(None)
    ('946,236', 'not known')
    """
    return NOT_KNOWN if value is None else f"{value:,}"


def doublings(value: float, digits: int = 2) -> str:
    """A signed number of doublings, with a real minus.

    >>> doublings(-0.337), doublings(0.0, 1)
    ('−0.34', '0.0')
    """
    written = f"{abs(value):.{digits}f}"
    zero = float(written) == 0.0
    return written if zero else f"{MINUS if value < 0 else '+'}{written}"


def day(value: date | datetime | None) -> str:
    """A day for people.

    >>> day(date(2026, 4, 2))
    '2\\xa0Apr\\xa02026'
    """
    return NOT_KNOWN if value is None else f"{value.day}{NO_BREAK}{value:%b}{NO_BREAK}{value:%Y}"


def minute(value: datetime | None) -> str:
    """A moment in UTC, to the minute.

    >>> minute(datetime(2026, 4, 2, 7, 5, tzinfo=UTC))
    '2026-04-02 07:05 UTC'
    """
    return NOT_KNOWN if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def quarter(value: date) -> str:
    """The quarter that a day is in.

    >>> quarter(date(2025, 12, 31))
    '2025Q4'
    """
    return f"{value.year}Q{(value.month + 2) // 3}"


def age(days: float | None) -> str:
    """A length of time with a unit that suits it.

    >>> age(0.02), age(0.5), age(3.4), age(410), age(-0.2)
    ('29 minutes', '12 hours', '3 days', '410 days', 'none')
    """
    if days is None:
        return NOT_KNOWN
    if days < 0:
        return "none"
    minutes = round(days * 24 * 60)
    for size, unit in ((2 * 24 * 60, "day"), (120, "hour"), (0, "minute")):
        if minutes >= size:
            count = round(minutes / {"day": 1440, "hour": 60, "minute": 1}[unit])
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return NOT_KNOWN
