"""A release for exercises: made-up megawatts of one day, the same in every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from counterpoise.contracts.releases import Observation
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.probe import Probe
from counterpoise.series.catalogue import Catalogue
from counterpoise.series.release import make_release
from counterpoise.settings.sections.market_sections import MarketSettings
from ingest.rate_limited_http import Memory
from ingest.releases.release_head import head_of
from ingest.releases.sources.release_source import Fetched

SERIES = "miner-pivot-megawatts"
DAY = "2025-12-31"
PUBLISHED_MS = 1_772_000_000_000
MEGAWATTS = {"Core Scientific": 590.0, "Hut 8": 330.0, "TeraWulf": 200.0}


class SpecimenSource:
    """See the module."""

    name = "specimen"
    cadence_seconds = 86_400.0

    def __init__(
        self, settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
    ) -> None:
        self._series = catalogue[SERIES]

    def fetch(self, memory: Memory) -> Iterator[Fetched]:
        """The release, once."""
        if memory.get("day") == DAY:
            return
        memory["day"] = DAY
        head = head_of(self._series, DAY, DAY, published_at_ms=PUBLISHED_MS, source="made up")
        observations = [Observation(owner=owner, value=value, part="running") for owner, value in MEGAWATTS.items()]
        yield Fetched((make_release(head, observations),))

    def probe(self) -> Probe:
        """There is nothing to ask."""
        return Probe("skipped", "specimen asks nobody")

    def close(self) -> None:
        """Nothing is open."""
