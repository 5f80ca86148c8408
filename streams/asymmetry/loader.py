"""What the asymmetry reads from ClickHouse beside releases: its own rows, and the blocks that releases are compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.windows import ONE_SERIES
from streams.asymmetry.fold.score import Pair, RowKey

_ASYMMETRY = """
    SELECT toString(knowledge), toString(kind), slot, inputs_id FROM asymmetry_log FINAL
    WHERE series = {series:String} AND list_id = {list:String} AND chain = {chain:String} AND view = {view:String}
      AND window_blocks = {window:UInt16}
"""
_SCORED_TIP = f"""
    SELECT max(height) FROM concentration_log FINAL
    WHERE attribution_id = {{id:String}} AND chain = {{chain:String}} AND {ONE_SERIES}
"""  # noqa: S608
# Every block up to the scored tip has its attribution: both are written before the concentration.
_BLOCKS = """
    SELECT b.height AS height, intDiv(toUnixTimestamp64Milli(b.time), 1000) AS time, a.pool_code AS code,
        cityHash64(b.hash) AS tag, cityHash64(b.prev_hash) AS parent
    FROM
    (
        SELECT height, hash, prev_hash, time FROM blocks_canonical_log
        WHERE chain = {chain:String} AND height BETWEEN {low:UInt32} AND {high:UInt32}
    ) AS b
    INNER JOIN
    (
        SELECT height, hash, pool_code FROM attributions_log FINAL
        WHERE attribution_id = {id:String} AND chain = {chain:String} AND height BETWEEN {low:UInt32} AND {high:UInt32}
    ) AS a ON b.height = a.height AND b.hash = a.hash
    ORDER BY height
"""
_HASHES = """
    SELECT height, lower(hex(hash)), cityHash64(hash) FROM blocks_canonical_log
    WHERE chain = {chain:String} AND height IN {heights:Array(UInt32)}
"""


@dataclass(frozen=True, slots=True)
class BlockStretch:
    """Consecutive canonical blocks from `from_height` on, each the parent of the next.

    `times` are header times in unix seconds, `codes` the pools. A tag is 64 bits that stand for a hash: enough to tell a block from
    the one that took its height. `parent` is the tag of the block below the first.
    """

    from_height: int
    times: NDArray[np.int64]
    codes: NDArray[np.uint16]
    tags: NDArray[np.uint64]
    parent: int


def asymmetry_written(clickhouse: ClickHouse, pair: Pair) -> dict[RowKey, str]:
    """The `inputs_id` of every row of a pair."""
    rows = clickhouse.query(
        _ASYMMETRY,
        {
            "series": pair.series,
            "list": pair.list_id,
            "chain": pair.chain,
            "view": pair.view,
            "window": pair.window_blocks,
        },
    )
    found: dict[RowKey, str] = {}
    for knowledge, kind, slot, inputs_id in rows:
        day: date | None = slot if kind == "day" else None
        found[pair.key, knowledge, kind, day] = str(inputs_id)
    return found


def scored_tip(clickhouse: ClickHouse, chain: str, attribution_id: str) -> int | None:
    """The highest height that has concentration; None where none has."""
    [(height,)] = clickhouse.query(_SCORED_TIP, {"chain": chain, "id": attribution_id})
    return int(height) or None


def block_stretch(clickhouse: ClickHouse, chain: str, attribution_id: str, low: int, high: int) -> BlockStretch | None:
    """The canonical blocks of `low` … `high` with their pools, up to the first gap or the first block that is not the parent of
    the next; None where there are none.

    They begin above `low` where the chain does.
    """
    found: dict[str, Any] = clickhouse.query_columns(
        _BLOCKS, {"chain": chain, "id": attribution_id, "low": low, "high": high}
    )
    heights = np.asarray(found["height"], np.int64)
    if not len(heights):
        return None
    tags, parents = np.asarray(found["tag"], np.uint64), np.asarray(found["parent"], np.uint64)
    gaps = np.flatnonzero((np.diff(heights) != 1) | (parents[1:] != tags[:-1]))
    end = int(gaps[0]) + 1 if len(gaps) else len(heights)
    return BlockStretch(
        int(heights[0]),
        np.asarray(found["time"], np.int64)[:end],
        np.asarray(found["code"], np.uint16)[:end],
        tags[:end],
        int(parents[0]),
    )


def block_hashes(clickhouse: ClickHouse, chain: str, heights: Iterable[int]) -> dict[int, tuple[str, int]]:
    """Hash (hexadecimal) and tag of canonical blocks by height."""
    wanted = sorted(set(heights))
    if not wanted:
        return {}
    rows = clickhouse.query(_HASHES, {"chain": chain, "heights": wanted})
    return {int(height): (str(block_hash), int(tag)) for height, block_hash, tag in rows}
