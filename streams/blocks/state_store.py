"""What a fold goes on from beside its recent blocks, read from and written to ClickHouse.

These are detector states, drift rows and the blocks of a year.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.columns import Column, concatenate
from counterpoise.clickhouse.rows.detector_rows import detector_columns, undone_detector_columns
from counterpoise.clickhouse.rows.drift_rows import drift_columns
from counterpoise.clickhouse.rows.share_forecast_rows import share_forecast_columns
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.detectors.tracks import ALTERNATIVES, TRACKS, TrackState
from counterpoise.estimates.drift import DRIFT_WINDOW_BLOCKS, FAMILIES
from counterpoise.estimates.forecast import FORECAST_EVERY
from counterpoise.windows import DAILY_BUCKET_BLOCKS, VIEWS, YEAR_DAYS
from streams.blocks.fold.chain_fold import Scored
from streams.blocks.fold.detectors import KEPT_BUCKETS
from streams.blocks.fold.drift_history import KEPT_BLOCKS, DriftRow
from streams.blocks.fold.forecasts import ForecastRow
from streams.blocks.fold.time_windows import BlockSlice

_STATES = """
    SELECT height, lower(hex(tip_hash)), firing, state FROM detectors_log FINAL
    WHERE attribution_id = {id:String} AND chain = {chain:String} AND height IN {heights:Array(UInt32)} AND notEmpty(state)
"""

_DRIFT = """
    SELECT toInt8(view), family, height, from_height, pairs, drift, change, chance, leaders FROM drift_log FINAL
    WHERE attribution_id = {id:String} AND chain = {chain:String} AND height BETWEEN {low:UInt32} AND {high:UInt32}
        AND (height, tip_hash) IN
        (
            SELECT height, hash FROM blocks_log FINAL
            WHERE chain = {chain:String} AND status = 'canonical' AND height BETWEEN {low:UInt32} AND {high:UInt32}
                AND height % {step:UInt32} = 0
        )
    ORDER BY height, view, family
"""

_CANONICAL = "FROM blocks_log FINAL WHERE chain = {chain:String} AND status = 'canonical'"

# The first block whose clock, the largest header time up to it, is later than a time is the first whose own time is later.
_YEAR_FROM = f"""
    SELECT count(), min(height) {_CANONICAL} AND height BETWEEN {{low:UInt32}} AND {{high:UInt32}}
        AND time > (SELECT max(time) {_CANONICAL} AND height BETWEEN {{low:UInt32}} AND {{recent:UInt32}})
            - toIntervalDay({{days:UInt16}})
"""

YEAR_BLOCKS = 131_072
"""Heights in which the first block of the year is looked for at first: more than two years of bitcoin blocks."""

_OLDER = f"""
    SELECT b.pool_code, intDiv(toUnixTimestamp64Milli(a.time), 1000), a.bits
    FROM (SELECT height, hash, time, bits {_CANONICAL} AND height BETWEEN {{low:UInt32}} AND {{high:UInt32}}) AS a
    LEFT ANY JOIN
    (
        SELECT hash, pool_code FROM attributions_log FINAL
        WHERE attribution_id = {{id:String}} AND chain = {{chain:String}} AND height BETWEEN {{low:UInt32}} AND {{high:UInt32}}
    ) AS b ON a.hash = b.hash
    ORDER BY a.height
"""  # noqa: S608

_HOURS = """
    SELECT DISTINCT height FROM time_windows_log FINAL
    WHERE attribution_id = {id:String} AND chain = {chain:String} AND height > {above:UInt32}
"""


def older_blocks(
    clickhouse: ClickHouse, chain: str, attribution_id: str, *, base_height: int, recent_from: int
) -> BlockSlice:
    """The blocks below `base_height` that the windows of time of any height above `recent_from` reach, oldest first."""
    count, low = _year_from(clickhouse, chain, base_height, recent_from)
    if not count:
        return BlockSlice()
    between = {"id": attribution_id, "chain": chain, "low": low, "high": base_height - 1}
    rows = clickhouse.query(_OLDER, between)
    codes, times, bits = zip(*rows, strict=True)
    return BlockSlice(codes, times, bits)


def _year_from(
    clickhouse: ClickHouse, chain: str, base_height: int, recent_from: int, *, stretch: int = YEAR_BLOCKS
) -> tuple[int, int]:
    """How many blocks below `base_height` are of the year, and the lowest of them.

    Heights are read from `base_height` down, twice as many as long as the year reaches into their lower half: header times go back
    and forth by hours, and half a stretch is far more.
    """
    asked = {"chain": chain, "high": max(0, base_height - 1), "recent": recent_from, "days": YEAR_DAYS}
    while base_height:
        low = max(0, base_height - stretch)
        [(count, first)] = clickhouse.query(_YEAR_FROM, {**asked, "low": low})
        if not low or not count or int(first) > low + stretch // 2:
            return int(count), int(first)
        stretch *= 2
    return 0, 0


def stored_hours(clickhouse: ClickHouse, chain: str, attribution_id: str, above: int) -> list[int]:
    """The heights above this one at which windows of time are stored, whatever their block."""
    rows = clickhouse.query(_HOURS, {"chain": chain, "id": attribution_id, "above": above})
    return [int(height) for (height,) in rows]


def stored_states(
    clickhouse: ClickHouse, chain: str, attribution_id: str, history: Sequence[BlockEvent]
) -> dict[int, TrackState]:
    """The states at the newest ends of buckets among these consecutive blocks, by height; those of other blocks are left out."""
    hashes = {event.height: event.hash for event in history}
    ends = [height for height in hashes if (height + 1) % DAILY_BUCKET_BLOCKS == 0][-KEPT_BUCKETS:]
    if not ends:
        return {}
    rows = clickhouse.query(_STATES, {"chain": chain, "id": attribution_id, "heights": ends})
    return {
        int(height): TrackState(
            np.array(state, np.float64).reshape(TRACKS, ALTERNATIVES),
            (int(firing) >> np.arange(TRACKS, dtype=np.uint32) & 1).astype(np.bool_),
        )
        for height, tip_hash, firing, state in rows
        if tip_hash == hashes[int(height)] and len(state) == TRACKS * ALTERNATIVES
    }


def stored_drift(clickhouse: ClickHouse, chain: str, attribution_id: str, tip_height: int) -> list[DriftRow]:
    """The drift rows that later ones rest on, lowest height first; those of a block that is not canonical are left out."""
    between = {"low": max(0, tip_height - KEPT_BLOCKS), "high": tip_height}
    asked = {"chain": chain, "id": attribution_id, "step": DRIFT_WINDOW_BLOCKS, **between}
    return [
        DriftRow(
            int(view),
            str(family),
            int(height),
            int(from_height),
            int(pairs),
            float(drift),
            float(change),
            float(chance),
            tuple(int(code) for code in leaders),
        )
        for view, family, height, from_height, pairs, drift, change, chance, leaders in clickhouse.query(_DRIFT, asked)
    ]


def detector_rows(scored: Scored, *, chain: str, attribution_id: str, version: int) -> dict[str, Column]:
    """Rows of detectors_log: the new heights, and tombstones of the undone ones."""
    table = scored.detectors
    skipped = table.from_height - scored.from_height
    columns = detector_columns(
        table.evidence,
        table.masks(),
        {height: state.weights.reshape(-1).tolist() for height, state in table.states.items()},
        attribution_id=attribution_id,
        chain=chain,
        from_height=table.from_height,
        tip_hashes=scored.tip_hashes[skipped:],
        times=scored.times[skipped:],
        version=version,
    )
    if not scored.undone_heights:
        return columns
    undone = undone_detectors(scored.undone_heights, chain=chain, attribution_id=attribution_id, version=version)
    return concatenate(columns, undone)


def undone_detectors(heights: Sequence[int], *, chain: str, attribution_id: str, version: int) -> dict[str, Column]:
    """Tombstones of detectors_log."""
    return undone_detector_columns(heights, TRACKS, attribution_id=attribution_id, chain=chain, version=version)


def drift_rows(
    rows: Sequence[DriftRow],
    tip_hashes: Mapping[int, bytes],
    undone_heights: Sequence[int],
    *,
    chain: str,
    attribution_id: str,
    version: int,
) -> dict[str, Column]:
    """Rows of drift_log: the new ones, and tombstones of those whose height was undone."""
    undone = [
        (view, family, height)
        for height in undone_heights
        if height % DRIFT_WINDOW_BLOCKS == 0
        for view in range(len(VIEWS))
        for family in FAMILIES
    ]
    return drift_columns(rows, tip_hashes, undone, attribution_id=attribution_id, chain=chain, version=version)


def forecast_columns(
    rows: Sequence[ForecastRow],
    blocks: Mapping[int, tuple[bytes, int]],
    undone_heights: Sequence[int],
    *,
    chain: str,
    attribution_id: str,
    version: int,
) -> dict[str, Column]:
    """Rows of share_forecasts_log: the new ones, and tombstones of undone heights. `blocks`: hash and header time by height."""
    undone = [(view, height) for height in undone_heights if height % FORECAST_EVERY == 0 for view in range(len(VIEWS))]
    return share_forecast_columns(rows, blocks, undone, chain=chain, attribution_id=attribution_id, version=version)
