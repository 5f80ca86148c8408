"""What the fold decided, into ClickHouse, in the order that a crash can be healed from: blocks, attributions, concentration."""

from __future__ import annotations

from collections.abc import Sequence

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.columns import Column, concatenate
from counterpoise.clickhouse.rows.attributions import attribution_columns
from counterpoise.clickhouse.rows.blocks import block_columns
from counterpoise.clickhouse.rows.concentration import concentration_columns, tombstone_columns
from counterpoise.runtime.crash_points import crash_point
from counterpoise.windows import VIEWS, WINDOWS_BLOCKS
from streams.blocks.fold.chain_fold import FoldResult, Scored


class BlockSinks:
    """The tables that the streams service writes. Any call may raise RetryableError; calling it again with the same arguments ends in
    the same tables."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self.clickhouse = clickhouse

    def write(self, result: FoldResult, *, chain: str, attribution_id: str, version: int) -> None:
        """Write all that one batch changed, under one version."""
        if result.blocks:
            events = [stored.event for stored in result.blocks]
            statuses = [stored.status for stored in result.blocks]
            self.clickhouse.insert("blocks_log", block_columns(events, statuses, version))
            crash_point("streams-after-blocks")
            attributions = [stored.attribution for stored in result.blocks]
            columns = attribution_columns(attribution_id, events, attributions, version)
            self.clickhouse.insert("attributions_log", columns)
        if result.scored is not None:
            self.write_scores(result.scored, chain=chain, attribution_id=attribution_id, version=version)
            crash_point("streams-after-concentration")

    def write_scores(self, scored: Scored, *, chain: str, attribution_id: str, version: int) -> None:
        """The new heights and the tombstones of the undone ones, in one insert: readers see the whole switch or none of it."""
        columns = concentration_columns(
            scored.table.columns(),
            attribution_id=attribution_id,
            chain=chain,
            from_height=scored.from_height,
            tip_hashes=scored.tip_hashes,
            times=scored.times,
            version=version,
        )
        if scored.undone_heights:
            columns = concatenate(columns, self._tombstones(scored.undone_heights, chain, attribution_id, version))
        self.clickhouse.insert("concentration_log", columns)

    def undo_heights(self, heights: Sequence[int], *, chain: str, attribution_id: str, version: int) -> None:
        """Tombstones for heights that no block stands under any more."""
        self.clickhouse.insert("concentration_log", self._tombstones(heights, chain, attribution_id, version))

    def _tombstones(self, heights: Sequence[int], chain: str, attribution_id: str, version: int) -> dict[str, Column]:
        return tombstone_columns(
            attribution_id=attribution_id,
            chain=chain,
            heights=heights,
            windows=WINDOWS_BLOCKS,
            views=len(VIEWS),
            version=version,
        )
