"""npm's download counts: the packages of the catalogue, a release a calendar month."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from counterpoise.clock import Clock
from counterpoise.contracts.releases import Observation
from counterpoise.errors import ConfigError, StaleSourceError
from counterpoise.series.catalogue import Catalogue
from counterpoise.series.release import Head, make_release
from counterpoise.settings import MarketSettings
from ingest.market.months import Month, complete_months, published_at_ms
from ingest.market.polite import Memory, PoliteHttp
from ingest.market.source import Fetched
from ingest.sources.bounded_http import NotThereError

SERIES = "npm-edge-share"
METHOD = "downloads of a calendar month, all versions"


class NpmSource:
    """One request a package and month. A package that did not exist then (404, or no downloads at all) is missing, not zero."""

    name = "npm"

    def __init__(
        self, settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
    ) -> None:
        self.cadence_seconds = settings.npm.cadence_seconds
        self._series = catalogue[SERIES]
        self._packages = sorted({name for one in self._series.lists for name in one.by_name})
        self._history_months = settings.npm.history_months
        self._clock = clock
        if settings.npm.url is None:
            raise ConfigError(
                "source npm needs the address of npm's downloads API: set COUNTERPOISE_MARKET__NPM__URL, or leave npm out of "
                "COUNTERPOISE_MARKET__SOURCES"
            )
        self._base = settings.npm.url.rstrip("/")
        self._http = PoliteHttp(
            self._base,
            settings,
            setting="COUNTERPOISE_MARKET__NPM__URL",
            clock=clock,
            pause=pause,
            max_requests_per_second=settings.npm.max_requests_per_second,
        )

    def fetch(self, memory: Memory) -> Iterator[Fetched]:
        """A step a month that was not read yet."""
        today = datetime.fromtimestamp(self._clock.now(), UTC).date()
        for month in complete_months(today, self._series.cadence.lag_days, self._history_months):
            key = f"month {month}"
            if key in memory:
                continue
            observations = [
                Observation(owner=package, value=float(count))
                for package in self._packages
                if (count := self._downloads(package, month)) is not None
            ]
            if not observations:
                raise StaleSourceError(f"{self._base} gives no downloads of any package in {month}")
            head = Head(
                series=self._series.series,
                kind=self._series.kind,
                layer=self._series.layer,
                unit=self._series.unit,
                period_start=month.first.isoformat(),
                period_end=month.last.isoformat(),
                published_at_ms=published_at_ms(month, self._series.cadence.lag_days),
                source=self._series.source,
                licence=self._series.licence,
                method=METHOD,
            )
            memory[key] = "read"
            yield Fetched((make_release(head, observations),))

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def _downloads(self, package: str, month: Month) -> int | None:
        url = f"{self._base}/downloads/point/{month.first}:{month.last}/{package}"
        try:
            answer: Any = self._http.get_json(url)
        except NotThereError:
            return None
        count = answer.get("downloads") if isinstance(answer, dict) else None
        if not isinstance(count, int) or isinstance(count, bool) or count < 0 or answer.get("package") != package:
            raise StaleSourceError(f"{url} answered what is no count of downloads: {str(answer)[:120]}")
        if (answer.get("start"), answer.get("end")) != (month.first.isoformat(), month.last.isoformat()):
            raise StaleSourceError(f"{url} answered for {answer.get('start')} to {answer.get('end')}")
        return count or None
