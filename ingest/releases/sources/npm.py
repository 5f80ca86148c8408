"""npm's download counts: the packages of the catalogue, a release a calendar month."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from counterpoise.errors import ConfigError, StaleSourceError
from counterpoise.runtime.clock import Clock
from counterpoise.series.catalogue import Catalogue
from counterpoise.settings.sections.market_sections import MarketSettings
from ingest.http import NotThereError
from ingest.rate_limited_http import Memory
from ingest.releases.sources.monthly import MonthlySource, memory_key, month_release
from ingest.releases.sources.months import Month, complete_months
from ingest.releases.sources.release_source import Fetched

SERIES = "npm-edge-share"
METHOD = "downloads of a calendar month, all versions"


class NpmSource(MonthlySource):
    """One request a package and month. A package that did not exist then (404, or no downloads at all) is missing, not zero."""

    name = "npm"

    def __init__(
        self, settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
    ) -> None:
        if settings.npm.url is None:
            raise ConfigError(
                "source npm needs the address of npm's downloads API: set COUNTERPOISE_MARKET__NPM__URL, or leave npm out of "
                "COUNTERPOISE_MARKET__SOURCES"
            )
        self._history_months = settings.npm.history_months
        super().__init__(settings.npm, settings.npm.url, catalogue[SERIES], settings, clock=clock, pause=pause)

    def fetch(self, memory: Memory) -> Iterator[Fetched]:
        """A step a month that was not read yet."""
        today = datetime.fromtimestamp(self._clock.now(), UTC).date()
        lag_days = self._series.cadence.lag_days
        for month in complete_months(today, lag_days, self._history_months):
            key = memory_key(month)
            if key in memory:
                continue
            downloads = {
                package: count for package in self._packages if (count := self._downloads(package, month)) is not None
            }
            if not downloads:
                raise StaleSourceError(f"{self._base} gives no downloads of any package in {month}")
            memory[key] = "read"
            yield Fetched((month_release(self._series, month, downloads, lag_days=lag_days, method=METHOD),))

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
