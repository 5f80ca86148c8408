"""Epoch AI's tables of who owns AI compute."""

from __future__ import annotations

from collections.abc import Callable

from counterpoise.errors import DeadLetterError
from counterpoise.runtime.clock import Clock
from counterpoise.series.catalogue import Catalogue
from counterpoise.settings.model import MarketSettings
from ingest.bad_item import BadItem
from ingest.releases.sources.locations import FileSource, Located, Locations, report_assumed_publication
from ingest.releases.sources.parse.epoch import SERIES, epoch_releases
from ingest.releases.sources.release_source import Fetched


class EpochSource(FileSource):
    """All tables together make one publication, dated by the newest of them."""

    name = "epoch"

    def __init__(
        self, settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
    ) -> None:
        locations = Locations(
            settings.epoch.locations,
            settings,
            setting="COUNTERPOISE_MARKET__EPOCH__LOCATIONS",
            suffixes=(".csv",),
            clock=clock,
            pause=pause,
        )
        super().__init__(locations, settings.epoch.cadence_seconds)
        self._series = catalogue[SERIES]

    def read(self, files: list[Located]) -> Fetched:
        """Every quarter."""
        newest = max(files, key=lambda file: file.published_at_ms)
        report_assumed_publication(self.name, newest)
        published_at_ms = newest.published_at_ms
        try:
            texts = {file.name: file.text() for file in files}
            return Fetched(tuple(epoch_releases(texts, self._series, published_at_ms=published_at_ms)))
        except DeadLetterError as error:
            content = b"\n".join(file.content for file in files)
            return Fetched(rejected=(BadItem(self._series.series, error.reason, str(error), content),))
