"""Growth of a series from one current release to another, as given and like for like. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from counterpoise.contracts.releases import Observation
from counterpoise.series.catalogue import Series
from counterpoise.series.release import Release

Span = Literal["period", "year"]


@dataclass(frozen=True, slots=True)
class GrowthRow:
    """(series, list_id, period_start, period_end, span) is the key.

    total_ratio           total now / total then, of what counts by the list; grows with coverage too
    like_for_like_ratio   over what both releases hold: the same parts of the source and, where either has a cutoff, the same owners;
                          None where they share nothing above zero
    method_changed        the two were counted differently, by the source's own words
    """

    series: str
    list_id: str
    period_start: str
    period_end: str
    span: Span
    release_id: str
    base_release_id: str
    base_period_end: str
    total_ratio: float
    like_for_like_ratio: float | None
    compared_share: float
    parts_added: tuple[str, ...]
    parts_dropped: tuple[str, ...]
    method_changed: bool


def growth_rows(timeline: Sequence[Release], series: Series) -> list[GrowthRow]:
    """Growth over the period before and over the year before, for each release of a timeline (by period end) that has one.

    The base of a year is the release whose period ends nearest to the same day of the year before, within half a cadence.
    """
    rows: list[GrowthRow] = []
    for index, release in enumerate(timeline):
        bases: list[tuple[Span, Release | None]] = [
            ("period", timeline[index - 1] if index else None),
            ("year", _nearest(timeline[:index], year_before(release.period_end), series.cadence.days / 2)),
        ]
        for span, base in bases:
            if base is not None:
                rows += [row for one in series.lists if (row := _row(base, release, series, one.id, span)) is not None]
    return rows


def year_before(day: date) -> date:
    """The same day of the year before; 28 February for the 29th."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


def _nearest(timeline: Sequence[Release], day: date, within_days: float) -> Release | None:
    near = [release for release in timeline if abs((release.period_end - day).days) <= within_days]
    return min(near, key=lambda release: (abs((release.period_end - day).days), release.head.period_end), default=None)


def _row(base: Release, now: Release, series: Series, list_id: str, span: Span) -> GrowthRow | None:
    chosen = series.include_list(list_id)
    sides = [[o for o in release.observations if chosen.counts(o.owner)] for release in (base, now)]
    totals = [sum(observation.value for observation in side) for side in sides]
    if not min(totals) > 0:
        return None
    by_owner = base.head.cutoff is not None or now.head.cutoff is not None
    shared = {_scope(o, by_owner) for o in sides[0]} & {_scope(o, by_owner) for o in sides[1]}
    kept = [sum(o.value for o in side if _scope(o, by_owner) in shared) for side in sides]
    return GrowthRow(
        series=series.series,
        list_id=list_id,
        period_start=now.head.period_start,
        period_end=now.head.period_end,
        span=span,
        release_id=now.release_id,
        base_release_id=base.release_id,
        base_period_end=base.head.period_end,
        total_ratio=totals[1] / totals[0],
        like_for_like_ratio=kept[1] / kept[0] if min(kept) > 0 else None,
        compared_share=kept[1] / totals[1],
        parts_added=tuple(sorted(now.parts - base.parts)),
        parts_dropped=tuple(sorted(base.parts - now.parts)),
        method_changed=now.head.method != base.head.method,
    )


def _scope(observation: Observation, by_owner: bool) -> tuple[str, str]:
    return (observation.owner if by_owner else "", observation.part)
