"""Dates and pauses in the headers of HTTP answers, whatever a server writes there. Pure."""

from __future__ import annotations

import email.utils
import math
from datetime import UTC, datetime


def http_date(text: str | None) -> datetime | None:
    """The moment that a header names, in UTC where it has no zone; None where it is no date, or absent.

    >>> http_date("Thu, 01 Jan 1970 00:01:00 GMT").isoformat(), http_date("Fri, 27 Nov 99999999999 08:00:00 GMT")
    ('1970-01-01T00:01:00+00:00', None)
    """
    try:
        moment = email.utils.parsedate_to_datetime(text or "")
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def pause_of(value: str | None, now: float) -> float | None:
    """The pause that `Retry-After` asks for in seconds, 0 at least: a number of them, or a date from `now` on.

    None where it is neither, or absent.

    >>> pause_of("17", 0.0), pause_of("Thu, 01 Jan 1970 00:01:00 GMT", 20.0), pause_of("soon", 0.0), pause_of(None, 0.0)
    (17.0, 40.0, None, None)
    """
    try:
        seconds = float(value or "")
    except ValueError:
        moment = http_date(value)
        if moment is None:
            return None
        seconds = moment.timestamp() - now
    return None if math.isnan(seconds) else max(seconds, 0.0)
