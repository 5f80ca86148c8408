"""What the query of a rule gave: a value per key, or why it gave none. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

MAX_ROWS: Final = 1_000
MAX_KEY: Final = 120
MAX_ERROR: Final = 300
MAX_TIME: Final = 0xFFFF_FFFF
"""The last second that an alert's time can be: in 2106."""

_TIMES: Final = " between 1970 and 2106"


@dataclass(frozen=True, slots=True)
class QueryRow:
    """One row: its key, its value (None where it is NULL or no number), and its time in UTC seconds where the query has one."""

    key: str
    value: float | None
    time: int | None = None


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """Rows with different keys, or an `error` in one line. `at`: when the query began, in UTC seconds."""

    at: float
    rows: tuple[QueryRow, ...] = ()
    error: str = ""


def answer_of(at: float, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> QueryAnswer:
    """The rows of a result; an error where its columns, keys or values are none that a rule can judge. It never raises."""
    try:
        return _answer_of(at, names, rows)
    except Exception as error:
        return QueryAnswer(at, error=f"the answer cannot be read: {error_line(error)}")


def error_line(error: object) -> str:
    """What went wrong, in one line of at most `MAX_ERROR` characters that any table and message takes."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.encode("utf-8", "backslashreplace").decode()[:MAX_ERROR]


def _answer_of(at: float, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> QueryAnswer:
    lowered = [name.lower() for name in names]
    missing = [name for name in ("key", "value") if name not in lowered]
    if missing:
        given = error_line(", ".join(names))[:MAX_KEY] if names else "no column"
        return QueryAnswer(at, error=f"the query gives {given}, expected the columns key and value")
    place = {name: lowered.index(name) for name in ("key", "value", "time") if name in lowered}
    found: dict[str, QueryRow] = {}
    for row in rows:
        if row[place["key"]] is None:
            return QueryAnswer(at, error="a row has no key: it is NULL")
        key = str(row[place["key"]]).strip()
        if not key.isprintable():
            return QueryAnswer(at, error=f"the key {key[:MAX_KEY]!a} has a character that cannot be shown")
        if not key or len(key) > MAX_KEY or key in found:
            problem = "stands twice" if key in found else f"has {len(key)} characters, expected 1…{MAX_KEY}"
            return QueryAnswer(at, error=f"the key {key[:MAX_KEY]!r} {problem}")
        if len(found) == MAX_ROWS:
            return QueryAnswer(at, error=f"over {MAX_ROWS:,} rows: aggregate or filter in the query")
        try:
            value = _number(row[place["value"]])
            time = _seconds(row[place["time"]]) if "time" in place else None
        except (TypeError, ValueError, OverflowError, OSError):
            return QueryAnswer(
                at, error=f"the row of {key!r} has a value that is no number, or a time that is none{_TIMES}"
            )
        found[key] = QueryRow(key, value, time)
    return QueryAnswer(at, tuple(found.values()))


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, (str, bytes)):
        raise TypeError("text is no number")
    number = float(value)
    return number if math.isfinite(number) else None


def _seconds(value: Any) -> int | None:
    """ValueError for a time that no alert can have."""
    if value is None:
        return None
    if isinstance(value, datetime):
        value = int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TIME:
        return value
    raise ValueError("no time")
