"""What sources that count downloads by calendar month have in common."""

from __future__ import annotations

from collections.abc import Mapping

from counterpoise.contracts.releases import Observation
from counterpoise.series.catalogue import Series
from counterpoise.series.release import Release, make_release
from ingest.releases.release_head import head_of
from ingest.releases.sources.months import Month, published_at_ms


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
    return make_release(head, [Observation(owner=name, value=float(count)) for name, count in downloads.items()])
