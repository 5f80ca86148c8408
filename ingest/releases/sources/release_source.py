"""What a market source is: something that is asked now and then, and gives whole releases."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from counterpoise.http_dates import http_date
from counterpoise.runtime.probe import Probe
from counterpoise.series.release import Release
from ingest.bad_item import BadItem
from ingest.rate_limited_http import Memory


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one step of a fetch gave. After each step, releases are journalled and the source's memory is stored."""

    releases: tuple[Release, ...] = ()
    rejected: tuple[BadItem, ...] = ()


class ReleaseSource(Protocol):
    """`fetch` raises StaleSourceError while the source cannot be reached; what its earlier steps gave is kept.

    `memory` is changed in place and survives restarts, so that an interrupted fetch goes on where it was and nothing that did not
    change is read again. A fetch that finds nothing new gives nothing. `cadence_seconds` lie between two fetches.
    """

    name: str
    cadence_seconds: float

    def fetch(self, memory: Memory) -> Iterator[Fetched]:
        """One round, in steps."""

    def probe(self) -> Probe:
        """What `counterpoise doctor` asks: is it there? One short question; it never raises."""

    def close(self) -> None:
        """Let go of connections; a second call does nothing."""


def digest_of(content: bytes) -> str:
    """Names content in a memory."""
    return hashlib.sha256(content).hexdigest()


def http_date_ms(text: str) -> int | None:
    """Milliseconds of an HTTP date; None where it is none."""
    moment = http_date(text)
    return None if moment is None else int(moment.timestamp() * 1000)


def day_of(seconds: float) -> str:
    """The UTC day of a moment, YYYY-MM-DD."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
