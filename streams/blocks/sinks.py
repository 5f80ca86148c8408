"""What the fold decided, into ClickHouse, in the order that a crash can be healed from.

Blocks and their pools come first, and the concentration of every height comes last: a worker that loads the chain folds again from
the first block without concentration, so whatever was not written before a death is written then. What readers see of the newest
height and of days comes between, so that it never speaks of a branch that lost while `concentration` has the one that won. The tables
of each of the three steps are written beside each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.columns import Column, concatenate
from counterpoise.clickhouse.inserts import Insert, RunningInserts, begin_inserts, insert_all, nothing
from counterpoise.clickhouse.rows.attribution_rows import attribution_columns
from counterpoise.clickhouse.rows.block_rows import block_columns
from counterpoise.clickhouse.rows.concentration_daily_rows import daily_columns, emptied_columns
from counterpoise.clickhouse.rows.concentration_latest_rows import latest_columns
from counterpoise.clickhouse.rows.concentration_rows import concentration_columns, tombstone_columns
from counterpoise.clickhouse.rows.time_window_rows import time_window_columns, undone_time_window_columns
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.runtime.crash_points import crash_point
from counterpoise.windows import DAILY_BUCKET_BLOCKS, VIEWS, WINDOWS_BLOCKS
from streams.blocks.fold.chain_fold import FoldResult, Scored, StoredBlock
from streams.blocks.fold.summary import DailyParts
from streams.blocks.state_store import detector_rows, drift_rows, forecast_columns, undone_detectors

_LOSING_VERSION = 0
"""Below every version that a writer is given."""


def daily_rows(daily: DailyParts, *, attribution_id: str, chain: str, version: int) -> dict[str, Column]:
    """Rows of concentration_daily_log."""
    names = ("view_code", "window_blocks", "bucket", "day", "from_height", "to_height", "blocks")
    return daily_columns(
        daily.metrics,
        {name: getattr(daily, name) for name in names},
        {"first": daily.first, "last": daily.last, "lowest": daily.lowest, "highest": daily.highest},
        attribution_id=attribution_id,
        chain=chain,
        version=version,
    )


class BlockSinks:
    """The tables that the streams service writes. Any call may raise RetryableError; calling it again with the same arguments ends in
    the same tables."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self.clickhouse = clickhouse

    def write(
        self,
        result: FoldResult,
        *,
        chain: str,
        attribution_set: AttributionSet,
        version: int,
        on_blocks: Callable[[], None] = nothing,
    ) -> None:
        """Write all that one batch changed, under one version; `on_blocks` is called once its blocks and their pools are stored."""
        if result.blocks:
            self.begin_blocks(result.blocks, attribution_id=attribution_set.attribution_id, version=version).finish()
            on_blocks()
        if result.scored is not None:
            self.write_scores(result.scored, chain=chain, attribution_set=attribution_set, version=version)
            crash_point("streams-after-concentration")

    def write_too_old(self, blocks: Sequence[StoredBlock], *, attribution_id: str) -> None:
        """Write blocks for which nothing is left to decide. Any other row of such a block wins: its standing is older and true."""
        self.begin_blocks(blocks, attribution_id=attribution_id, version=_LOSING_VERSION).finish()

    def begin_blocks(self, blocks: Sequence[StoredBlock], *, attribution_id: str, version: int) -> RunningInserts:
        """Begin to write blocks and their pools. A pool whose block was not stored is of no block, and shows nowhere."""
        events = [stored.event for stored in blocks]
        statuses = [stored.status for stored in blocks]
        attributions = [stored.attribution for stored in blocks]
        return begin_inserts(
            self.clickhouse,
            [
                Insert(
                    "blocks_log",
                    block_columns(events, statuses, version),
                    partial(crash_point, "streams-after-blocks"),
                ),
                Insert("attributions_log", attribution_columns(attribution_id, events, attributions, version)),
            ],
        )

    def write_scores(self, scored: Scored, *, chain: str, attribution_set: AttributionSet, version: int) -> None:
        """What readers see of the scored heights: the days, the newest height, every height."""
        attribution_id = attribution_set.attribution_id
        newest = self._newest(scored, chain=chain, attribution_set=attribution_set, version=version)
        insert_all(
            self.clickhouse,
            [
                *self._days(scored, chain, attribution_id, version),
                newest._replace(then=partial(crash_point, "streams-after-newest")),
                *self._states(scored, chain, attribution_id, version),
            ],
            [self._concentration(scored, chain, attribution_id, version)],
        )

    def write_heights(self, scored: Scored, *, chain: str, attribution_id: str, version: int) -> None:
        """The same without the newest height: for one who goes through the history."""
        insert_all(
            self.clickhouse,
            [
                *self._days(scored, chain, attribution_id, version),
                *self._states(scored, chain, attribution_id, version),
            ],
            [self._concentration(scored, chain, attribution_id, version)],
        )

    def write_newest(self, scored: Scored, *, chain: str, attribution_set: AttributionSet, version: int) -> None:
        """The newest row of each view and window."""
        insert_all(
            self.clickhouse, [self._newest(scored, chain=chain, attribution_set=attribution_set, version=version)]
        )

    def _newest(self, scored: Scored, *, chain: str, attribution_set: AttributionSet, version: int) -> Insert:
        slugs = {code: slug for code, (slug, _) in attribution_set.entity_table.names.items()}
        newest = latest_columns(
            scored.summary.newest,
            slugs,
            attribution_id=attribution_set.attribution_id,
            chain=chain,
            height=scored.height,
            tip_hash=scored.tip_hashes[-1],
            time=int(scored.times[-1]),
            version=version,
        )
        return Insert("concentration_latest_log", newest)

    def _states(self, scored: Scored, chain: str, attribution_id: str, version: int) -> list[Insert]:
        """Drift rows, forecasts, windows of time and detectors, each with the tombstones of undone heights in one insert."""
        where = {"chain": chain, "attribution_id": attribution_id}
        hashes = {row.height: scored.tip_hashes[row.height - scored.from_height] for row in scored.drift}
        drift = drift_rows(scored.drift, hashes, scored.undone_heights, version=version, **where)
        places = {row.height: row.height - scored.from_height for row in scored.forecasts}
        blocks = {height: (scored.tip_hashes[place], int(scored.times[place])) for height, place in places.items()}
        forecasts = forecast_columns(scored.forecasts, blocks, scored.undone_heights, version=version, **where)
        hours = time_window_columns(
            scored.time_windows.columns,
            sorted({*scored.time_windows.undone_heights, *scored.undone_heights}),
            from_height=scored.from_height,
            tip_hashes=scored.tip_hashes,
            times=scored.times,
            version=version,
            **where,
        )
        detectors = detector_rows(scored, chain=chain, attribution_id=attribution_id, version=version)
        return [
            Insert("drift_log", drift),
            Insert("share_forecasts_log", forecasts),
            Insert("time_windows_log", hours),
            Insert("detectors_log", detectors),
        ]

    def _concentration(self, scored: Scored, chain: str, attribution_id: str, version: int) -> Insert:
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
        return Insert("concentration_log", columns)

    def undo_above(
        self, heights: Sequence[int], buckets: Sequence[int], *, chain: str, attribution_id: str, version: int
    ) -> None:
        """Undo heights, and buckets of days, that no block stands under any more."""
        if buckets:
            self.clickhouse.insert("concentration_daily_log", self._emptied(buckets, chain, attribution_id, version))
        if heights:
            undone = drift_rows((), {}, heights, chain=chain, attribution_id=attribution_id, version=version)
            self.clickhouse.insert("drift_log", undone)
            forecasts = forecast_columns((), {}, heights, chain=chain, attribution_id=attribution_id, version=version)
            self.clickhouse.insert("share_forecasts_log", forecasts)
            hours = undone_time_window_columns(heights, chain=chain, attribution_id=attribution_id, version=version)
            self.clickhouse.insert("time_windows_log", hours)
            detectors = undone_detectors(heights, chain=chain, attribution_id=attribution_id, version=version)
            self.clickhouse.insert("detectors_log", detectors)
            self.clickhouse.insert("concentration_log", self._tombstones(heights, chain, attribution_id, version))

    def _days(self, scored: Scored, chain: str, attribution_id: str, version: int) -> list[Insert]:
        daily = scored.summary.daily
        columns = daily_rows(daily, attribution_id=attribution_id, chain=chain, version=version)
        tip_bucket = scored.height // DAILY_BUCKET_BLOCKS
        emptied = sorted({height // DAILY_BUCKET_BLOCKS for height in scored.undone_heights} - {tip_bucket})
        if emptied:
            columns = concatenate(columns, self._emptied(emptied, chain, attribution_id, version))
        return [Insert("concentration_daily_log", columns)] if len(daily) or emptied else []

    def _emptied(self, buckets: Sequence[int], chain: str, attribution_id: str, version: int) -> dict[str, Column]:
        return emptied_columns(
            tuple(SPECS),
            buckets,
            windows=WINDOWS_BLOCKS,
            views=len(VIEWS),
            attribution_id=attribution_id,
            chain=chain,
            version=version,
        )

    def _tombstones(self, heights: Sequence[int], chain: str, attribution_id: str, version: int) -> dict[str, Column]:
        return tombstone_columns(
            attribution_id=attribution_id,
            chain=chain,
            heights=heights,
            windows=WINDOWS_BLOCKS,
            views=len(VIEWS),
            version=version,
        )
