"""What sources that count downloads by calendar month have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping

from counterpoise.runtime.clock import Clock
from counterpoise.runtime.probe import Probe
from counterpoise.series.catalogue import Series
from counterpoise.series.release import Release, make_release
from counterpoise.settings.sections.market_sections import MarketSettings, NpmSettings, PypistatsSettings
from ingest.rate_limited_http import Memory, RateLimitedHttp
from ingest.releases.checked_observation import checked_observation
from ingest.releases.release_head import counted_names, head_of
from ingest.releases.sources.months import Month, published_at_ms
from ingest.releases.sources.release_source import Fetched

MonthlySection = NpmSettings | PypistatsSettings


class MonthlySource(ABC):
    """A server that is asked for the downloads of each package of one series. Subclasses ask it, month by month."""

    name: str

    def __init__(
        self,
        section: MonthlySection,
        url: str,
        series: Series,
        settings: MarketSettings,
        *,
        clock: Clock,
        pause: Callable[[float], None],
    ) -> None:
        self.cadence_seconds = section.cadence_seconds
        self._series = series
        self._packages = counted_names(series)
        self._clock = clock
        self._base = url.rstrip("/")
        self._http = RateLimitedHttp(
            self._base,
            settings,
            setting=f"COUNTERPOISE_MARKET__{self.name.upper()}__URL",
            clock=clock,
            pause=pause,
            max_requests_per_second=section.max_requests_per_second,
        )

    @abstractmethod
    def fetch(self, memory: Memory) -> Iterator[Fetched]:
        """The months that were not read yet."""

    def probe(self) -> Probe:
        """Whether the server answers."""
        return self._http.probe(self.name)

    def close(self) -> None:
        """Close connections."""
        self._http.close()


def memory_key(month: Month) -> str:
    """Under which a source's memory holds that a month was read."""
    return f"month {month}"


def month_release(
    series: Series,
    month: Month,
    downloads: Mapping[str, int],
    *,
    lag_days: int,
    method: str,
    source: str | None = None,
    coverage_note: str = "",
) -> Release:
    """The release of one month; `downloads` by package, without those that are missing."""
    head = head_of(
        series,
        month.first,
        month.last,
        published_at_ms=published_at_ms(month, lag_days),
        source=source,
        coverage_note=coverage_note,
        method=method,
    )
    return make_release(
        head, [checked_observation(f"month {month}", owner=name, value=count) for name, count in downloads.items()]
    )
