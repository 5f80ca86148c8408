"""pypistats.org: downloads of the catalogue's Python packages by calendar month, without mirrors, for the last half year."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from counterpoise.errors import StaleSourceError
from counterpoise.runtime.clock import Clock
from counterpoise.series.catalogue import Catalogue
from counterpoise.series.release import Release
from counterpoise.settings.sections.market_sections import MarketSettings
from ingest.http import NotThereError
from ingest.rate_limited_http import Memory
from ingest.releases.sources.monthly import MonthlySource, memory_key, month_release
from ingest.releases.sources.months import Month, complete_months, month_of
from ingest.releases.sources.parse.pypi import SERIES
from ingest.releases.sources.release_source import Fetched

METHOD = "pypistats.org, downloads of a calendar month without mirrors"
KEPT_DAYS = 180
"""How far back the API goes."""

LAG_DAYS = 2


class _Day(BaseModel):
    model_config = ConfigDict(strict=True)
    category: str
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    downloads: Annotated[int, Field(ge=0)]


class _Overall(BaseModel):
    """`{"data": [{"category": "without_mirrors", "date": "2026-10-01", "downloads": 1}, …], "package": "onnx", "type": …}`."""

    model_config = ConfigDict(strict=True)
    package: str
    type: Literal["overall_downloads"]
    data: Annotated[list[_Day], Field(max_length=10_000)]


class PypistatsSource(MonthlySource):
    """One request a package, all its days at once; the last complete month is released, and earlier ones that are whole."""

    name = "pypistats"

    def __init__(
        self, settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
    ) -> None:
        section = settings.pypistats
        super().__init__(section, section.url, catalogue[SERIES], settings, clock=clock, pause=pause)

    def fetch(self, memory: Memory) -> Iterator[Fetched]:
        """One step with every month that was not read yet; no request at all where there is none."""
        today = datetime.fromtimestamp(self._clock.now(), UTC).date()
        oldest_day = today - timedelta(days=KEPT_DAYS - 1)
        months = [
            month
            for month in complete_months(today, LAG_DAYS, KEPT_DAYS // 28)
            if memory_key(month) not in memory and month.first >= oldest_day
        ]
        if not months:
            return
        counted = {package: self._daily(package) for package in self._packages}
        found = {month: release for month in months if (release := self._release(month, counted)) is not None}
        if not found:
            raise StaleSourceError(f"{self._base} gives no downloads of any package")
        for month, release in found.items():
            if release.head.coverage == "full":  # days that are missing may still come
                memory[memory_key(month)] = "read"
        yield Fetched(tuple(found.values()))

    def _daily(self, package: str) -> dict[date, int]:
        """Downloads by day; a package that PyPI does not know has none."""
        url = f"{self._base}/api/packages/{package}/overall?mirrors=false"
        try:
            answer = _Overall.model_validate(self._http.get_json(url))
            return {
                date.fromisoformat(day.date): day.downloads for day in answer.data if day.category == "without_mirrors"
            }
        except NotThereError:
            return {}
        except (ValidationError, ValueError) as error:
            raise StaleSourceError(
                f"{url} answered what is no list of downloads: {str(error).splitlines()[0]}"
            ) from None

    def _release(self, month: Month, counted: Mapping[str, Mapping[date, int]]) -> Release | None:
        """None for a month of which no package has a day; a package without a day of it is absent, and not zero."""
        days_of = {
            package: {day: n for day, n in days.items() if month_of(day) == month} for package, days in counted.items()
        }
        downloads = {package: sum(days.values()) for package, days in days_of.items() if days}
        if not downloads:
            return None
        lacking = month.last.day - len({day for days in days_of.values() for day in days})
        return month_release(
            self._series,
            month,
            downloads,
            lag_days=LAG_DAYS,
            method=METHOD,
            source="PyPI download statistics, https://pypistats.org",
            coverage_note=f"the source lacks {lacking} days of the month" if lacking else "",
        )
