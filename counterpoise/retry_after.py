"""The pause that an HTTP server asks for in its header `Retry-After`. Pure."""

from __future__ import annotations

import email.utils
import math
from datetime import UTC


def pause_of(value: str | None, now: float) -> float | None:
    """Seconds from `now` on, 0 at least: of a number of seconds, or of an HTTP date. None where it is neither, or absent.

    >>> pause_of("17", 0.0), pause_of("Thu, 01 Jan 1970 00:01:00 GMT", 20.0), pause_of("soon", 0.0), pause_of(None, 0.0)
    (17.0, 40.0, None, None)
    """
    try:
        seconds = float(value or "")
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(value or "")
            seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    return None if math.isnan(seconds) else max(seconds, 0.0)
