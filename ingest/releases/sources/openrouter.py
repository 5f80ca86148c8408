"""OpenRouter's exports of its daily rankings: a manifest with a checksum, and a dated file that never changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any, Final

from counterpoise.errors import DeadLetterError, StaleSourceError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.probe import Probe
from counterpoise.series.catalogue import Catalogue
from counterpoise.settings.sections.market_sections import MarketSettings
from ingest.bad_item import BadItem
from ingest.rate_limited_http import Memory, RateLimitedHttp
from ingest.releases.sources.parse.openrouter import SERIES, weekly_releases
from ingest.releases.sources.release_source import Fetched, digest_of

DATASET: Final = "rankings-daily"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SNAPSHOT, _WEEK = "snapshot", "week "


class OpenRouterSource:
    """Reads the newest manifest, downloads the dated file that it names and compares size and SHA-256 before it reads a row.

    The aliases `latest.*` can mix two snapshots for a moment after a publication; the dated file cannot. A week is given once,
    and again where a later snapshot revised it.
    """

    name = "openrouter"

    def __init__(
        self, settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
    ) -> None:
        section = settings.openrouter
        self.cadence_seconds = section.cadence_seconds
        self._series = catalogue[SERIES]
        self._base = f"{section.url.rstrip('/')}/{DATASET}"
        self._http = RateLimitedHttp(
            section.url,
            settings,
            setting="COUNTERPOISE_MARKET__OPENROUTER__URL",
            clock=clock,
            pause=pause,
            max_requests_per_second=section.max_requests_per_second,
        )

    def fetch(self, memory: Memory) -> Iterator[Fetched]:
        """One step with the weeks that are new or revised."""
        where = f"{self._base}/latest.manifest.json"
        snapshot, published_at_ms, size, sha256 = _manifest(self._http.get_json(where), where)
        if memory.get(_SNAPSHOT) == snapshot.isoformat():
            return
        origin = f"{self._base}/{snapshot.isoformat()}.csv"
        page = self._http.get(origin)
        content = page.body if page is not None else b""
        if len(content) != size or digest_of(content) != sha256:
            raise StaleSourceError(
                f"{origin} has {len(content)} bytes and SHA-256 {digest_of(content)[:12]}…, its manifest {size} and {sha256[:12]}…"
            )
        try:
            text = content.decode("utf-8-sig")
            releases = weekly_releases(
                text, self._series, origin=origin, snapshot=snapshot, published_at_ms=published_at_ms
            )
        except (DeadLetterError, UnicodeDecodeError) as error:
            reason = error.reason if isinstance(error, DeadLetterError) else "bad-source-file"
            memory[_SNAPSHOT] = snapshot.isoformat()
            yield Fetched(rejected=(BadItem(SERIES, reason, str(error), content),))
            return
        changed = [one for one in releases if memory.get(_WEEK + one.head.period_end) != one.values_id]
        for key in [key for key in memory if key.startswith(_WEEK)]:
            del memory[key]
        memory.update({_WEEK + one.head.period_end: one.values_id for one in releases})
        memory[_SNAPSHOT] = snapshot.isoformat()
        if changed:
            yield Fetched(tuple(changed))

    def probe(self) -> Probe:
        """Whether the server answers."""
        return self._http.probe(self.name)

    def close(self) -> None:
        """Close connections."""
        self._http.close()


def _manifest(document: Any, where: str) -> tuple[date, int, int, str]:
    """Day of the snapshot, its publication in milliseconds, and size and SHA-256 of its CSV file."""
    try:
        if document["dataset"] != DATASET:
            raise ValueError(f"it is of dataset {str(document['dataset'])[:40]!r}")
        file = document["files"]["csv"]
        snapshot = date.fromisoformat(document["snapshot_date"])
        retrieved = datetime.fromisoformat(document["retrieved_at"])
        size, sha256 = file["bytes"], file["sha256"]
        if retrieved.tzinfo is None or not isinstance(size, int) or not _SHA256.fullmatch(sha256):
            raise ValueError("its time, size or checksum is none")
        return snapshot, int(retrieved.timestamp() * 1000), size, sha256
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise StaleSourceError(f"{where} is no manifest of {DATASET}: {' '.join(str(error).split())[:120]}") from None
