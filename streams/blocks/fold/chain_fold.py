"""The fold of one chain: block events in, rows and scores out. Pure; the state is a function of the blocks and of nothing else.

A batch of events goes through the block tree; what the batch changed in the end is returned once: each new block with its
attribution, each block whose status moved, and the concentration of every height from the fork on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from counterpoise.chain.tree import BlockTree, Link, Seen
from counterpoise.chain.work import work_from_bits
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.pools.attribution import Attribution
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.windows import HISTORY_BLOCKS, MAX_REORG_BLOCKS
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.concentration import ConcentrationTable, TableCache, score_blocks

_PRUNE_SLACK_BLOCKS = 512

BlockStatus = Literal["parked", "stale", "canonical"]


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block with what the fold decided about it."""

    event: BlockEvent
    status: BlockStatus
    attribution: Attribution


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that can never be part of the chain."""

    event: BlockEvent
    reason: str
    detail: str


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
    parent_hash: bytes
    undone_heights: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """A missing parent: its hash, and the heights that would connect it to what is known."""

    hash: bytes
    from_height: int
    to_height: int


@dataclass(slots=True)
class FoldResult:
    """All that one batch changed. `blocks` are to be written whole; `scored` is None where the chain did not move."""

    blocks: list[StoredBlock] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    scored: Scored | None = None
    duplicates: int = 0
    too_old: int = 0


@dataclass(frozen=True, slots=True)
class StoredChain:
    """What ClickHouse holds of a chain, for a fold to go on from.

    `codes` and `times` run over consecutive canonical heights from `base_height` to the tip. `recent` are the newest of these
    blocks, at most MAX_REORG_BLOCKS, oldest first. Side branches and orphans are applied after, like any event.
    """

    base_height: int
    codes: Sequence[int]
    times: Sequence[int]
    recent: Sequence[BlockEvent]


class ChainFold:
    """The state of one chain; see the module. One thread at a time."""

    def __init__(
        self,
        attributor: Attributor,
        stored: StoredChain | None = None,
        *,
        cache: TableCache | None = None,
        max_reorg_blocks: int = MAX_REORG_BLOCKS,
    ) -> None:
        self.attributor = attributor
        self._cache = cache or TableCache()
        self._max_reorg_blocks = max_reorg_blocks
        self._known: dict[bytes, StoredBlock] = {}
        self._tree = BlockTree()
        self._codes: list[int] = []
        self._times: list[int] = []
        self._base_height = 0
        if stored is not None and stored.recent:
            self._restore(stored)

    @property
    def attribution_set(self) -> AttributionSet:
        """The registry and entity map that the fold works with."""
        return self.attributor.attribution_set

    @property
    def tip(self) -> BlockEvent | None:
        """The best block's event, or None before the first."""
        tip = self._tree.tip
        return None if tip is None else self._known[tip.hash].event

    def apply(self, events: Sequence[BlockEvent]) -> FoldResult:
        """Fold events in their order; equal events fold to nothing but a count."""
        result = FoldResult()
        tree = self._tree
        highest = -1 if tree.tip is None else tree.tip.height
        touched: dict[bytes, None] = {}
        fork: int | None = None
        for event in events:
            try:
                link = _link(event)
            except ValueError as error:
                result.rejected.append(Rejected(event, "bad-bits", str(error)))
                continue
            seen, switch, dropped, adopted = tree.add(link)
            if seen is Seen.NEW or seen is Seen.PARKED:
                self._known[link.hash] = StoredBlock(event, "parked", self.attributor.attribute(event))
                touched[link.hash] = None
            elif seen is Seen.DUPLICATE:
                result.duplicates += 1
            elif seen is Seen.TOO_OLD:
                result.too_old += 1
            else:
                result.rejected.append(
                    Rejected(event, "wrong-height", f"height {event.height} does not follow its parent's")
                )
            for orphan in adopted:
                touched[orphan.hash] = None
            for orphan in dropped:
                self._drop(orphan, result)
                touched.pop(orphan.hash, None)
            if switch is not None:
                fork = switch.fork_height if fork is None else min(fork, switch.fork_height)
                highest = max(highest, switch.tip_height)
                for moved in (*switch.undone, *switch.connected):
                    touched[moved.hash] = None
                self._follow(switch.fork_height, switch.connected)
        parked = {link.hash for link in tree.parked}
        for block_hash in touched:
            self._settle(block_hash, block_hash in parked, result)
        if fork is not None:
            result.scored = self._score(fork, highest)
        self._prune(result)
        return result

    def gaps(self) -> tuple[Gap, ...]:
        """What must come before parked blocks can be placed, lowest first."""
        tip = self._tree.tip
        found = []
        for parent_hash, child in self._tree.missing_parents().items():
            known = child.height - 1 if tip is None else min(tip.height + 1, child.height - 1)
            found.append(Gap(parent_hash, max(known, self._tree.root_height + 1), child.height - 1))
        return tuple(sorted(found, key=lambda gap: (gap.to_height, gap.hash)))

    def _restore(self, stored: StoredChain) -> None:
        for event in stored.recent:
            self._known[bytes.fromhex(event.hash)] = StoredBlock(event, "canonical", self.attributor.attribute(event))
        self._tree = BlockTree.from_canonical([_link(event) for event in stored.recent])
        self._base_height = stored.base_height
        self._codes = list(stored.codes)
        self._times = list(stored.times)
        end = stored.base_height + len(stored.codes) - 1
        if stored.recent[-1].height != end or len(stored.codes) < len(stored.recent):
            raise ValueError(f"stored chain ends at height {end}, its newest block at {stored.recent[-1].height}")

    def _follow(self, fork_height: int, connected: Sequence[Link]) -> None:
        if not self._codes:
            self._base_height = fork_height + 1
        keep = fork_height + 1 - self._base_height
        if keep < len(self._codes):
            del self._codes[keep:]
            del self._times[keep:]
        for link in connected:
            block = self._known[link.hash]
            self._codes.append(block.attribution.code)
            self._times.append(block.event.time)

    def _settle(self, block_hash: bytes, parked: bool, result: FoldResult) -> None:
        block = self._known[block_hash]
        status: BlockStatus = "canonical" if self._tree.is_canonical(block_hash) else "parked" if parked else "stale"
        if status != block.status:
            block = StoredBlock(block.event, status, block.attribution)
            self._known[block_hash] = block
        result.blocks.append(block)

    def _drop(self, orphan: Link, result: FoldResult) -> None:
        block = self._known.pop(orphan.hash)
        result.rejected.append(
            Rejected(
                block.event,
                "orphan-dropped",
                f"height {orphan.height}: its parent does not fit, or too many orphans wait",
            )
        )

    def _score(self, fork_height: int, highest: int) -> Scored:
        tip = self._tree.tip
        if tip is None:
            raise ValueError("an empty chain has no scores")
        first = fork_height + 1
        start = first - self._base_height
        low = max(0, start - (HISTORY_BLOCKS - 1))
        table = score_blocks(
            np.array(self._codes[low:], dtype=np.uint16),
            np.array(self._times[low:], dtype=np.int64),
            start - low,
            self.attribution_set.entity_table,
            table_cache=self._cache,
        )
        hashes = []
        for height in range(first, tip.height + 1):
            link = self._tree.canonical_at(height)
            if link is None:
                raise ValueError(f"height {height} is scored but its block is not held")
            hashes.append(link.hash)
        parent = self._tree.canonical_at(first)
        # Also what was reached only within this batch: a worker that batches otherwise, and was replaced, may have written it.
        undone = tuple(range(tip.height + 1, highest + 1))
        return Scored(
            from_height=first,
            height=tip.height,
            tip_hashes=tuple(hashes),
            times=np.array(self._times[start:], dtype=np.int64),
            table=table,
            parent_hash=b"" if parent is None else parent.prev_hash,
            undone_heights=undone,
        )

    def _prune(self, result: FoldResult) -> None:
        if len(self._tree) <= self._max_reorg_blocks + _PRUNE_SLACK_BLOCKS:
            return
        for orphan in self._tree.prune(self._max_reorg_blocks):
            if orphan.hash in self._known:
                self._drop(orphan, result)
        held = {link.hash for link in self._tree.parked}
        self._known = {h: block for h, block in self._known.items() if h in self._tree or h in held}
        extra = len(self._codes) - (len(self._tree) + HISTORY_BLOCKS)
        if extra > 0:
            del self._codes[:extra]
            del self._times[:extra]
            self._base_height += extra


def _link(event: BlockEvent) -> Link:
    return Link(bytes.fromhex(event.hash), bytes.fromhex(event.prev_hash), event.height, work_from_bits(event.bits))
