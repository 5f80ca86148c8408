"""The state of the market side from ClickHouse: what arrived, what is written of it, and the blocks that it is compared with."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.contracts.releases import ReleaseEvent
from streams.asymmetry.fold.score import Pair, RowKey
from streams.releases.fold.growth import GrowthRow
from streams.releases.fold.release_fold import Current

CONTENTS_A_QUERY = 500

_CONTENTS = "SELECT DISTINCT content_id FROM release_chunks_log WHERE series = {series:String}"
_EVENTS = """
    SELECT content_id, any(event) FROM release_chunks_log
    WHERE series = {series:String} AND content_id IN {ids:Array(String)} GROUP BY content_id
"""
_WRITTEN = """
    SELECT release_id, catalogue_id, toUnixTimestamp64Milli(withdrawn_at) FROM releases_log FINAL WHERE series = {series:String}
"""
_CURRENT = """
    SELECT series, kind, toString(period_start), toString(period_end), release_id FROM release_current_log FINAL
    WHERE series = {series:String}
"""
_GROWTH = """
    SELECT series, list_id, toString(period_start), toString(period_end), span, release_id, base_release_id,
        toString(base_period_end), total_ratio, like_for_like_ratio, compared_share, parts_added, parts_dropped, method_changed
    FROM growth_log FINAL WHERE series = {series:String}
"""
_CATALOGUE = "SELECT series, argMax(catalogue_id, version) FROM series_log GROUP BY series"

_ASYMMETRY = """
    SELECT toString(knowledge), toString(kind), slot, inputs_id FROM asymmetry_log FINAL
    WHERE series = {series:String} AND list_id = {list:String} AND chain = {chain:String} AND view = {view:String}
      AND window_blocks = {window:UInt16}
"""
_SCORED_TIP = """
    SELECT max(height) FROM concentration_log FINAL
    WHERE attribution_id = {id:String} AND chain = {chain:String} AND view = 'raw' AND window_blocks = 144
"""
# Every block up to the scored tip has its attribution: both are written before the concentration.
_BLOCKS = """
    SELECT b.height AS height, intDiv(toUnixTimestamp64Milli(b.time), 1000) AS time, a.pool_code AS code
    FROM
    (
        SELECT height, hash, time FROM blocks_canonical_log
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
    SELECT height, lower(hex(hash)) FROM blocks_canonical_log WHERE chain = {chain:String} AND height IN {heights:Array(UInt32)}
"""


@dataclass(frozen=True, slots=True)
class WrittenRows:
    """What the tables say of a complete release: the entry its rows rest on, and when it was taken back."""

    catalogue_id: str
    withdrawn_at_ms: int | None


@dataclass(frozen=True, slots=True)
class BlockStretch:
    """Consecutive canonical blocks from `from_height` on: header times in unix seconds and pool codes."""

    from_height: int
    times: NDArray[np.int64]
    codes: NDArray[np.uint16]


def stored_series(clickhouse: ClickHouse) -> list[str]:
    """Every series of which anything arrived."""
    return [str(name) for (name,) in clickhouse.query("SELECT DISTINCT series FROM release_chunks_log ORDER BY series")]


def stored_contents(clickhouse: ClickHouse, series: str) -> set[str]:
    """The ids of all chunks and withdrawals of a series."""
    return {str(content) for (content,) in clickhouse.query(_CONTENTS, {"series": series})}


def stored_events(clickhouse: ClickHouse, series: str, contents: Collection[str]) -> list[tuple[str, ReleaseEvent]]:
    """These chunks and withdrawals, each with its id."""
    ids = sorted(contents)
    found: list[tuple[str, ReleaseEvent]] = []
    for start in range(0, len(ids), CONTENTS_A_QUERY):
        rows = clickhouse.query(_EVENTS, {"series": series, "ids": ids[start : start + CONTENTS_A_QUERY]})
        found += [(str(content), ReleaseEvent.model_validate_json(event)) for content, event in rows]
    return found


def written_releases(clickhouse: ClickHouse, series: str) -> dict[str, WrittenRows]:
    """The complete releases that are written, by id."""
    rows = clickhouse.query(_WRITTEN, {"series": series})
    return {str(release_id): WrittenRows(str(catalogue_id), at) for release_id, catalogue_id, at in rows}


def current_pointers(clickhouse: ClickHouse, series: str) -> set[Current]:
    """The pointers that are written."""
    return {Current(*row) for row in clickhouse.query(_CURRENT, {"series": series})}


def growth_written(clickhouse: ClickHouse, series: str) -> set[GrowthRow]:
    """The rows of growth that are written."""
    rows = clickhouse.query(_GROWTH, {"series": series})
    return {_growth_row(row) for row in rows}


def catalogue_written(clickhouse: ClickHouse) -> dict[str, str]:
    """The entry of the catalogue that is current in the tables, by series."""
    return {str(series): str(catalogue_id) for series, catalogue_id in clickhouse.query(_CATALOGUE)}


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
    """The canonical blocks of `low` … `high` with their pools, up to the first gap; None where there are none.

    They begin above `low` where the chain does.
    """
    found: dict[str, Any] = clickhouse.query_columns(
        _BLOCKS, {"chain": chain, "id": attribution_id, "low": low, "high": high}
    )
    heights = np.asarray(found["height"], np.int64)
    if not len(heights):
        return None
    gaps = np.flatnonzero(np.diff(heights) != 1)
    end = int(gaps[0]) + 1 if len(gaps) else len(heights)
    return BlockStretch(
        int(heights[0]), np.asarray(found["time"], np.int64)[:end], np.asarray(found["code"], np.uint16)[:end]
    )


def block_hashes(clickhouse: ClickHouse, chain: str, heights: Iterable[int]) -> dict[int, str]:
    """Hashes of canonical blocks by height, hexadecimal."""
    wanted = sorted(set(heights))
    if not wanted:
        return {}
    rows = clickhouse.query(_HASHES, {"chain": chain, "heights": wanted})
    return {int(height): str(block_hash) for height, block_hash in rows}


def _growth_row(row: tuple[Any, ...]) -> GrowthRow:
    values = dict(zip(GrowthRow.__slots__, row, strict=True))
    for name in ("parts_added", "parts_dropped"):
        values[name] = tuple(values[name])
    return GrowthRow(**values)
