"""Pairs in, asymmetry rows out: the one thread that joins both sides, as of event time, from what ClickHouse holds of them.

A message only means that a side moved. The worker reads what is there, the pure fold derives the rows, and those that differ from
what is written are written. So messages may come late, twice or not at all, and a worker that takes a pair over heals it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.pairs import PAIR_KIND, PairEvent
from counterpoise.contracts.topics import DEFAULT_PARTITIONS
from counterpoise.kafka.partition import partition_of
from counterpoise.series.catalogue import Catalogue
from counterpoise.windows import USUAL_WINDOW_BLOCKS
from streams.asymmetry.fold.asymmetry_fold import AsymmetryChanges, AsymmetryFold
from streams.asymmetry.fold.mining_days import MiningDays
from streams.asymmetry.fold.mining_side import MiningSide
from streams.asymmetry.fold.pair_messages import pairs_of
from streams.asymmetry.fold.score import Pair, RowKey
from streams.asymmetry.loader import asymmetry_written, block_hashes, block_stretch, scored_tip
from streams.asymmetry.sinks import AsymmetrySinks
from streams.blocks.attribution_store import current_id, read_set
from streams.blocks.loader import stored_chains
from streams.intake.dead_letter import RawMessage
from streams.intake.unpack import Fault, unpack
from streams.releases.fold.release_fold import ReleaseFold
from streams.releases.loader import stored_contents, stored_events
from streams.worker import Output
from streams.worker_store import WorkerStore

DAYS_A_STEP = 60
"""Folded and written at once when a history is built: what a crash makes us fold again, and how often progress shows."""

_DAY = timedelta(days=1)

_ROLE = "pairs:"
"""Before a pair's key: under which its writers claim their epochs."""

_End = tuple[int, str]
"""Height and hash of the last block of a window."""


@dataclass(slots=True)
class _PairChain:
    """The windows of a chain. `dirty_from` is the lowest height that was written anew since the last read; None: none was."""

    days: MiningDays
    ends: dict[date, _End] = field(default_factory=dict)
    tip: _End | None = None
    dirty_from: int | None = 0


@dataclass(slots=True)
class _Releases:
    """The releases of a series. `revision` counts its changes."""

    fold: ReleaseFold
    contents: set[str] = field(default_factory=set)
    revision: int = 0


@dataclass(slots=True)
class _Pair:
    """A pair as it stands: which windows its fold was given, and at which revision of the series."""

    pair: Pair
    fold: AsymmetryFold
    versions: Versions
    orphan_rows: dict[RowKey, str]
    attribution_id: str = ""
    fed: dict[date, _End] = field(default_factory=dict)
    tip: _End | None = None
    revision: int = 0


class AsymmetryWorker:
    """See the module. The store is used in the worker's own thread alone. `partitions` is how many the pairs topic has."""

    def __init__(
        self,
        store: WorkerStore,
        *,
        dataset: str,
        catalogue: Catalogue,
        month_ends_only: bool = False,
        partitions: int = DEFAULT_PARTITIONS,
    ) -> None:
        self._store = store
        self._sinks = AsymmetrySinks(store.clickhouse)
        self._dataset = dataset
        self._catalogue = catalogue
        self._month_ends_only = month_ends_only
        self._partitions = partitions
        self._chains: dict[str, _PairChain] = {}
        self._releases: dict[str, _Releases] = {}
        self._pairs: dict[str, _Pair] = {}
        self._idle: set[str] = set()
        self._assigned: frozenset[int] = frozenset()
        self._unhealed = False

    def assign(self, partitions: frozenset[int]) -> list[Output]:
        """Take over partitions: forget everything. `refresh` heals what they carry; it may take long, and a rebalance must not."""
        self._assigned = partitions
        self._chains.clear()
        self._releases.clear()
        self._pairs.clear()
        self._idle.clear()
        self._unhealed = bool(partitions)
        return []

    def handle(self, messages: Sequence[RawMessage]) -> list[Output]:
        """Bring the pairs of the messages up to date. Raises only on a bug or a stop."""
        good, bad = unpack(messages, PairEvent, kind=PAIR_KIND, dataset=self._dataset, fault=self._fault)
        wanted: dict[str, Pair] = {}
        for one in good:
            pair = _pair_of(one.event)
            wanted[pair.key] = pair
            if one.event.from_height is not None:
                self._mark(pair.chain, one.event.from_height)
        self._bring_up_to_date(wanted.values())
        self._store.write_dead_letters(bad)
        self._store.status.progress(len(messages))
        return []

    def refresh(self) -> list[Output]:
        """Heal what was taken over; load again what another worker took from us in between and is ours again."""
        for key in self._store.overtaken(_ROLE, {key: state.versions for key, state in self._pairs.items()}):
            del self._pairs[key]
            self._unhealed = True
        if self._unhealed:
            self._unhealed = False
            pairs = [pair for chain in self._store.read(stored_chains) for pair in pairs_of(self._catalogue, chain)]
            self._bring_up_to_date(pair for pair in pairs if self._partition(pair) in self._assigned)
        return []

    def close(self) -> None:
        """Close the client; in the worker's thread."""
        self._store.close()

    def _partition(self, pair: Pair) -> int:
        return partition_of(pair.key.encode(), self._partitions)

    def _fault(self, event: PairEvent, message: RawMessage) -> Fault | None:
        pair = _pair_of(event)
        if pair in pairs_of(self._catalogue, event.chain) and self._partition(pair) == message.partition:
            return None
        return "unknown-pair", f"{event.key} is no pair of the catalogue, or its message had another key"

    def _mark(self, chain: str, from_height: int) -> None:
        state = self._chains.get(chain)
        if state is not None:
            state.dirty_from = from_height if state.dirty_from is None else min(state.dirty_from, from_height)

    def _bring_up_to_date(self, pairs: Iterable[Pair]) -> None:
        series_read: set[str] = set()
        chains_read: dict[str, _PairChain | None] = {}
        for pair in pairs:
            if pair.series not in series_read:
                series_read.add(pair.series)
                self._read_releases(pair.series)
            if not self._has_rows_to_write(pair):
                continue
            if pair.chain not in chains_read:
                chains_read[pair.chain] = self._read_chain(pair.chain)
            chain = chains_read[pair.chain]
            if chain is not None:
                self._join(pair, chain)

    def _read_releases(self, series: str) -> None:
        """Take in what arrived of a series since the last read."""
        state = self._releases.setdefault(series, _Releases(ReleaseFold(self._catalogue), revision=1))
        here = self._store.read(stored_contents, series)
        new = here - state.contents
        state.contents &= here  # what was deleted may come again
        if new:
            events = self._store.read(stored_events, series, new)
            changes = state.fold.apply([event for _, event in events])
            state.contents.update(content for content, event in events if event.release_id not in changes.forgotten)
            state.revision += bool(changes.stored)

    def _has_rows_to_write(self, pair: Pair) -> bool:
        """Whether there is a release to join, or a row that must go because there is none any more."""
        if pair.key in self._pairs or self._releases[pair.series].fold.timeline(pair.series):
            self._idle.discard(pair.key)
            return True
        if pair.key not in self._idle and not self._store.read(asymmetry_written, pair):
            self._idle.add(pair.key)
        return pair.key not in self._idle

    def _read_chain(self, chain: str) -> _PairChain | None:
        """Take in the blocks that were written since the last read; None while the chain has no attribution yet, or while a switch to
        another branch is written between our reads: then all of it is read anew at the next refresh.
        """
        attribution_id = self._store.read(current_id, chain)
        if attribution_id is None:
            return None
        state = self._chains.get(chain)
        if state is None or state.days.attribution_set.attribution_id != attribution_id:
            attribution_set = self._store.read(read_set, attribution_id)
            state = self._chains[chain] = _PairChain(MiningDays(chain, attribution_set, USUAL_WINDOW_BLOCKS))
        if state.dirty_from is not None:
            if not self._read_blocks(state, attribution_id, state.dirty_from):
                del self._chains[chain]
                self._unhealed = True
                return None
            state.dirty_from = None
        return state

    def _read_blocks(self, state: _PairChain, attribution_id: str, from_height: int) -> bool:
        """Whether what is held and what was read are one branch, hashes included.

        A row that is made of two would stay, since it would have the `inputs_id` of the right one.
        """
        read, chain = self._store.read, state.days.chain
        state.days.cut(from_height)
        tip = read(scored_tip, chain, attribution_id)
        held = state.days.tip_height
        low = from_height if held is None else held + 1
        if tip is not None and low <= tip:
            stretch = read(block_stretch, chain, attribution_id, low, tip)
            if stretch is not None:
                if held is not None and (stretch.from_height, stretch.parent) != (low, state.days.tag(held)):
                    return False
                state.days.extend(stretch.from_height, stretch.times, stretch.codes, stretch.tags)
        heights = state.days.day_ends()
        if self._month_ends_only:
            heights = {day: height for day, height in heights.items() if (day + _DAY).day == 1}
        tip_height = state.days.tip_height
        known = {height: block_hash for height, block_hash in state.ends.values() if height < from_height}
        wanted = {*heights.values(), *(() if tip_height is None else (tip_height,))} - known.keys()
        found = read(block_hashes, chain, wanted)
        if any(height not in found or found[height][1] != state.days.tag(height) for height in wanted):
            return False
        known |= {height: block_hash for height, (block_hash, _) in found.items()}
        state.ends = {day: (height, known[height]) for day, height in heights.items()}
        full = tip_height is not None and self._is_full(state.days, tip_height)
        state.tip = (tip_height, known[tip_height]) if full and tip_height is not None else None
        return True

    @staticmethod
    def _is_full(days: MiningDays, height: int) -> bool:
        return height - days.base_height + 1 >= days.window_blocks

    def _join(self, pair: Pair, chain: _PairChain) -> None:
        """Fold what moved on either side since this pair was last joined, and write what follows."""
        state = self._pairs.get(pair.key)
        set_id = chain.days.attribution_set.attribution_id
        if state is None or state.attribution_id != set_id or not state.fed.keys() <= chain.ends.keys():
            state = self._pairs[pair.key] = self._load(pair, set_id)
        releases = self._releases[pair.series]
        if releases.revision != state.revision:
            state.revision = releases.revision
            self._write(state, state.fold.apply(releases.fold, changed_series={pair.series}))
        moved = sorted(day for day, end in chain.ends.items() if state.fed.get(day) != end)
        for start in range(0, len(moved), DAYS_A_STEP):
            step = moved[start : start + DAYS_A_STEP]
            sides = {day: self._sides(chain, pair, chain.ends[day]) for day in step}
            self._write(state, state.fold.apply(releases.fold, days=sides))
            state.fed.update((day, chain.ends[day]) for day in step)
        if chain.tip is not None and chain.tip != state.tip:
            self._write(state, state.fold.apply(releases.fold, latest=self._sides(chain, pair, chain.tip)))
            state.tip = chain.tip
        self._delete_orphan_rows(state)

    def _load(self, pair: Pair, attribution_id: str) -> _Pair:
        versions = self._store.claim(_ROLE + pair.key)
        written = self._store.read(asymmetry_written, pair)
        return _Pair(
            pair,
            AsymmetryFold(self._catalogue, [pair], written, given_days_only=self._month_ends_only),
            versions,
            dict(written),
            attribution_id=attribution_id,
        )

    def _sides(self, chain: _PairChain, pair: Pair, end: _End) -> list[MiningSide]:
        side = chain.days.side(pair.view, *end)
        return [] if side is None else [side]

    def _delete_orphan_rows(self, state: _Pair) -> None:
        """Delete rows that an earlier worker left for days that get none any more."""
        first, last = min(state.fed, default=None), max(state.fed, default=None)

        def has_row(day: date | None) -> bool:
            if day is None:
                return state.tip is not None
            if first is None or last is None or self._month_ends_only:
                return day in state.fed
            return first <= day <= last

        orphan_rows = [key for key in state.orphan_rows if not has_row(key[3])]
        state.orphan_rows.clear()
        for start in range(0, len(orphan_rows), DAYS_A_STEP):
            self._write(state, AsymmetryChanges(removed=orphan_rows[start : start + DAYS_A_STEP]))

    def _write(self, state: _Pair, changes: AsymmetryChanges) -> None:
        if changes.rows or changes.removed:
            self._store.write(self._sinks.write_asymmetry, state.pair, changes, state.versions.next())
            self._store.status.count("asymmetry_rows", len(changes.rows))
        self._store.status.progress(0)


def _pair_of(event: PairEvent) -> Pair:
    return Pair(event.series, event.list_id, event.chain, event.view, event.window_blocks)
