"""Attribute every stored block anew, beside the current set, and flip the chain to the result.

Nothing is overwritten: the new set's rows stand under its own `attribution_id`, and readers see them only from the flip on. The live
worker goes on under the old set meanwhile; what it adds is caught up with before the flip, and after it the worker follows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.epochs import claim_epoch
from counterpoise.clickhouse.rows.attribution_rows import attribution_columns
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.errors import ConfigError
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.runtime.crash_points import crash_point
from counterpoise.windows import MAX_REORG_BLOCKS, SHORTEST_WINDOW_BLOCKS
from streams.blocks.attribution_store import current_id, flip, store_set
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.chain_fold import ChainFold, Scored
from streams.blocks.loader import (
    BATCH_BLOCKS,
    ChainBounds,
    canonical_blocks,
    chain_bounds,
    days_above,
    parked_blocks,
    scored_above,
    stale_blocks,
)
from streams.blocks.scoring_store import mark_scored
from streams.blocks.sinks import BlockSinks
from streams.blocks.state_store import stored_hours

_CATCH_UP_BLOCKS = min(SHORTEST_WINDOW_BLOCKS, MAX_REORG_BLOCKS)
"""A catch-up reads this far below what it has: a branch that won meanwhile is met from its fork on."""

Progress = Callable[[int, int], None]
"""Called with blocks done and blocks in all."""


@dataclass(frozen=True, slots=True)
class Reattribution:
    """What was done. `changed` counts canonical blocks whose pool differs from the old set's; equal ids mean that nothing was."""

    chain: str
    old_id: str | None
    new_id: str
    blocks: int
    changed: int


def reattribute(
    clickhouse: ClickHouse, chain: str, attribution_set: AttributionSet, on_progress: Progress | None = None
) -> Reattribution:
    """Compute the set for all blocks of a chain and make it current. Safe to run again after it was interrupted.

    ConfigError where the chain has no blocks; RetryableError where ClickHouse does not answer, and then nothing was flipped.
    """
    old_id, new_id = current_id(clickhouse, chain), attribution_set.attribution_id
    bounds = chain_bounds(clickhouse, chain, new_id)
    if not bounds.blocks:
        raise ConfigError(f"chain {chain!r} has no blocks in this dataset: there is nothing to attribute")
    versions = Versions(claim_epoch(clickhouse, f"streams:{chain}"))
    store_set(clickhouse, attribution_set, versions.next())
    _Computation(clickhouse, chain, attribution_set, versions).run(bounds, on_progress or (lambda done, total: None))
    crash_point("reattribute-before-flip")
    flip(clickhouse, chain, new_id, versions.next())
    changed = 0 if old_id is None else _changed(clickhouse, chain, old_id, new_id)
    return Reattribution(chain, old_id, new_id, bounds.blocks, changed)


class _Computation:
    """A fold under the new set that follows the stored chain to its tip."""

    def __init__(self, clickhouse: ClickHouse, chain: str, attribution_set: AttributionSet, versions: Versions) -> None:
        self._clickhouse = clickhouse
        self._chain = chain
        self._set = attribution_set
        self._id = attribution_set.attribution_id
        self._versions = versions
        self._fold = ChainFold(Attributor(attribution_set))
        self._sinks = BlockSinks(clickhouse)
        self._newest: Scored | None = None
        # This set may have been current before, or half computed, on a branch that has lost since.
        self._fold.time_windows.note_stored(stored_hours(clickhouse, chain, self._id, 0))

    def run(self, bounds: ChainBounds, on_progress: Progress) -> None:
        """Fold everything, then what came meanwhile, until the fold's tip is the chain's."""
        for low in range(bounds.first, bounds.tip + 1, BATCH_BLOCKS):
            high = min(low + BATCH_BLOCKS - 1, bounds.tip)
            self._apply(canonical_blocks(self._clickhouse, self._chain, low, high))
            crash_point("reattribute-after-part")
            on_progress(high - bounds.first + 1, bounds.tip - bounds.first + 1)
        self._attribute(stale_blocks(self._clickhouse, self._chain, 0))
        self._attribute(parked_blocks(self._clickhouse, self._chain, 0))
        while self._catch_up():
            pass
        self._undo_above_tip()
        if self._newest is not None:  # only now: this set may be the current one
            version = self._versions.next()
            self._sinks.write_newest(self._newest, chain=self._chain, attribution_set=self._set, version=version)
        height = 0 if self._fold.tip is None else self._fold.tip.height
        version = self._versions.next()
        mark_scored(self._clickhouse, self._chain, self._id, to_height=height, whole=True, version=version)

    def _catch_up(self) -> bool:
        """Fold the newest stored blocks again; False once that brings nothing new."""
        tip = self._fold.tip
        low = 0 if tip is None else tip.height - _CATCH_UP_BLOCKS
        newest = canonical_blocks(self._clickhouse, self._chain, low, 0x7FFF_FFFF)
        self._apply(newest)
        after = self._fold.tip
        return after is not None and bool(newest) and (tip is None or after.hash != tip.hash)

    def _undo_above_tip(self) -> None:
        """A set that was current before may have scored heights that a reorganisation has undone since."""
        tip = self._fold.tip
        if tip is None:
            return
        heights = scored_above(self._clickhouse, self._chain, self._id, tip.height)
        buckets = days_above(self._clickhouse, self._chain, self._id, tip.height)
        if heights or buckets:
            version = self._versions.next()
            self._sinks.undo_above(heights, buckets, chain=self._chain, attribution_id=self._id, version=version)

    def _apply(self, events: list[BlockEvent]) -> None:
        result = self._fold.apply(events)
        self._attribute([stored.event for stored in result.blocks])
        if result.scored is not None:
            version = self._versions.next()
            self._sinks.write_heights(result.scored, chain=self._chain, attribution_id=self._id, version=version)
            self._newest = result.scored

    def _attribute(self, events: list[BlockEvent]) -> None:
        if events:
            attributions = [self._fold.attributor.attribute(event) for event in events]
            columns = attribution_columns(self._id, events, attributions, self._versions.next())
            self._clickhouse.insert("attributions_log", columns)


_CHANGED = """
    WITH
        old AS (SELECT a.hash AS hash, p.slug AS slug FROM attributions_log AS a FINAL
                INNER JOIN (SELECT code, slug FROM pool_names_log FINAL WHERE attribution_id = {old:String} AND view = 'raw') AS p
                ON a.pool_code = p.code WHERE a.attribution_id = {old:String} AND a.chain = {chain:String}),
        new AS (SELECT a.hash AS hash, p.slug AS slug FROM attributions_log AS a FINAL
                INNER JOIN (SELECT code, slug FROM pool_names_log FINAL WHERE attribution_id = {new:String} AND view = 'raw') AS p
                ON a.pool_code = p.code WHERE a.attribution_id = {new:String} AND a.chain = {chain:String})
    SELECT countIf(old.slug != new.slug) FROM old INNER JOIN new ON old.hash = new.hash
"""


def _changed(clickhouse: ClickHouse, chain: str, old_id: str, new_id: str) -> int:
    [(changed,)] = clickhouse.query(_CHANGED, {"chain": chain, "old": old_id, "new": new_id})
    return int(changed)
