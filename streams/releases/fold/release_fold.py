"""The fold of release events: chunks become complete releases, and each period has a current one. Pure.

The state is a function of the *set* of events: any order, any repetition and any split into chunks or calls ends in the same
state. What makes it so: a release is named by its content, releases of a period are ordered by (publication, id), a withdrawal is
for good and the earliest one counts.

Of releases that are not whole, a series keeps those that were published last, within a bound, so that beginnings without an end
cannot fill the memory. Up to MAX_INCOMPLETE_RELEASES, and MAX_INCOMPLETE_OBSERVATIONS in them, the above holds without exception;
beyond it, for those of them that were published last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import islice, product

from counterpoise.contracts.releases import Kind, Observation, ReleaseEvent
from counterpoise.series.catalogue import Catalogue
from counterpoise.series.release import Head, Release, make_release

_MAX_VARIANTS = 4
_MAX_COMBINATIONS = 256
"""A chunk whose content differs from an earlier one of the same place is kept beside it until the release's own hash decides."""

MAX_INCOMPLETE_RELEASES = 64
"""Of a series, releases that are begun and not whole. One publisher sends chunks in a row and has one at a time."""

MAX_INCOMPLETE_OBSERVATIONS = 250_000
"""In the incomplete releases of a series; an event counts as one at least. About 75 MB. A larger release must come in fewer calls."""


@dataclass(frozen=True, slots=True)
class StoredRelease:
    """A complete release and whether it was taken back."""

    release: Release
    withdrawn_at_ms: int | None = None

    @property
    def is_scorable(self) -> bool:
        """Whether it counts, known what is known now."""
        return self.withdrawn_at_ms is None and self.release.is_scorable

    def known(self, known_at_ms: int | None) -> bool:
        """Whether it was published, and not yet withdrawn, at a moment; at any time for None, but not withdrawn since."""
        if known_at_ms is None:
            return self.withdrawn_at_ms is None
        published = self.release.head.published_at_ms <= known_at_ms
        return published and (self.withdrawn_at_ms is None or self.withdrawn_at_ms > known_at_ms)


@dataclass(frozen=True, slots=True)
class Current:
    """Which release stands for a period now; None where every one of it was withdrawn."""

    series: str
    kind: Kind
    period_start: str
    period_end: str
    release_id: str | None


@dataclass(frozen=True, slots=True)
class RejectedRelease:
    """An event that can never become part of a release, or that was forgotten before it did."""

    event: ReleaseEvent
    reason: str
    detail: str
    cause: ReleaseEvent | None = None


@dataclass(frozen=True, slots=True)
class IncompleteRelease:
    """A release of which chunks are still missing."""

    series: str
    release_id: str
    chunks_here: int
    chunks: int


@dataclass(slots=True)
class ReleaseChanges:
    """All that a batch of events changed. `stored` and `current` hold what is new or different, ready to be written.

    `kept` are the events that the state rests on from now on: apply them, and those of before, and it is here again; but for those of
    the releases in `forgotten`, which are no longer part of it.
    """

    kept: list[ReleaseEvent] = field(default_factory=list)
    forgotten: set[str] = field(default_factory=set)
    stored: list[StoredRelease] = field(default_factory=list)
    current: list[Current] = field(default_factory=list)
    rejected: list[RejectedRelease] = field(default_factory=list)
    duplicates: int = 0

    @property
    def series(self) -> set[str]:
        """The series in which anything changed."""
        return {stored.release.head.series for stored in self.stored}


_Name = tuple[str, str]
_Period = tuple[str, Kind, str, str]
_Chunks = dict[int, list[tuple[Observation, ...]]]


@dataclass(slots=True)
class _Incomplete:
    """What is here of a release that is not whole: chunks by head and number of chunks, or only its withdrawal."""

    events: list[ReleaseEvent] = field(default_factory=list)
    chunks: dict[tuple[Head, int], _Chunks] = field(default_factory=dict)

    @property
    def published_at_ms(self) -> int:
        return max(event.published_at_ms for event in self.events)

    @property
    def observations(self) -> int:
        return sum(max(1, len(event.observations)) for event in self.events)


class ReleaseFold:
    """The state; see the module. Rebuild it by applying every kept event again, in one call. One thread at a time."""

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        max_incomplete_releases: int = MAX_INCOMPLETE_RELEASES,
        max_incomplete_observations: int = MAX_INCOMPLETE_OBSERVATIONS,
    ) -> None:
        self._catalogue = catalogue
        self._max_incomplete_releases = max_incomplete_releases
        self._max_incomplete_observations = max_incomplete_observations
        self._releases: dict[str, dict[str, StoredRelease]] = {}
        self._withdrawn_at_ms: dict[_Name, int] = {}
        self._incomplete: dict[str, dict[str, _Incomplete]] = {}
        self._by_period: dict[_Period, set[str]] = {}
        self._current: dict[_Period, str] = {}

    def apply(self, events: Iterable[ReleaseEvent]) -> ReleaseChanges:
        """Take events in; see `ReleaseChanges`. The bound on what is incomplete holds between calls."""
        changes = ReleaseChanges()
        touched: dict[_Name, None] = {}
        for event in events:
            name = (event.series, event.release_id)
            fault = self._fault(event)
            refused = len(changes.rejected)
            if fault is not None:
                changes.rejected.append(RejectedRelease(event, *fault))
            elif self._withdraw(event, name) if event.withdrawn else self._assemble(event, name, changes):
                changes.kept.append(event)
                touched[name] = None
            elif len(changes.rejected) == refused:
                changes.duplicates += 1
        for series in {series for series, _ in touched}:
            self._forget(series, changes)
        for series, release_id in touched:
            stored = self._releases.get(series, {}).get(release_id)
            if stored is not None:
                changes.stored.append(stored)
        changes.current = self._point({_period_of(stored.release) for stored in changes.stored})
        return changes

    def releases(self, series: str) -> Iterator[StoredRelease]:
        """Every complete release of a series, by period, publication and id."""
        stored = self._releases.get(series, {}).values()
        return iter(
            sorted(stored, key=lambda one: (one.release.head.period_end, one.release.period, one.release.order))
        )

    def timeline(self, series: str, *, kind: Kind = "measured", known_at_ms: int | None = None) -> list[Release]:
        """The release that stands for each period, by the period's end; known what was known at a moment, or all for None.

        Of full coverage only. Periods that end on one day are ordered by their start.
        """
        best: dict[tuple[str, str], Release] = {}
        for stored in self._releases.get(series, {}).values():
            release = stored.release
            if release.head.kind != kind or release.head.coverage != "full" or not stored.known(known_at_ms):
                continue
            other = best.get(release.period)
            if other is None or other.order < release.order:
                best[release.period] = release
        return sorted(best.values(), key=lambda one: (one.head.period_end, one.head.period_start))

    def as_of(self, series: str, day: date, *, known_at_ms: int | None = None) -> Release | None:
        """The measured release of the latest period that had ended by `day`; None where there is none."""
        return latest_by(self.timeline(series, known_at_ms=known_at_ms), day)

    def get(self, series: str, release_id: str) -> StoredRelease | None:
        """One complete release."""
        return self._releases.get(series, {}).get(release_id)

    def current(self) -> list[Current]:
        """The current release of every period."""
        return [Current(*period, release_id) for period, release_id in sorted(self._current.items())]

    def incomplete(self) -> list[IncompleteRelease]:
        """Releases that wait for chunks, by name."""
        return [
            IncompleteRelease(series, release_id, len(chunks), of)
            for series, waiting in sorted(self._incomplete.items())
            for release_id, parts in sorted(waiting.items())
            for (_, of), chunks in parts.chunks.items()
        ]

    def _fault(self, event: ReleaseEvent) -> tuple[str, str] | None:
        if event.series not in self._catalogue:
            return "unknown-series", f"series {event.series!r} is not in the catalogue"
        entry = self._catalogue[event.series]
        mismatch = entry.mismatch(kind=event.kind, layer=event.layer, unit=event.unit)
        return ("series-mismatch", mismatch) if mismatch else None

    def _withdraw(self, event: ReleaseEvent, name: _Name) -> bool:
        when = event.withdrawn_at_ms
        earlier = self._withdrawn_at_ms.get(name)
        if when is None or (earlier is not None and earlier <= when):
            return False
        self._withdrawn_at_ms[name] = when
        stored = self.get(*name)
        if stored is None:
            self._waiting(name).events.append(event)
        else:
            self._releases[name[0]][name[1]] = StoredRelease(stored.release, when)
        return True

    def _assemble(self, event: ReleaseEvent, name: _Name, changes: ReleaseChanges) -> bool:
        """Keep a chunk; False where it was here already, or can be of no use."""
        if self.get(*name) is not None:
            return False
        head = Head.of(event)
        if event.chunks == 1:  # all of its release, or of none
            release = _matching(head, {0: [event.observations]}, name[1])
            if release is None:
                changes.rejected.append(_mismatch(event))
                return False
            self._complete(release, name)
            return True
        parts = self._waiting(name)
        chunks = parts.chunks.setdefault((head, event.chunks), {})
        variants = chunks.setdefault(event.chunk, [])
        if event.observations in variants or len(variants) >= _MAX_VARIANTS:
            return False
        variants.append(event.observations)
        parts.events.append(event)
        if len(chunks) == event.chunks:
            release = _matching(head, chunks, name[1])
            if release is None:
                changes.rejected.append(_mismatch(event))
            else:
                self._complete(release, name)
        return True

    def _waiting(self, name: _Name) -> _Incomplete:
        return self._incomplete.setdefault(name[0], {}).setdefault(name[1], _Incomplete())

    def _complete(self, release: Release, name: _Name) -> None:
        stored = StoredRelease(release, self._withdrawn_at_ms.get(name))
        self._releases.setdefault(name[0], {})[name[1]] = stored
        self._by_period.setdefault(_period_of(release), set()).add(name[1])
        self._incomplete.get(name[0], {}).pop(name[1], None)

    def _forget(self, series: str, changes: ReleaseChanges) -> None:
        """Let go of the incomplete releases that were published first, down to the bound."""
        waiting = self._incomplete.get(series, {})
        observations = sum(parts.observations for parts in waiting.values())
        if len(waiting) <= self._max_incomplete_releases and observations <= self._max_incomplete_observations:
            return
        for release_id in sorted(waiting, key=lambda one: (waiting[one].published_at_ms, one)):
            if len(waiting) <= self._max_incomplete_releases and observations <= self._max_incomplete_observations:
                break
            parts = waiting.pop(release_id)
            observations -= parts.observations
            self._withdrawn_at_ms.pop((series, release_id), None)
            changes.forgotten.add(release_id)
            detail = (
                f"release {release_id} is not complete, and {len(waiting)} that were published later wait for chunks as well. "
                f"At most {self._max_incomplete_releases} releases and {self._max_incomplete_observations} observations "
                "of a series may wait. It is dropped: send all of it again"
            )
            changes.rejected += [RejectedRelease(event, "too-many-incomplete", detail) for event in parts.events]
        changes.kept = [one for one in changes.kept if one.series != series or one.release_id not in changes.forgotten]

    def _point(self, periods: set[_Period]) -> list[Current]:
        """Find the current release of each of the periods; return those that changed."""
        moved: list[Current] = []
        for period in sorted(periods):
            series, kind = period[0], period[1]
            known = [self._releases[series][release_id] for release_id in self._by_period[period]]
            rivals = [
                stored.release
                for stored in known
                if stored.withdrawn_at_ms is None and stored.release.head.coverage == "full"
            ]
            best = max(rivals, key=lambda release: release.order).release_id if rivals else None
            if best != self._current.get(period):
                if best is None:
                    del self._current[period]
                else:
                    self._current[period] = best
                moved.append(Current(series, kind, period[2], period[3], best))
        return moved


def _mismatch(event: ReleaseEvent) -> RejectedRelease:
    detail = f"the {event.chunks} chunks that have arrived do not hash to {event.release_id}"
    return RejectedRelease(event, "release-id-mismatch", detail)


def latest_by(timeline: list[Release], day: date) -> Release | None:
    """The last release of a timeline whose period had ended by `day`."""
    ended = [release for release in timeline if release.period_end <= day]
    return ended[-1] if ended else None


def _period_of(release: Release) -> _Period:
    return release.head.series, release.head.kind, release.head.period_start, release.head.period_end


def _matching(head: Head, chunks: _Chunks, release_id: str) -> Release | None:
    """The release whose content has this id, of all ways to take one variant of each chunk."""
    for choice in islice(product(*(chunks[index] for index in sorted(chunks))), _MAX_COMBINATIONS):
        try:
            release = make_release(head, (observation for chunk in choice for observation in chunk))
        except ValueError:  # one key twice: no release has such content
            continue
        if release.release_id == release_id:
            return release
    return None
