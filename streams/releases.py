"""The fold of release events: chunks become complete releases, and each period has a current one. Pure.

The state is a function of the *set* of events: any order, any repetition and any split into chunks or calls ends in the same
state. What makes it so: a release is named by its content, releases of a period are ordered by (publication, id), a withdrawal is
for good and the earliest one counts.
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
    """An event that can never become part of a release."""

    event: ReleaseEvent
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class IncompleteRelease:
    """A release of which chunks are still missing."""

    series: str
    release_id: str
    chunks_here: int
    chunks: int


@dataclass(slots=True)
class ReleaseChanges:
    """All that a batch of events changed. `stored` and `current` hold what is new or different, ready to be written."""

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


class ReleaseFold:
    """The state; see the module. Rebuild it by applying every stored event again. One thread at a time."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._releases: dict[str, dict[str, StoredRelease]] = {}
        self._withdrawn_at_ms: dict[_Name, int] = {}
        self._assembling: dict[_Name, dict[tuple[Head, int], _Chunks]] = {}
        self._by_period: dict[_Period, set[str]] = {}
        self._current: dict[_Period, str] = {}

    def apply(self, events: Iterable[ReleaseEvent]) -> ReleaseChanges:
        """Take events in; see `ReleaseChanges`."""
        changes = ReleaseChanges()
        touched: dict[_Name, None] = {}
        for event in events:
            name = (event.series, event.release_id)
            fault = self._fault(event)
            if fault is not None:
                changes.rejected.append(RejectedRelease(event, *fault))
            elif self._withdraw(event, name) if event.withdrawn else self._assemble(event, name, changes):
                touched[name] = None
            else:
                changes.duplicates += 1
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
            for (series, release_id), assemblies in sorted(self._assembling.items())
            for (_, of), chunks in assemblies.items()
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
        stored = self._releases.get(name[0], {}).get(name[1])
        if stored is not None:
            self._releases[name[0]][name[1]] = StoredRelease(stored.release, when)
        return True

    def _assemble(self, event: ReleaseEvent, name: _Name, changes: ReleaseChanges) -> bool:
        """Keep a chunk; False where it was here already."""
        if name[1] in self._releases.get(name[0], {}):
            return False
        assemblies = self._assembling.setdefault(name, {})
        chunks = assemblies.setdefault((Head.of(event), event.chunks), {})
        variants = chunks.setdefault(event.chunk, [])
        if event.observations in variants or len(variants) >= _MAX_VARIANTS:
            return False
        variants.append(event.observations)
        if len(chunks) == event.chunks:
            release = _matching(Head.of(event), chunks, name[1])
            if release is None:
                detail = f"the {event.chunks} chunks that are here do not hash to {name[1]}"
                changes.rejected.append(RejectedRelease(event, "release-id-mismatch", detail))
            else:
                stored = StoredRelease(release, self._withdrawn_at_ms.get(name))
                self._releases.setdefault(name[0], {})[name[1]] = stored
                self._by_period.setdefault(_period_of(release), set()).add(name[1])
                del self._assembling[name]
        return True

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
