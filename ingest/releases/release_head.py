"""What the catalogue says of a release: its head, and what is wrong with somebody else's before it is accepted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from counterpoise.series.catalogue import Catalogue, Series
from counterpoise.series.release import Head


@dataclass(frozen=True, slots=True)
class HeadProblem:
    """A field of a release's head that does not fit its series."""

    field: str
    message: str


FIRST_DAY = "1900-01-01"
LAST_DAY = "2299-12-31"
"""What the tables can hold."""

FIRST_PUBLICATION_MS = 946_684_800_000
"""2000-01-01. Seconds that are taken for milliseconds are of January 1970."""

_AHEAD_MS = 86_400_000
"""Clocks and time zones differ; a day is enough for both."""


def head_of(
    series: Series,
    first_day: date | str,
    last_day: date | str,
    *,
    published_at_ms: int,
    source: str | None = None,
    licence: str | None = None,
    coverage_note: str = "",
    method: str = "",
    cutoff: float | None = None,
) -> Head:
    """A head with what the catalogue says of the series. With a `coverage_note` (cut after 500 characters) coverage is partial."""
    return Head(
        series=series.series,
        kind=series.kind,
        layer=series.layer,
        unit=series.unit,
        period_start=str(first_day),
        period_end=str(last_day),
        published_at_ms=published_at_ms,
        source=source or series.source,
        licence=licence or series.licence,
        coverage="partial" if coverage_note else "full",
        coverage_note=coverage_note[:500],
        method=method,
        cutoff=cutoff,
    )


def counted_names(series: Series) -> list[str]:
    """Every owner that one of the series' include-lists counts, by name: what there is to ask a source for."""
    return sorted({name for one in series.lists for name in one.by_name})


def time_problem(head: Head, now_ms: int) -> HeadProblem | None:
    """What is wrong with a release's days and publication; None where they can be.

    A publication in the future would be the latest of its period until then.
    """
    for field in ("period_start", "period_end"):
        day = getattr(head, field)
        if not FIRST_DAY <= day <= LAST_DAY:
            return HeadProblem(field, f"{day} is not between {FIRST_DAY} and {LAST_DAY}")
    published = head.published_at_ms
    if published > now_ms + _AHEAD_MS:
        return HeadProblem("published_at_ms", f"{published} is more than a day in the future")
    if published < FIRST_PUBLICATION_MS:
        day = datetime.fromtimestamp(published / 1000, UTC).date()
        return HeadProblem("published_at_ms", f"{published} is {day}: expected milliseconds since 1970, not seconds")
    return None


def head_problem(catalogue: Catalogue, head: Head) -> HeadProblem | None:
    """What the catalogue has against a release; None where it fits."""
    if head.series not in catalogue:
        return HeadProblem("series", f"{head.series!r} is not in the catalogue; it has {', '.join(catalogue.series)}")
    series = catalogue[head.series]
    for field in ("layer", "unit", "kind"):
        given, expected = getattr(head, field), getattr(series, field)
        if given != expected:
            return HeadProblem(field, f"{given!r}, but series {head.series} is of {field} {expected!r}")
    return None
