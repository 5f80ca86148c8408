"""Releases in, rows out: the one thread that folds every market series of this process.

As `block_worker`, it is synchronous and lives in an executor thread of its own. What arrived is stored before anything is derived
from it, so a release whose chunks come one by one survives any crash between them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.epochs import claim_epoch
from counterpoise.clickhouse.rows.releases import FIRST_DAY, LAST_DAY, event_json
from counterpoise.clickhouse.versions import Versions
from counterpoise.clock import Clock
from counterpoise.contracts.envelope import BadEvent, decode
from counterpoise.contracts.pairs import PairEvent
from counterpoise.contracts.releases import RELEASE_KIND, ReleaseEvent
from counterpoise.contracts.topics import EDGE_AI
from counterpoise.deadletter_limit import DeadLetterLimit
from counterpoise.kafka.partition import partition_of
from counterpoise.series.catalogue import Catalogue
from counterpoise.telemetry.status import ServiceStatus
from streams.dead_letter_box import RawMessage, dead_letter
from streams.dispersion import release_rows
from streams.growth import GrowthRow, growth_rows
from streams.loader import stored_chains
from streams.market_loader import (
    Written,
    catalogue_written,
    claimed_epochs,
    current_pointers,
    growth_written,
    stored_contents,
    stored_events,
    stored_series,
    written_releases,
)
from streams.market_sinks import MarketSinks
from streams.pairs import release_events
from streams.releases import Current, RejectedRelease, ReleaseFold, StoredRelease
from streams.waiting import until_done

T = TypeVar("T")

RELEASES_A_WRITE = 32
"""Derived and written at once: what a crash makes us derive again."""

HELPERS = 2

MAX_VARIANTS = 4
"""As in `releases`: that many different contents of one chunk are kept until the release's hash decides."""

_Placed = list[tuple[ReleaseEvent, RawMessage, int]]


@lru_cache(maxsize=1024)
def _partition(series: str) -> int:
    return partition_of(series.encode(), EDGE_AI.partitions)


def _role(series: str) -> str:
    return f"market:{series}"


@dataclass(slots=True)
class _Series:
    """One series as it stands in the tables. `contents` are the ids of stored chunks, `variants` how many there are of each place."""

    name: str
    fold: ReleaseFold
    versions: Versions
    contents: set[str]
    written: dict[str, Written]
    current: set[Current]
    growth: set[GrowthRow]
    variants: dict[tuple[str, int, bool], int] = field(default_factory=dict)


class MarketWorker:
    """See the module. `connect` opens a ClickHouse client; it is called in the worker's own thread."""

    def __init__(
        self,
        connect: Callable[[], ClickHouse],
        *,
        dataset: str,
        catalogue: Catalogue,
        status: ServiceStatus,
        clock: Clock,
        limit: DeadLetterLimit,
        stopping: Callable[[], bool],
    ) -> None:
        self._connect = connect
        self._dataset = dataset
        self._catalogue = catalogue
        self._status = status
        self._clock = clock
        self._limit = limit
        self._stopping = stopping
        self._sinks: MarketSinks | None = None
        # What follows from a release is a pure function of it, and most of that is numpy, which lets other threads run.
        self._helpers = ThreadPoolExecutor(HELPERS, thread_name_prefix="dispersion")
        self._series: dict[str, _Series] = {}
        self._assigned: frozenset[int] = frozenset()

    def assign(self, partitions: frozenset[int]) -> list[PairEvent]:
        """Take over partitions: forget every series, load those that are stored and these partitions carry, heal them."""
        self._assigned = partitions
        self._series.clear()
        if not partitions:
            return []
        self._publish_catalogue()
        healed = [
            name
            for name in self._wait(lambda: stored_series(self._client().clickhouse))
            if name in self._catalogue and _partition(name) in partitions and self._load(name)
        ]
        return self._pair_events(healed)

    def handle(self, messages: Sequence[RawMessage]) -> list[PairEvent]:
        """Process messages for good; returns what to tell the pairs. Raises only on a bug, on a stop, or at the dead-letter limit."""
        by_series: dict[str, _Placed] = {}
        bad: list[tuple[RawMessage, BadEvent]] = []
        good = observations = 0
        for message in messages:
            decoded = decode(message.value, ReleaseEvent, kind=RELEASE_KIND, dataset=self._dataset)
            bad += [(message, event) for event in decoded.bad]
            for event, index in zip(decoded.events, decoded.indexes, strict=True):
                fault = self._fault(event, message)
                if fault is None:
                    good += 1
                    observations += len(event.observations)
                    by_series.setdefault(event.series, []).append((event, message, index))
                else:
                    bad.append((message, BadEvent(index, *fault, event_json(event))))
        changed: list[str] = []
        rejected = 0
        for name, placed in by_series.items():
            if name not in self._series:
                self._load(name)
            state = self._series[name]
            changes = state.fold.apply([event for event, _, _ in placed])
            refused = self._places(changes.rejected, placed)
            rejected += len(refused)
            # Before the chunks: once these are stored the same event is a duplicate, and nobody would hear of it again.
            self._bury(refused)
            self._store_chunks(state, placed, {id(one.event) for one in changes.rejected})
            if self._settle(state, changes.stored):
                changed.append(name)
            if changes.duplicates:
                self._status.count("duplicate_chunks", changes.duplicates)
        self._bury(bad)
        self._limit.record(good=good - rejected, bad=len(bad) + rejected)
        self._status.progress(good + len(bad))
        self._status.count("observations", observations)
        return self._pair_events(changed)

    def refresh(self) -> list[PairEvent]:
        """Where someone claimed an epoch after ours, our rows lose: load such a series again if it is still ours, else forget it."""
        if not self._series:
            return []
        healed = []
        epochs = self._wait(lambda: claimed_epochs(self._client().clickhouse, _role("")))
        for name, state in tuple(self._series.items()):
            if epochs.get(_role(name), 0) > state.versions.epoch:
                del self._series[name]
                if _partition(name) in self._assigned and self._load(name):
                    healed.append(name)
        return self._pair_events(healed)

    def close(self) -> None:
        """Close the client; in the worker's thread."""
        if self._sinks is not None:
            self._sinks.clickhouse.close()
            self._sinks = None
        self._helpers.shutdown(wait=False)

    def _client(self) -> MarketSinks:
        if self._sinks is None:
            self._sinks = MarketSinks(self._connect())
        return self._sinks

    def _wait(self, action: Callable[[], T]) -> T:
        return until_done(action, on="clickhouse", status=self._status, clock=self._clock, stopping=self._stopping)

    def _fault(self, event: ReleaseEvent, message: RawMessage) -> tuple[str, str] | None:
        if event.series not in self._catalogue:
            return "unknown-series", f"series {event.series!r} is not in the catalogue"
        if _partition(event.series) != message.partition:
            detail = f"series {event.series!r} belongs to partition {_partition(event.series)}, not {message.partition}"
            return "wrong-partition", f"{detail}: the message's key is not the series"
        if event.period_start < FIRST_DAY.isoformat() or event.period_end > LAST_DAY.isoformat():
            return (
                "period-out-of-range",
                f"{event.period_start} … {event.period_end} is not within {FIRST_DAY} … {LAST_DAY}",
            )
        return None

    def _publish_catalogue(self) -> None:
        """Make the tables say which reading is ours, where they say another."""
        clickhouse = self._client().clickhouse
        written = self._wait(lambda: catalogue_written(clickhouse))
        moved = [series for series in self._catalogue if written.get(series.series) != series.catalogue_id]
        if moved:
            version = Versions(self._wait(lambda: claim_epoch(clickhouse, _role("catalogue")))).next()
            self._wait(lambda: self._client().write_catalogue(moved, version))

    def _load(self, name: str) -> bool:
        """Load a series under a new epoch and write what is missing of it; whether anything was."""
        clickhouse = self._client().clickhouse
        versions = Versions(self._wait(lambda: claim_epoch(clickhouse, _role(name))))
        contents = self._wait(lambda: stored_contents(clickhouse, name))
        state = _Series(
            name,
            ReleaseFold(self._catalogue),
            versions,
            contents,
            written=self._wait(lambda: written_releases(clickhouse, name)),
            current=self._wait(lambda: current_pointers(clickhouse, name)),
            growth=self._wait(lambda: growth_written(clickhouse, name)),
        )
        events = self._wait(lambda: stored_events(clickhouse, name, contents))
        for _, event in events:
            _count(state, event)
        state.fold.apply([event for _, event in events])
        self._series[name] = state
        return self._settle(state, list(state.fold.releases(name)))

    def _store_chunks(self, state: _Series, placed: _Placed, rejected: set[int]) -> None:
        """Keep what may still become part of a release, or takes one back, once."""
        new: list[ReleaseEvent] = []
        for event, _, _ in placed:
            content = hashlib.sha256(event_json(event)).hexdigest()
            if content in state.contents or (id(event) in rejected and not self._may_belong(state, event)):
                continue
            if _count(state, event) > MAX_VARIANTS:
                continue
            state.contents.add(content)
            new.append(event)
        if new:
            version = state.versions.next()
            self._wait(lambda: self._client().write_chunks(new, version))

    def _may_belong(self, state: _Series, event: ReleaseEvent) -> bool:
        """A chunk of a release that does not hash to its name yet: another variant of one of its chunks may still come."""
        return any(one.release_id == event.release_id for one in state.fold.incomplete())

    def _settle(self, state: _Series, stored: Sequence[StoredRelease]) -> bool:
        """Write what the tables do not say yet; whether there was anything."""
        series = self._catalogue[state.name]
        due = [
            one
            for one in stored
            if state.written.get(one.release.release_id) != self._as_written(one, series.catalogue_id)
        ]
        for start in range(0, len(due), RELEASES_A_WRITE):
            batch = due[start : start + RELEASES_A_WRITE]
            rows = list(self._helpers.map(lambda one: release_rows(one.release, series), batch))
            version = state.versions.next()
            self._wait(lambda: self._client().write_releases(batch, rows, series.catalogue_id, version))  # noqa: B023 - run at once
            for one in batch:
                state.written[one.release.release_id] = self._as_written(one, series.catalogue_id)
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
            version = state.versions.next()
            self._wait(lambda: self._client().write_current(moved, version))
            state.current = now
        rows = set(growth_rows(state.fold.timeline(state.name), self._catalogue[state.name]))
        keys = {_growth_key(row) for row in rows}
        gone_rows = [row for row in state.growth if _growth_key(row) not in keys]
        new_rows = sorted(rows - state.growth, key=_growth_key)
        if new_rows or gone_rows:
            version = state.versions.next()
            self._wait(lambda: self._client().write_growth(new_rows, gone_rows, version))
            state.growth = rows
        return bool(moved or new_rows or gone_rows)

    @staticmethod
    def _as_written(stored: StoredRelease, catalogue_id: str) -> Written:
        return Written(catalogue_id, stored.withdrawn_at_ms)

    def _places(self, rejected: Iterable[RejectedRelease], placed: _Placed) -> list[tuple[RawMessage, BadEvent]]:
        places = {id(event): (message, index) for event, message, index in placed}
        return [
            (
                places[id(one.event)][0],
                BadEvent(places[id(one.event)][1], one.reason, one.detail, event_json(one.event)),
            )
            for one in rejected
        ]

    def _bury(self, bad: Sequence[tuple[RawMessage, BadEvent]]) -> None:
        if bad:
            now_ms = int(self._clock.now() * 1000)
            letters = [dead_letter(event, message, now_ms) for message, event in bad]
            self._wait(lambda: self._client().write_dead_letters(letters))
            self._status.count("dead_letters", len(letters))

    def _pair_events(self, series: Sequence[str]) -> list[PairEvent]:
        """That these series changed, to every pair of each chain that is here."""
        if not any(self._catalogue[name].pairs_with_mining for name in series):
            return []
        chains = self._wait(lambda: stored_chains(self._client().clickhouse))
        return release_events(self._catalogue, chains, series)


def _growth_key(row: GrowthRow) -> tuple[str, str, str, str]:
    return row.list_id, row.period_end, row.period_start, row.span


def _count(state: _Series, event: ReleaseEvent) -> int:
    """How many contents of the event's place there are, this one among them; withdrawals have no limit: the earliest counts."""
    if event.withdrawn:
        return 0
    place = (event.release_id, event.chunk, event.withdrawn)
    state.variants[place] = state.variants.get(place, 0) + 1
    return state.variants[place]
