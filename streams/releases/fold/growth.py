"""Growth of a series from one current release to another, as given and like for like. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from operator import attrgetter
from typing import Literal

from counterpoise.series.catalogue import Series
from counterpoise.series.release import Head, Release

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


class Growth:
    """Growth of one series, asked for again as its timeline grows: what two releases say of each other never changes."""

    def __init__(self, series: Series) -> None:
        self._series = series
        self._known: dict[tuple[str, str, Span], list[GrowthRow]] = {}

    def rows(self, timeline: Sequence[Release]) -> list[GrowthRow]:
        """Growth over the period before and over the year before, for each release of a timeline (by period end) that has one.

        The base of a year is the release whose period ends nearest to the same day of the year before, within half a cadence; of two
        as near, the earlier.
        """
        series = self._series
        found: dict[tuple[str, str, Span], list[GrowthRow]] = {}
        ends = [release.period_end for release in timeline]
        for index, release in enumerate(timeline):
            day, within = year_before(release.period_end), timedelta(days=series.cadence.days // 2)
            near = timeline[bisect_left(ends, day - within, hi=index) : bisect_right(ends, day + within, hi=index)]
            bases: list[tuple[Span, Release | None]] = [
                ("period", timeline[index - 1] if index else None),
                ("year", min(near, key=lambda one: abs((one.period_end - day).days), default=None)),
            ]
            for span, base in bases:
                if base is not None:
                    which = (base.release_id, release.release_id, span)
                    known = self._known.get(which)
                    found[which] = _rows(base, release, series, span) if known is None else known
        self._known = found
        return [row for rows in found.values() for row in rows]


def year_before(day: date) -> date:
    """The same day of the year before; 28 February for the 29th."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


def _rows(base: Release, now: Release, series: Series, span: Span) -> list[GrowthRow]:
    return [row for one in series.lists if (row := _row(base, now, series, one.id, span)) is not None]


def _row(base: Release, now: Release, series: Series, list_id: str, span: Span) -> GrowthRow | None:
    chosen = series.include_list(list_id)
    if not all(chosen.reads(o.owner for o in release.observations) for release in (base, now)):
        return None
    owners = {o.owner for release in (base, now) for o in release.observations}
    counting = {owner: chosen.counts(owner) for owner in owners}
    sides = [[o for o in release.observations if counting[o.owner]] for release in (base, now)]
    totals = [sum(observation.value for observation in side) for side in sides]
    if not min(totals) > 0:
        return None
    by_owner = base.head.cutoff is not None or now.head.cutoff is not None
    scope = attrgetter("owner", "part") if by_owner else attrgetter("part")
    shared = set(map(scope, sides[0])) & set(map(scope, sides[1]))
    alike = _equal_periods(base.head, now.head)
    kept = [sum(o.value for o in side if scope(o) in shared) if alike else 0.0 for side in sides]
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
        method_changed=now.head.method != base.head.method or not alike,
    )


def _equal_periods(base: Head, now: Head) -> bool:
    """Whether both periods have as many whole months, or as many days: what is counted over others does not compare."""
    spans = [(date.fromisoformat(head.period_start), date.fromisoformat(head.period_end)) for head in (base, now)]
    days = {last - first for first, last in spans}
    months = {_whole_months(first, last) for first, last in spans}
    return len(days) == 1 or (len(months) == 1 and None not in months)


def _whole_months(first: date, last: date) -> int | None:
    after = last + timedelta(days=1)
    if first.day != 1 or after.day != 1:
        return None
    return 12 * (after.year - first.year) + after.month - first.month
