"""Epoch AI's tables of who owns AI compute."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from counterpoise.clock import Clock
from counterpoise.errors import DeadLetterError
from counterpoise.series.catalogue import Catalogue
from counterpoise.settings import MarketSettings
from ingest.market.epoch import SERIES, epoch_releases
from ingest.market.locations import Locations
from ingest.market.polite import Memory
from ingest.market.source import Fetched
from ingest.sources.source import BadItem


class EpochSource:
    """All tables together make one publication, dated by the newest of them."""

    name = "epoch"

    def __init__(
        self, settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
    ) -> None:
        self.cadence_seconds = settings.epoch.cadence_seconds
        self._series = catalogue[SERIES]
        self._locations = Locations(
            settings.epoch.locations,
            settings,
            setting="COUNTERPOISE_MARKET__EPOCH__LOCATIONS",
            suffixes=(".csv",),
            clock=clock,
            pause=pause,
        )

    def fetch(self, memory: Memory) -> Iterator[Fetched]:
        """One step: every quarter, where any table changed."""
        files = self._locations.read_all()
        if not self._locations.changed(files, memory):
            return
        published_at_ms = max(file.published_at_ms for file in files)
        try:
            releases = epoch_releases(
                {file.name: file.text() for file in files}, self._series, published_at_ms=published_at_ms
            )
            step = Fetched(tuple(releases))
        except DeadLetterError as error:
            content = b"\n".join(file.content for file in files)
            step = Fetched(misfits=(BadItem(self._series.series, error.reason, str(error), content),))
        self._locations.remember(files, memory)
        yield step

    def close(self) -> None:
        """Close connections."""
        self._locations.close()
