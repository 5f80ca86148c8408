"""pypistats.org: downloads of the catalogue's Python packages by calendar month, without mirrors, for the last half year."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from counterpoise.clock import Clock
from counterpoise.contracts.releases import Observation
from counterpoise.errors import StaleSourceError
from counterpoise.series.catalogue import Catalogue
from counterpoise.series.release import Head, make_release
from counterpoise.settings import MarketSettings
from ingest.market.months import Month, complete_months, month_of, published_at_ms
from ingest.market.polite import Memory, PoliteHttp
from ingest.market.pypi import SERIES
from ingest.market.source import Fetched
from ingest.sources.bounded_http import NotThereError

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


class PypistatsSource:
    """One request a package, all its days at once; the last complete month is released, and earlier ones that are whole."""

    name = "pypistats"

    def __init__(
        self, settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
    ) -> None:
        self.cadence_seconds = settings.pypistats.cadence_seconds
        self._series = catalogue[SERIES]
        self._packages = sorted({name for one in self._series.lists for name in one.by_name})
        self._clock = clock
        self._base = settings.pypistats.url.rstrip("/")
        self._http = PoliteHttp(
            self._base,
            settings,
            setting="COUNTERPOISE_MARKET__PYPISTATS__URL",
            clock=clock,
            pause=pause,
            max_requests_per_second=settings.pypistats.max_requests_per_second,
        )

    def fetch(self, memory: Memory) -> Iterator[Fetched]:
        """One step with every month that was not read yet; no request at all where there is none."""
        today = datetime.fromtimestamp(self._clock.now(), UTC).date()
        oldest_day = today - timedelta(days=KEPT_DAYS - 1)
        months = [
            month
            for month in complete_months(today, LAG_DAYS, KEPT_DAYS // 28)
            if f"month {month}" not in memory and month.first >= oldest_day
        ]
        if not months:
            return
        by_month: dict[Month, list[Observation]] = {month: [] for month in months}
        for package in self._packages:
            for month, downloads in self._monthly(package).items():
                if month in by_month:
                    by_month[month].append(Observation(owner=package, value=float(downloads)))
        releases = [
            make_release(self._head(month), observations) for month, observations in by_month.items() if observations
        ]
        if not releases:
            raise StaleSourceError(f"{self._base} gives no downloads of any package")
        for release in releases:
            memory[f"month {release.head.period_start[:7]}"] = "read"
        yield Fetched(tuple(releases))

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def _monthly(self, package: str) -> Counter[Month]:
        """Downloads by month; a package that PyPI does not know has none, and a month without a day of it is absent."""
        url = f"{self._base}/api/packages/{package}/overall?mirrors=false"
        try:
            answer = _Overall.model_validate(self._http.get_json(url))
            days = [(date.fromisoformat(day.date), day) for day in answer.data]
        except NotThereError:
            return Counter()
        except (ValidationError, ValueError) as error:
            raise StaleSourceError(
                f"{url} answered what is no list of downloads: {str(error).splitlines()[0]}"
            ) from None
        months: Counter[Month] = Counter()
        for day, entry in days:
            if entry.category == "without_mirrors":
                months[month_of(day)] += entry.downloads
        return months

    def _head(self, month: Month) -> Head:
        return Head(
            series=self._series.series,
            kind=self._series.kind,
            layer=self._series.layer,
            unit=self._series.unit,
            period_start=month.first.isoformat(),
            period_end=month.last.isoformat(),
            published_at_ms=published_at_ms(month, LAG_DAYS),
            source="PyPI download statistics, https://pypistats.org",
            licence=self._series.licence,
            method=METHOD,
        )
