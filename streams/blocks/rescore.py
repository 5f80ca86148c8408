"""Score every stored block anew, in place: after an upgrade that stores more of a height, or sums up other metrics by day.

The blocks, their attribution and the attribution set stay as they are; rows of concentration, detectors, drift and forecasts are
replaced by newer versions of themselves, from the first height to the tip. After every batch it notes how far it has come, and it
goes on from there the next time.
Services may run meanwhile: the worker of the chain loads it again under a newer epoch, as after any other writer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.epochs import claim_epoch
from counterpoise.clickhouse.versions import Versions
from counterpoise.errors import ConfigError
from counterpoise.pools.attribution_set import AttributionSet
from streams.blocks.attribution_store import current_id, read_set
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.chain_fold import FOLD_HISTORY_BLOCKS, ChainFold
from streams.blocks.loader import BATCH_BLOCKS, ChainBounds, canonical_blocks, chain_bounds, stored_chain
from streams.blocks.scoring_store import mark_scored, scored_to
from streams.blocks.sinks import BlockSinks

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
    if done is not None and done[1]:
        return Rescore(chain, bounds.blocks, 0)
    versions = Versions(claim_epoch(clickhouse, f"streams:{chain}"))
    attribution_set = read_set(clickhouse, attribution_id)
    start = bounds.first if done is None else max(bounds.first, done[0] + 1)
    work = _Work(clickhouse, chain, attribution_set, versions, on_progress or (lambda done, total: None))
    scored = work.run(bounds, start)
    # What came meanwhile was scored by a worker whose states were those of before. It loads anew under each newer epoch.
    while (after := chain_bounds(clickhouse, chain, attribution_id)).tip > bounds.tip:
        work.versions = Versions(claim_epoch(clickhouse, f"streams:{chain}"))
        scored += work.run(after, bounds.tip + 1)
        bounds = after
    mark_scored(clickhouse, chain, attribution_id, to_height=bounds.tip, whole=True, version=work.versions.next())
    return Rescore(chain, bounds.blocks, scored)


@dataclass(slots=True)
class _Work:
    clickhouse: ClickHouse
    chain: str
    attribution_set: AttributionSet
    versions: Versions
    on_progress: Progress

    def run(self, bounds: ChainBounds, start: int) -> int:
        """Score from `start` to the tip; how many heights."""
        fold = self._fold_at(bounds, start)
        sinks = BlockSinks(self.clickhouse)
        attribution_id, scored = self.attribution_set.attribution_id, 0
        for low in range(start, bounds.tip + 1, BATCH_BLOCKS):
            high = min(low + BATCH_BLOCKS - 1, bounds.tip)
            result = fold.apply(canonical_blocks(self.clickhouse, self.chain, low, high))
            if result.scored is None:
                continue
            version = self.versions.next()
            sinks.write_heights(result.scored, chain=self.chain, attribution_id=attribution_id, version=version)
            scored += result.scored.height - result.scored.from_height + 1
            mark_scored(
                self.clickhouse, self.chain, attribution_id, to_height=high, whole=False, version=self.versions.next()
            )
            self.on_progress(high - bounds.first + 1, bounds.tip - bounds.first + 1)
        return scored

    def _fold_at(self, bounds: ChainBounds, start: int) -> ChainFold:
        """A fold whose tip is the block below `start`."""
        attributor = Attributor(self.attribution_set)
        if start <= bounds.first:
            return ChainFold(attributor)
        base = max(bounds.first, start - FOLD_HISTORY_BLOCKS)
        history = canonical_blocks(self.clickhouse, self.chain, base, start - 1)
        stored = stored_chain(
            self.clickhouse, self.chain, attributor, history, first_height=bounds.first, recent_from=start - 1
        )
        return ChainFold(attributor, stored)
