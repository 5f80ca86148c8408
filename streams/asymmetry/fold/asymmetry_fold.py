"""The fold of both sides into asymmetry rows: which inputs each row has, and which rows a change touches. Pure.

Rows are a function of the releases and windows alone: applied in any order and any number of steps they end equal to a rebuild from
scratch, and a row whose inputs did not change is not returned again, so its version stays.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from counterpoise.series.basket import make_basket
from counterpoise.series.catalogue import Catalogue
from counterpoise.series.release import Release
from streams.asymmetry.fold.change import ChangePart, year_parts
from streams.asymmetry.fold.mining_side import MiningSide
from streams.asymmetry.fold.score import (
    AsymmetryInputs,
    AsymmetryRow,
    Knowledge,
    Moment,
    Pair,
    RowKey,
    end_of_day_ms,
    score,
)
from streams.asymmetry.fold.score_cache import ScoreCache
from streams.releases.fold.growth import year_before
from streams.releases.fold.release_fold import ReleaseFold, latest_by

KNOWLEDGE: tuple[Knowledge, ...] = ("live", "latest")

_DAY = timedelta(days=1)


@dataclass(slots=True)
class AsymmetryChanges:
    """What to write: rows that are new or different, parts of the year's change for those that have them, keys to delete."""

    rows: list[AsymmetryRow] = field(default_factory=list)
    parts: list[ChangePart] = field(default_factory=list)
    removed: list[RowKey] = field(default_factory=list)


class AsymmetryFold:
    """The rows of some pairs that share a chain, view and window, or not; see the module. One thread at a time.

    `stored` is what is written already: the `inputs_id` of each row by key. With it a restart writes nothing twice. There is a row
    for every UTC day from the first window's to the last's; with `given_days_only`, for the days of the windows alone.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        pairs: Sequence[Pair],
        stored: Mapping[RowKey, str] | None = None,
        *,
        given_days_only: bool = False,
    ) -> None:
        for pair in pairs:
            catalogue[pair.series].include_list(pair.list_id)
            if not catalogue[pair.series].pairs_with_mining:
                raise ValueError(
                    f"series {pair.series} does not pair with mining: {catalogue[pair.series].pair_reason}"
                )
        self._catalogue = catalogue
        self._pairs = tuple(pairs)
        self._given_days_only = given_days_only
        self._written: dict[RowKey, str] = dict(stored or {})
        self._days: dict[tuple[str, str, int], dict[date, MiningSide]] = {}
        self._latest: dict[tuple[str, str, int], MiningSide] = {}
        self._cache = ScoreCache()

    def apply(
        self,
        releases: ReleaseFold,
        *,
        changed_series: frozenset[str] | set[str] = frozenset(),
        days: Mapping[date, Sequence[MiningSide]] | None = None,
        latest: Sequence[MiningSide] = (),
    ) -> AsymmetryChanges:
        """Take in what changed and return what follows from it.

        `releases` holds the changes of `changed_series` already. `days` gives windows that end with a UTC day, new or
        different from before; `latest` the windows at the tip. Call with a series in `changed_series`, or its days, to heal rows that
        a crash left unwritten.
        """
        touched: dict[tuple[str, str, int], set[date]] = {}
        for day, sides in (days or {}).items():
            for side in sides:
                where = (side.chain, side.view, side.window_blocks)
                self._days.setdefault(where, {})[day] = side
                touched.setdefault(where, set()).add(day)
        for side in latest:
            self._latest[side.chain, side.view, side.window_blocks] = side
        moved = {(side.chain, side.view, side.window_blocks) for side in latest}
        changes = AsymmetryChanges()
        for pair in self._pairs:
            where = (pair.chain, pair.view, pair.window_blocks)
            view = _PairView(self._catalogue, pair, releases, self._days.get(where, {}), self._latest.get(where))
            released = pair.series in changed_series
            wanted = view.all_days() if released else view.days_touched_by(touched.get(where, set()))
            if self._given_days_only:
                wanted = [day for day in wanted if day in self._days.get(where, {})]
            for knowledge in KNOWLEDGE:
                for day in wanted:
                    self._publish((pair.key, knowledge, "day", day), view.day_inputs(knowledge, day), changes)
                # Until the window at the tip was given nothing is known of its row, which may be written already.
                if where in self._latest and (wanted or released or where in moved):
                    self._publish((pair.key, knowledge, "latest", None), view.latest_inputs(knowledge), changes)
        return changes

    def _publish(self, key: RowKey, inputs: AsymmetryInputs | None, changes: AsymmetryChanges) -> None:
        if inputs is None:
            if self._written.pop(key, None) is not None:
                changes.removed.append(key)
        elif self._written.get(key) != inputs.inputs_id:
            changes.rows.append(score(inputs, self._cache))
            if inputs.release_changed or inputs.kind == "latest":
                changes.parts += year_parts(inputs)
            self._written[key] = inputs.inputs_id


class _PairView:
    """One pair's timelines, as of a call."""

    def __init__(
        self,
        catalogue: Catalogue,
        pair: Pair,
        releases: ReleaseFold,
        sides: Mapping[date, MiningSide],
        latest: MiningSide | None,
    ) -> None:
        self._pair, self._releases, self._latest = pair, releases, latest
        self._series = catalogue[pair.series]
        self._days = sorted(sides)
        self._sides = [sides[day] for day in self._days]
        self._turns_ms = sorted(
            moment
            for stored in releases.releases(pair.series)
            for moment in (stored.release.head.published_at_ms, stored.withdrawn_at_ms)
            if moment is not None
        )
        self._timelines: dict[int | None, list[Release]] = {}

    def all_days(self) -> list[date]:
        """Every day from the first window's to the last's."""
        if not self._days:
            return []
        return [self._days[0] + _DAY * step for step in range((self._days[-1] - self._days[0]).days + 1)]

    def days_touched_by(self, changed: set[date]) -> list[date]:
        """The days whose rows may read the windows of the days given: as their own, yesterday's, a year's before or a trend's."""
        if not changed:
            return []
        own: set[date] = set()
        for day in changed:
            after = bisect_right(self._days, day)
            until = self._days[after] if after < len(self._days) else self._days[-1] + _DAY
            own.update(day + _DAY * step for step in range((until - day).days + 1))
        ends = {stored.release.period_end for stored in self._releases.releases(self._pair.series)}
        if own & ends:
            return self.all_days()
        return [day for day in self.all_days() if day in own or year_before(day) in own]

    def day_inputs(self, knowledge: Knowledge, day: date) -> AsymmetryInputs | None:
        """The inputs of a day's row; None where a side is not there."""
        timeline = self._timeline(knowledge, day)
        return self._inputs(knowledge, "day", self._moment(timeline, day), end_of_day_ms(day), timeline)

    def latest_inputs(self, knowledge: Knowledge) -> AsymmetryInputs | None:
        """The inputs of the row at the tip."""
        if self._latest is None:
            return None
        day = self._latest.day
        timeline = self._timeline(knowledge, day)
        release = latest_by(timeline, day)
        now = Moment(day, release, self._latest) if release else None
        return self._inputs(knowledge, "latest", now, self._latest.tip_time_ms, timeline)

    def _inputs(
        self, knowledge: Knowledge, kind: str, now: Moment | None, valid_at_ms: int, timeline: list[Release]
    ) -> AsymmetryInputs | None:
        if now is None:
            return None
        yesterday = self._moment(self._timeline(knowledge, now.day - _DAY), now.day - _DAY)
        a_year_ago = year_before(now.day)
        then = self._moment(timeline, a_year_ago)
        stood = latest_by(self._timeline(knowledge, a_year_ago), a_year_ago)
        first = year_before(a_year_ago)
        trend = (
            self._moment(timeline, release.period_end) for release in timeline if first < release.period_end <= now.day
        )
        return AsymmetryInputs(
            pair=self._pair,
            series=self._series,
            knowledge=knowledge,
            kind="latest" if kind == "latest" else "day",
            valid_at_ms=valid_at_ms,
            now=now,
            then=then,
            stood=stood if then and stood and stood.release_id != then.release.release_id else None,
            trend=tuple(moment for moment in trend if moment is not None),
            release_changed=yesterday is None or yesterday.release.release_id != now.release.release_id,
            mining_changed=yesterday is None or yesterday.mining.identity != now.mining.identity,
        )

    def _moment(self, timeline: list[Release], day: date) -> Moment | None:
        """Both sides by the end of a day: the last ended period, the last window. None where either is not there."""
        release = latest_by(timeline, day)
        before = bisect_right(self._days, day)
        return Moment(day, release, self._sides[before - 1]) if release and before else None

    def _names_an_owner(self, release: Release) -> bool:
        return bool(make_basket(release, self._series, self._pair.list_id).named.sum() > 0)

    def _timeline(self, knowledge: Knowledge, day: date) -> list[Release]:
        """What was known by the end of a day, or is known. It changes only where something was published or withdrawn."""
        known_at_ms = None if knowledge == "latest" else end_of_day_ms(day) - 1
        turn = None if known_at_ms is None else bisect_right(self._turns_ms, known_at_ms)
        if turn not in self._timelines:
            timeline = self._releases.timeline(self._pair.series, known_at_ms=known_at_ms)
            self._timelines[turn] = [release for release in timeline if self._names_an_owner(release)]
        return self._timelines[turn]
