"""Score every stored block anew, in place: after an upgrade that stores more of a height, or sums up other metrics by day.

The blocks, their attribution and the attribution set stay as they are; rows of concentration, detectors, drift, forecasts and windows
of time are replaced by newer versions of themselves, from the first height to the tip. After every batch it notes how far it has
come, and it goes on from there the next time.
Services may run meanwhile: the worker of the chain loads it again under a newer epoch, as after any other writer. What it loads in
the middle is incomplete, and so are the rows that it then writes. So the rescore claims a second epoch at its end: the worker loads
once more, and `untrusted_from` shows it which rows to write again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.epochs import claim_epoch, highest_epoch
from counterpoise.clickhouse.versions import Versions
from counterpoise.errors import ConfigError
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.windows import MAX_REORG_BLOCKS
from streams.blocks.attribution_store import current_id, read_set
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.chain_fold import FOLD_HISTORY_BLOCKS, ChainFold
from streams.blocks.loader import BATCH_BLOCKS, ChainBounds, canonical_blocks, chain_bounds, stored_chain
from streams.blocks.scoring_store import mark_scored, scored_to, untrusted_from, written_from
from streams.blocks.sinks import BlockSinks
from streams.blocks.state_store import stored_hours

Progress = Callable[[int, int], None]
"""Called with blocks done and blocks in all."""


@dataclass(frozen=True, slots=True)
class Rescore:
    """What was done: `blocks` heights of the chain, of which `scored` were scored now."""

    chain: str
    blocks: int
    scored: int


def rescore(clickhouse: ClickHouse, chain: str, on_progress: Progress | None = None) -> Rescore:
    """Score the chain's blocks anew under its current set; nothing is done where all rows are in this version's format.

    ConfigError where the chain has no blocks; RetryableError where ClickHouse does not answer, and then it goes on when run again.
    """
    attribution_id = current_id(clickhouse, chain)
    bounds = chain_bounds(clickhouse, chain, attribution_id or "")
    if attribution_id is None or not bounds.blocks:
        raise ConfigError(f"chain {chain!r} has no blocks in this dataset: there is nothing to score")
    done = scored_to(clickhouse, chain, attribution_id)
    whole = done is not None and done[1]
    if whole and untrusted_from(clickhouse, chain, attribution_id) > bounds.tip:
        return Rescore(chain, bounds.blocks, 0)
    versions = Versions(claim_epoch(clickhouse, f"streams:{chain}"))
    attribution_set = read_set(clickhouse, attribution_id)
    start = bounds.first if done is None else max(bounds.first, done[0] + 1)
    work = _Work(clickhouse, chain, attribution_set, versions, on_progress or (lambda done, total: None))
    if not whole:
        work.run(bounds, start)
    bounds, redone = work.finish(bounds)
    return Rescore(chain, bounds.blocks, bounds.tip + 1 - (redone if whole else min(start, redone)))


@dataclass(slots=True)
class _Work:
    clickhouse: ClickHouse
    chain: str
    attribution_set: AttributionSet
    versions: Versions
    on_progress: Progress

    def finish(self, scored: ChainBounds) -> tuple[ChainBounds, int]:
        """Mark the chain as whole; the chain as it is now, and the lowest height that was scored once more for it.

        A writer that loads before the mark stands could miss it, so the mark is of an epoch that nobody has claimed past.
        """
        ours = self.versions.epoch
        bounds = chain_bounds(self.clickhouse, self.chain, self._id)
        if self._nobody_claimed() and min(bounds.unscored_from, self._untrusted(), scored.tip + 1) > bounds.tip:
            self._mark(to_height=bounds.tip, whole=True)
            if self._nobody_claimed():
                return bounds, bounds.tip + 1
        while True:
            self.versions = Versions(claim_epoch(self.clickhouse, self._role))
            bounds = chain_bounds(self.clickhouse, self.chain, self._id)
            others = written_from(self.clickhouse, self.chain, self._id, epoch=ours + 1)
            # As deep as a reorganisation reaches that a writer makes before it sees our epoch: our rows win there.
            depth = bounds.tip + 1 - MAX_REORG_BLOCKS
            start = max(bounds.first, min(bounds.unscored_from, others, self._untrusted(), scored.tip + 1, depth))
            self._mark(to_height=max(0, start - 1), whole=True)
            if self._nobody_claimed():
                break
        self.run(bounds, start, whole=True)
        self._mark(to_height=bounds.tip, whole=True)
        return bounds, start

    def run(self, bounds: ChainBounds, start: int, *, whole: bool = False) -> None:
        """Score from `start` to the tip. With `whole` every height is in this version's format already."""
        fold = self._fold_at(bounds, start)
        sinks = BlockSinks(self.clickhouse)
        for low in range(start, bounds.tip + 1, BATCH_BLOCKS):
            high = min(low + BATCH_BLOCKS - 1, bounds.tip)
            result = fold.apply(canonical_blocks(self.clickhouse, self.chain, low, high))
            if result.scored is None:
                continue
            version = self.versions.next()
            sinks.write_heights(result.scored, chain=self.chain, attribution_id=self._id, version=version)
            if not whole:
                self._mark(to_height=high, whole=False)
                self.on_progress(high - bounds.first + 1, bounds.tip - bounds.first + 1)

    def _nobody_claimed(self) -> bool:
        return highest_epoch(self.clickhouse, self._role) == self.versions.epoch

    def _untrusted(self) -> int:
        return untrusted_from(self.clickhouse, self.chain, self._id)

    @property
    def _id(self) -> str:
        return self.attribution_set.attribution_id

    @property
    def _role(self) -> str:
        return f"streams:{self.chain}"

    def _mark(self, *, to_height: int, whole: bool) -> None:
        version = self.versions.next()
        mark_scored(self.clickhouse, self.chain, self._id, to_height=to_height, whole=whole, version=version)

    def _fold_at(self, bounds: ChainBounds, start: int) -> ChainFold:
        """A fold whose tip is the block below `start`."""
        attributor = Attributor(self.attribution_set)
        if start <= bounds.first:
            fold = ChainFold(attributor)
            fold.time_windows.note_stored(stored_hours(self.clickhouse, self.chain, self._id, 0))
            return fold
        base = max(bounds.first, start - FOLD_HISTORY_BLOCKS)
        history = canonical_blocks(self.clickhouse, self.chain, base, start - 1)
        stored = stored_chain(
            self.clickhouse, self.chain, attributor, history, first_height=bounds.first, recent_from=start - 1
        )
        return ChainFold(attributor, stored)
