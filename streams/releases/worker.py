"""Releases in, rows out: the one thread that folds every market series of this process.

What arrived is stored before anything that
is derived from it, so a release whose chunks come one by one survives any crash between them. What the fold forgets is deleted again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from counterpoise.clickhouse.rows.release_rows import FIRST_DAY, LAST_DAY
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.releases import RELEASE_KIND, ReleaseEvent
from counterpoise.contracts.topics import DEFAULT_PARTITIONS
from counterpoise.kafka.partition import partition_of
from counterpoise.runtime.dead_letter_limit import DeadLetterLimit
from counterpoise.series.catalogue import Catalogue
from streams.intake.dead_letter import RawMessage
from streams.intake.unpack import Fault, by_name, refused, refused_here, unpack
from streams.releases.fold.growth import Growth, GrowthRow
from streams.releases.fold.release_dispersion import ReleaseRows, release_rows
from streams.releases.fold.release_fold import Current, ReleaseChanges, ReleaseFold, StoredRelease
from streams.releases.loader import (
    WrittenRows,
    catalogue_written,
    current_pointers,
    growth_written,
    stored_contents,
    stored_events,
    stored_series,
    written_releases,
)
from streams.releases.sinks import ReleaseSinks
from streams.worker import SeriesChanged
from streams.worker_store import WorkerStore

RELEASES_A_WRITE = 32
"""Derived and written at once: what a crash makes us derive again."""

HELPERS = 2

_ROLE = "market:"
"""Before a series: under which its writers claim their epochs."""

_Due = tuple[StoredRelease, Future[ReleaseRows]]


@dataclass(slots=True)
class _Series:
    """One series as it stands in the tables."""

    name: str
    fold: ReleaseFold
    versions: Versions
    written: dict[str, WrittenRows]
    current: set[Current]
    growth: set[GrowthRow]
    grown: Growth


class ReleaseWorker:
    """See the module. The store is used in the worker's own thread alone. `partitions` is how many the releases topic has."""

    def __init__(
        self,
        store: WorkerStore,
        *,
        dataset: str,
        catalogue: Catalogue,
        limit: DeadLetterLimit,
        partitions: int = DEFAULT_PARTITIONS,
    ) -> None:
        self._store = store
        self._sinks = ReleaseSinks(store.clickhouse)
        self._status = store.status
        self._dataset = dataset
        self._catalogue = catalogue
        self._limit = limit
        self._partitions = partitions
        # What follows from a release is a pure function of it, and most of that is numpy, which lets other threads run.
        self._helpers = ThreadPoolExecutor(HELPERS, thread_name_prefix="dispersion")
        self._series: dict[str, _Series] = {}
        self._assigned: frozenset[int] = frozenset()

    def assign(self, partitions: frozenset[int]) -> list[SeriesChanged]:
        """Take over partitions: forget every series, load those that are stored and these partitions carry, heal them."""
        self._assigned = partitions
        self._series.clear()
        if not partitions:
            return []
        self._publish_catalogue()
        healed = [
            name
            for name in self._store.read(stored_series)
            if name in self._catalogue and self._partition(name) in partitions and self._load(name)
        ]
        return _changed(healed)

    def handle(self, messages: Sequence[RawMessage]) -> list[SeriesChanged]:
        """Process messages for good; returns the series that changed."""
        good, bad = unpack(messages, ReleaseEvent, kind=RELEASE_KIND, dataset=self._dataset, fault=self._fault)
        changed: list[str] = []
        rejected = letters = 0
        for name, placed in by_name(good, lambda event: event.series).items():
            if name not in self._series:
                self._load(name)
            state = self._series[name]
            changes = state.fold.apply([one.event for one in placed])
            rejected += refused_here(changes.rejected, placed)
            # Before the chunks: once these are stored the same event is a duplicate, and nobody would hear of it again.
            bad_now = refused(changes.rejected, placed)
            letters += len(bad_now)
            self._store.write_dead_letters(bad_now)
            due = self._due(state, changes.stored)
            self._keep(state, changes)
            if self._settle(state, due):
                changed.append(name)
            if changes.duplicates:
                self._status.count("duplicate_chunks", changes.duplicates)
        self._store.write_dead_letters(bad)
        self._limit.record(good=len(good) - rejected, bad=len(bad) + letters)
        self._status.progress(len(good) + len(bad))
        self._status.count("observations", sum(len(one.event.observations) for one in good))
        return _changed(changed)

    def refresh(self) -> list[SeriesChanged]:
        """Where someone claimed an epoch after ours, our rows lose: load such a series again if it is still ours, else forget it."""
        healed = []
        for name in self._store.overtaken(_ROLE, {name: state.versions for name, state in self._series.items()}):
            del self._series[name]
            if self._partition(name) in self._assigned and self._load(name):
                healed.append(name)
        return _changed(healed)

    def close(self) -> None:
        """Close the client; in the worker's thread."""
        self._store.close()
        self._helpers.shutdown(wait=False, cancel_futures=True)

    def _partition(self, series: str) -> int:
        return partition_of(series.encode(), self._partitions)

    def _fault(self, event: ReleaseEvent, message: RawMessage) -> Fault | None:
        if event.series not in self._catalogue:
            return "unknown-series", f"series {event.series!r} is not in the catalogue"
        if self._partition(event.series) != message.partition:
            detail = (
                f"series {event.series!r} belongs to partition {self._partition(event.series)}, not {message.partition}"
            )
            return "wrong-partition", f"{detail}: the message's key is not the series"
        if event.period_start < FIRST_DAY.isoformat() or event.period_end > LAST_DAY.isoformat():
            detail = f"{event.period_start} … {event.period_end} is not within {FIRST_DAY} … {LAST_DAY}"
            return "period-out-of-range", detail
        return None

    def _publish_catalogue(self) -> None:
        """Make our entries of the catalogue the current ones in the tables, where others are."""
        written = self._store.read(catalogue_written)
        moved = [series for series in self._catalogue if written.get(series.series) != series.catalogue_id]
        if moved:
            self._store.write(self._sinks.write_catalogue, moved, self._store.claim(_ROLE + "catalogue").next())

    def _load(self, name: str) -> bool:
        """Load a series under a new epoch and write what is missing of it; whether anything was."""
        read = self._store.read
        versions = self._store.claim(_ROLE + name)
        state = _Series(
            name,
            ReleaseFold(self._catalogue),
            versions,
            written=read(written_releases, name),
            current=read(current_pointers, name),
            growth=read(growth_written, name),
            grown=Growth(self._catalogue[name]),
        )
        self._series[name] = state
        stored = read(stored_events, name, read(stored_contents, name))
        changes = state.fold.apply([event for _, event in stored])
        self._forget(state, changes.forgotten)
        return self._settle(state, self._due(state, state.fold.releases(name)))

    def _keep(self, state: _Series, changes: ReleaseChanges) -> None:
        """Make the chunks in the table those that the fold rests on."""
        if changes.kept:
            self._store.write(self._sinks.write_chunks, changes.kept, state.versions.next())
        self._forget(state, changes.forgotten)

    def _forget(self, state: _Series, release_ids: Collection[str]) -> None:
        if release_ids:
            self._store.write(self._sinks.forget_chunks, state.name, release_ids, state.versions.next())
            self._status.count("forgotten_releases", len(release_ids))

    def _due(self, state: _Series, stored: Iterable[StoredRelease]) -> list[_Due]:
        """The releases that the tables do not have as they are, their rows begun: helpers make them while chunks are written."""
        series = self._catalogue[state.name]
        return [
            (one, self._helpers.submit(release_rows, one.release, series))
            for one in stored
            if state.written.get(one.release.release_id) != self._as_written(one, series.catalogue_id)
        ]

    def _settle(self, state: _Series, due: Sequence[_Due]) -> bool:
        """Write what the tables do not hold yet; whether there was anything."""
        catalogue_id = self._catalogue[state.name].catalogue_id
        for start in range(0, len(due), RELEASES_A_WRITE):
            batch = [one for one, _ in due[start : start + RELEASES_A_WRITE]]
            rows = [begun.result() for _, begun in due[start : start + RELEASES_A_WRITE]]
            self._store.write(self._sinks.write_releases, batch, rows, catalogue_id, state.versions.next())
            for one in batch:
                state.written[one.release.release_id] = self._as_written(one, catalogue_id)
            self._status.count("releases", len(batch))
            self._status.progress(0, last_release=f"{state.name} {batch[-1].release.head.period_end}")
        moved = self._settle_current(state)
        return bool(due) or moved

    def _settle_current(self, state: _Series) -> bool:
        now = {one for one in state.fold.current() if one.series == state.name}
        standing = {(one.kind, one.period_start, one.period_end) for one in now}
        gone = [
            Current(one.series, one.kind, one.period_start, one.period_end, None)
            for one in state.current
            if (one.kind, one.period_start, one.period_end) not in standing
        ]
        moved = sorted(now - state.current, key=lambda one: (one.kind, one.period_end, one.period_start)) + gone
        if moved:
            self._store.write(self._sinks.write_current, moved, state.versions.next())
            state.current = now
        rows = set(state.grown.rows(state.fold.timeline(state.name)))
        keys = {_growth_key(row) for row in rows}
        gone_rows = [row for row in state.growth if _growth_key(row) not in keys]
        new_rows = sorted(rows - state.growth, key=_growth_key)
        if new_rows or gone_rows:
            self._store.write(self._sinks.write_growth, new_rows, gone_rows, state.versions.next())
            state.growth = rows
        return bool(moved or new_rows or gone_rows)

    @staticmethod
    def _as_written(stored: StoredRelease, catalogue_id: str) -> WrittenRows:
        return WrittenRows(catalogue_id, stored.withdrawn_at_ms)


def _changed(series: Sequence[str]) -> list[SeriesChanged]:
    return [SeriesChanged(tuple(series))] if series else []


def _growth_key(row: GrowthRow) -> tuple[str, str, str, str]:
    return row.list_id, row.period_end, row.period_start, row.span
