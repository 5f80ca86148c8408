"""The fold of one chain: block events in, rows and scores out. Pure; the state is a function of the blocks and of nothing else.

A batch of events goes through the block tree; what the batch changed in the end is returned once: each new block with its
attribution, each block whose status moved, and the concentration of every height from the fork on. How events are cut into batches,
and where a restart lies between, changes no row, no dead letter and no request: nothing is decided at the end of a batch, and a
restored fold equals the one that was stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from counterpoise.chain.tree import MAX_PARKED, Added, BlockTree, Gap, Key, Link, Seen, Switch
from counterpoise.chain.work import work_from_bits
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.detectors.tracks import LEADERS_WINDOW_BLOCKS, TrackState
from counterpoise.pools.attribution import Attribution
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.windows import DAILY_BUCKET_BLOCKS, HISTORY_BLOCKS, MAX_REORG_BLOCKS
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.concentration import ConcentrationTable, TableCache, score_blocks
from streams.blocks.fold.detectors import BlocksSeen, DetectorHistory, DetectorTable
from streams.blocks.fold.drift_history import DriftHistory, DriftRow, EntityEpochs
from streams.blocks.fold.forecasts import ForecastRow, forecast_rows
from streams.blocks.fold.summary import Summary, bucket_start, summarise
from streams.blocks.fold.time_windows import BlockSlice, TimeWindows, TimeWindowTable

FOLD_HISTORY_BLOCKS = HISTORY_BLOCKS + DAILY_BUCKET_BLOCKS
"""Blocks below the lowest that may be scored: what the longest window needs from the start of that one's bucket on."""

_TRIM_BLOCKS = 512
"""Heights are let go of in portions; it shows nowhere."""

BlockStatus = Literal["parked", "stale", "canonical"]


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block with what the fold decided about it."""

    event: BlockEvent
    status: BlockStatus
    attribution: Attribution


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that is no part of the chain. `cause` settled it: the event itself, or the parent that it waited for.

    One whose height does not follow has a row too: by it the same event is known when it comes again. One that finds no room is good
    input (`is_bad` is false): it is taken when it comes again.
    """

    event: BlockEvent
    reason: str
    detail: str
    cause: BlockEvent
    is_bad: bool = True


@dataclass(frozen=True, slots=True)
class Scored:
    """The concentration of heights `from_height` … `height`, and the heights above that a lighter branch had reached, even if only
    within the batch.

    `table` rows index into `tip_hashes` and `times` (one entry a height).
    """

    from_height: int
    height: int
    tip_hashes: tuple[bytes, ...]
    times: NDArray[np.int64]
    table: ConcentrationTable
    summary: Summary
    detectors: DetectorTable
    drift: Sequence[DriftRow]
    forecasts: Sequence[ForecastRow]
    time_windows: TimeWindowTable
    parent_hash: bytes
    undone_heights: tuple[int, ...] = ()


@dataclass(slots=True)
class FoldResult:
    """All that one batch changed. `blocks` are to be written whole; `scored` is None where the chain did not move.

    `too_old` came when nothing at their height could change any more. They may be stored already with a standing that is true; only
    those that are not stored are to be written.
    """

    blocks: list[StoredBlock] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    scored: Scored | None = None
    duplicates: int = 0
    too_old: list[StoredBlock] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PlacedBatch:
    """A batch whose blocks have their place, and whose heights above `fork` are still to be scored; None where no height moved."""

    result: FoldResult
    fork: int | None = None
    highest: int = 0


@dataclass(frozen=True, slots=True)
class StoredChain:
    """What ClickHouse holds of a chain, for a fold to go on from.

    `codes`, `times` and `bits` run over consecutive canonical heights from `base_height` to the tip. `recent` are the newest of these
    blocks, MAX_REORG_BLOCKS + 1 or all, oldest first. `first_height` is the lowest of the chain's canonical heights. The highest tip
    there ever was and the blocks off the best chain come after (`raise_peak`, `rejoin`).
    `older`: the blocks right below `base_height` that the windows of time still reach; `hours`: the heights above the lowest recent
    block at which such windows are stored.
    `detectors`: the states at ends of buckets, by height; `drift`: the newest rows. Both begin anew where they are missing.
    """

    first_height: int

    base_height: int
    codes: Sequence[int]
    times: Sequence[int]
    bits: Sequence[int]
    recent: Sequence[BlockEvent]
    older: BlockSlice = field(default_factory=BlockSlice)
    hours: Sequence[int] = ()
    detectors: Mapping[int, TrackState] = field(default_factory=dict)
    drift: Sequence[DriftRow] = ()


class ChainFold:
    """The state of one chain; see the module. One thread at a time."""

    def __init__(
        self,
        attributor: Attributor,
        stored: StoredChain | None = None,
        *,
        cache: TableCache | None = None,
        max_reorg_blocks: int = MAX_REORG_BLOCKS,
        max_parked: int = MAX_PARKED,
    ) -> None:
        self.attributor = attributor
        self._cache = cache or TableCache()
        self._known: dict[Key, StoredBlock] = {}
        self._tree = BlockTree(max_reorg_blocks=max_reorg_blocks, max_parked=max_parked)
        self._first_height = 0
        self._first_parent = b""
        # One entry for each canonical height from `_base_height` on.
        self._base_height = 0
        self._codes: list[int] = []
        self._times: list[int] = []
        self._hashes: list[bytes] = []
        self._detectors = DetectorHistory()
        self._drift = DriftHistory()
        self.time_windows = TimeWindows()
        if stored is not None and stored.recent:
            self._restore(stored, max_reorg_blocks, max_parked)

    @property
    def attribution_set(self) -> AttributionSet:
        """The registry and entity map that the fold works with."""
        return self.attributor.attribution_set

    @property
    def tip(self) -> BlockEvent | None:
        """The best block's event, or None before the first."""
        tip = self._tree.tip
        return None if tip is None else self._known[tip.key].event

    @property
    def root_height(self) -> int:
        """The highest height that is final."""
        return self._tree.root_height

    def apply(self, events: Iterable[BlockEvent]) -> FoldResult:
        """Fold events in their order; equal events fold to nothing but a count."""
        return self.finish(self.place(events))

    def place(self, events: Iterable[BlockEvent]) -> PlacedBatch:
        """The first half of `apply`: the result without scores. Nothing else is called before `finish`."""
        events = list(events)
        extended = self._extend(events)
        return self._fold((event, self._tree.add) for event in events) if extended is None else extended

    def finish(self, placed: PlacedBatch) -> FoldResult:
        """The second half, which takes nearly all of the time: the same result with its scores."""
        if placed.fork is not None:
            placed.result.scored = self._score(placed.fork, placed.highest)
        self._trim()
        return placed.result

    def raise_peak(self, height: int) -> FoldResult:
        """Note the height of the highest tip there ever was: what was final then stays final."""
        result, touched = FoldResult(), dict[Key, None]()
        self._settle(self._tree.raise_peak(height), touched, result)
        result.blocks += [self._known[key] for key in touched]
        return result

    def rejoin(self, stale: Iterable[BlockEvent], parked: Iterable[BlockEvent]) -> FoldResult:
        """Take back stored blocks above the root that are off the best chain: those that lost, and those that wait for a parent.

        It undoes what two writers at once may have left: a branch that outweighs the stored chain wins now.
        """
        lost = sorted(stale, key=lambda event: event.height)
        steps = [(event, self._tree.restore_lost) for event in lost] + [(event, self._tree.add) for event in parked]
        return self.finish(self._fold(steps))

    def gaps(self) -> tuple[Gap, ...]:
        """What must come before parked blocks can be placed, lowest first."""
        return self._tree.gaps()

    def _extend(self, events: Sequence[BlockEvent]) -> PlacedBatch | None:
        """What `_fold` returns where the events follow on the tip, one on another, as nearly all do; None where they do not."""
        tip = self._tree.tip
        if tip is None or not events or events[0].height != tip.height + 1:
            return None
        try:
            links = [_link(event) for event in events]
        except ValueError:  # a letter for one, and the others are folded
            return None
        forgotten = self._tree.extend(links)
        if forgotten is None:
            return None
        blocks = [StoredBlock(event, "canonical", self.attributor.attribute(event)) for event in events]
        self._known.update((link.key, block) for link, block in zip(links, blocks, strict=True))
        for link in forgotten:
            del self._known[link.key]
        self._connect(tip.height, links, blocks)
        return PlacedBatch(FoldResult(blocks=blocks), tip.height, links[-1].height)

    def _fold(self, steps: Iterable[tuple[BlockEvent, Callable[[Link], Added]]]) -> PlacedBatch:
        result = FoldResult()
        tip = self._tree.tip
        highest = -1 if tip is None else tip.height
        touched: dict[Key, None] = {}
        fork: int | None = None
        for event, add in steps:
            try:
                link = _link(event)
            except ValueError as error:
                result.rejected.append(Rejected(event, "bad-bits", str(error), event))
                continue
            added = add(link)
            self._note(event, link, added.seen, touched, result)
            for orphan in (*added.adopted, *added.misplaced):
                self._move(orphan.key, "stale", touched)
            for orphan in added.misplaced:
                detail = f"height {orphan.height} does not follow its parent's"
                result.rejected.append(Rejected(self._known[orphan.key].event, "orphan-dropped", detail, event))
            switch = added.switch
            if switch is not None:
                fork = switch.fork_height if fork is None else min(fork, switch.fork_height)
                highest = max(highest, switch.tip_height)
                for moved in switch.undone:
                    self._move(moved.key, "stale", touched)
                for moved in switch.connected:
                    self._move(moved.key, "canonical", touched)
                self._follow(switch)
            self._settle(added, touched, result)
        result.blocks += [self._known[key] for key in touched]
        return PlacedBatch(result, fork, highest)

    def _note(self, event: BlockEvent, link: Link, seen: Seen, touched: dict[Key, None], result: FoldResult) -> None:
        """What became of the event itself, its branch apart."""
        if seen in (Seen.NEW, Seen.PARKED, Seen.WRONG_HEIGHT):
            status: BlockStatus = "parked" if seen is Seen.PARKED else "stale"
            self._known[link.key] = StoredBlock(event, status, self.attributor.attribute(event))
            touched[link.key] = None
        if seen is Seen.WRONG_HEIGHT:
            detail = f"height {event.height} does not follow its parent's"
            result.rejected.append(Rejected(event, "wrong-height", detail, event))
        elif seen is Seen.DUPLICATE:
            result.duplicates += 1
        elif seen is Seen.FINAL:
            # Below the chain's first block nothing is known, and a parent will not come.
            status = "stale" if event.height > self._first_height else "parked"
            result.too_old.append(StoredBlock(event, status, self.attributor.attribute(event)))
        elif seen is Seen.CROWDED_OUT:
            detail = f"height {event.height}: its parent is not known, and too many blocks wait for theirs"
            result.rejected.append(Rejected(event, "orphan-dropped", detail, event, is_bad=False))

    def _settle(self, added: Added, touched: dict[Key, None], result: FoldResult) -> None:
        """What became final: orphans without a parent lose, and what is forgotten is written as it stands."""
        for orphan in added.lost:
            self._move(orphan.key, "stale", touched)
        for link in added.forgotten:
            block = self._known.pop(link.key)
            if link.key in touched:
                del touched[link.key]
                result.blocks.append(block)

    def _move(self, key: Key, status: BlockStatus, touched: dict[Key, None]) -> None:
        block = self._known[key]
        if block.status != status:
            self._known[key] = StoredBlock(block.event, status, block.attribution)
        touched[key] = None

    def _restore(self, stored: StoredChain, max_reorg_blocks: int, max_parked: int) -> None:
        end = stored.base_height + len(stored.codes) - 1
        if stored.recent[-1].height != end or len(stored.codes) < len(stored.recent):
            raise ValueError(f"stored chain ends at height {end}, its newest block at {stored.recent[-1].height}")
        links = [_link(event) for event in stored.recent]
        self._tree = BlockTree.from_canonical(links, max_reorg_blocks=max_reorg_blocks, max_parked=max_parked)
        for link, event in zip(links, stored.recent, strict=True):
            if link in self._tree:
                self._known[link.key] = StoredBlock(event, "canonical", self.attributor.attribute(event))
        self._first_height = stored.first_height
        self._base_height = stored.base_height
        self._codes = list(stored.codes)
        self._times = list(stored.times)
        self._detectors.states.update(stored.detectors)
        self._drift.add(stored.drift)
        older = stored.older
        year = BlockSlice([*older.codes, *stored.codes], [*older.times, *stored.times], [*older.bits, *stored.bits])
        self.time_windows.start(stored.base_height - len(older.codes), year)
        self.time_windows.note_stored(stored.hours)
        # No switch goes below the recent blocks, so the hashes before them are not needed.
        self._hashes = [b""] * (len(stored.codes) - len(links)) + [link.hash for link in links]

    def _follow(self, switch: Switch) -> None:
        if not self._codes:
            self._base_height = self._first_height = switch.fork_height + 1
            self._first_parent = switch.connected[0].prev_hash
        self._connect(switch.fork_height, switch.connected, [self._known[link.key] for link in switch.connected])

    def _connect(self, fork_height: int, links: Sequence[Link], blocks: Sequence[StoredBlock]) -> None:
        """Undo the heights above the fork and connect these blocks."""
        keep = fork_height + 1 - self._base_height
        if keep < len(self._codes):
            del self._codes[keep:]
            del self._times[keep:]
            del self._hashes[keep:]
        connected = [(block.attribution.code, block.event.time, block.event.bits) for block in blocks]
        self._codes += [code for code, _, _ in connected]
        self._times += [time for _, time, _ in connected]
        self._hashes += [link.hash for link in links]
        self.time_windows.follow(fork_height, connected)

    def _score(self, fork_height: int, highest: int) -> Scored:
        first = fork_height + 1
        start = first - self._base_height
        # Days are summed up by whole buckets, so scoring begins at the start of the bucket.
        begin = max(0, bucket_start(first) - self._base_height)
        low = max(0, begin - (HISTORY_BLOCKS - 1))
        times = np.array(self._times[low:], dtype=np.int64)
        codes = np.array(self._codes[low:], dtype=np.uint16)
        entities = self.attribution_set.entity_table
        table = score_blocks(codes, times, begin - low, entities, table_cache=self._cache)
        summary = summarise(table, self._base_height + begin, times[begin - low :])
        tip_height = self._base_height + len(self._codes) - 1
        epochs = np.searchsorted(entities.boundaries, times, side="right")
        base, begins = self._base_height + low, self._base_height + begin
        seen = BlocksSeen(
            codes,
            base,
            owners=entities.codes,
            epochs=epochs,
            leaders_from=begins,
            leaders=table.leaders(LEADERS_WINDOW_BLOCKS),
        )
        heights, maps = range(first, tip_height + 1), EntityEpochs(entities.codes, epochs, base)
        drift = self._drift.score(codes, base, heights, maps, self._first_height)
        return Scored(
            from_height=first,
            height=tip_height,
            tip_hashes=tuple(self._hashes[start:]),
            times=times[start - low :],
            table=table.from_index(start - begin),
            summary=summary,
            detectors=self._detectors.score(seen, begins, first, tip_height + 1, self._first_height),
            drift=drift,
            forecasts=forecast_rows(
                codes,
                base,
                heights,
                maps,
                lambda view, height: self._drift.at(view, "top4", height),
                first_height=self._first_height,
            ),
            time_windows=self.time_windows.score(first, highest, self._first_height, entities),
            parent_hash=self._hashes[start - 1] if start else self._first_parent,
            # Also what was reached only within this batch: a worker that batches otherwise, and was replaced, may have written it.
            undone_heights=tuple(range(tip_height + 1, highest + 1)),
        )

    def _trim(self) -> None:
        self.time_windows.trim(self._tree.root_height)
        extra = len(self._codes) - (len(self._tree) + FOLD_HISTORY_BLOCKS)
        if extra > _TRIM_BLOCKS:
            del self._codes[:extra]
            del self._times[:extra]
            del self._hashes[:extra]
            self._base_height += extra


def _link(event: BlockEvent) -> Link:
    return Link(bytes.fromhex(event.hash), bytes.fromhex(event.prev_hash), event.height, work_from_bits(event.bits))
