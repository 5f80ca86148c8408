"""Rows of the asymmetry fold as the columns of an insert. Pure.

Here and not beside the other tables' columns in `counterpoise.clickhouse.rows`, because the rows are the fold's own types.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

import numpy as np

from counterpoise.clickhouse.columns import Column, Constant
from counterpoise.clickhouse.rows.block_rows import coded
from counterpoise.clickhouse.rows.release_rows import days, optional
from counterpoise.clickhouse.rows.times import ticks_of_millis
from counterpoise.metrics.dispersion import TREATMENTS
from streams.asymmetry.fold.change import ChangePart
from streams.asymmetry.fold.score import AsymmetryRow, Pair, RowKey
from streams.releases.fold.value_draws import ERROR_MODELS

NO_DAY: Final = date(1970, 1, 1)
"""The slot of the one latest row of a pair."""

_KNOWLEDGE: Final = {"live": 0, "latest": 1}
_KINDS: Final = {"day": 0, "latest": 1}


def asymmetry_columns(rows: Sequence[AsymmetryRow], version: int) -> dict[str, Column]:
    """Rows of asymmetry_log."""
    n = len(rows)
    columns = _key_part([(row.pair, row.key) for row in rows])
    columns["day"] = [row.day for row in rows]
    for name in ("ai_layer", "mining_layer", "catalogue_id", "attribution_id", "level", "regime", "gap"):
        columns[name] = coded([getattr(row, name) for row in rows])
    columns["valid_at"] = ticks_of_millis(row.valid_at_ms for row in rows)
    columns["known_at"] = ticks_of_millis(row.known_at_ms for row in rows)
    columns["published_at"] = ticks_of_millis(row.published_at_ms for row in rows)
    for name in ("hindsight", "coverage_changed", "release_changed", "mining_changed"):
        columns[name] = np.array([getattr(row, name) for row in rows], np.bool_)
    for name in ("release_id", "tip_hash", "inputs_id"):
        columns[name] = [getattr(row, name) for row in rows]
    columns["period_end"] = days([row.period_end for row in rows])
    columns["horizon_release_id"] = [row.horizon_release_id or "" for row in rows]
    columns["horizon_tip_height"] = np.ma.array(
        np.array([row.horizon_tip_height or 0 for row in rows], np.uint32),
        mask=np.array([row.horizon_tip_height is None for row in rows], np.bool_),
    )
    for name in ("bucket_owners", "tip_height"):
        columns[name] = np.array([getattr(row, name) for row in rows], np.uint32)
    for name in ("known_blocks", "unknown_blocks", "trend_periods"):
        columns[name] = np.array([getattr(row, name) for row in rows], np.uint16)
    for name, field in (("d2_mining_low", "d2_mining_lo"), ("d2_mining_high", "d2_mining_hi")):
        columns[name] = np.array([getattr(row, field) for row in rows], np.float64)
    for name in ("ai_age_days", "mining_age_days", "d2_mining", "drift_sd", "l_min", "l_max"):
        columns[name] = np.array([getattr(row, name) for row in rows], np.float64)
    for model in ERROR_MODELS:
        columns[f"low_{model}"] = np.array([getattr(row, f"lo_{model}") for row in rows], np.float64)
        columns[f"high_{model}"] = np.array([getattr(row, f"hi_{model}") for row in rows], np.float64)
    for place, treatment in enumerate(TREATMENTS):
        scores = [row.treatments[place] for row in rows]
        columns[f"d2_ai_{treatment}"] = np.array([one.d2_ai for one in scores], np.float64)
        columns[f"l_{treatment}"] = np.array([one.l for one in scores], np.float64)
        columns[f"a_{treatment}"] = np.array([one.a for one in scores], np.float64)
        columns[f"trend_{treatment}"] = optional([one.trend_per_year for one in scores])
        for model in ERROR_MODELS:
            estimates = [getattr(one, model) for one in scores]
            columns[f"l_{treatment}_low_{model}"] = np.array([one.lo for one in estimates], np.float64)
            columns[f"l_{treatment}_high_{model}"] = np.array([one.hi for one in estimates], np.float64)
            columns[f"p_{treatment}_{model}"] = np.array([one.p_positive for one in estimates], np.float64)
    return columns | {"version": Constant(version, n), "is_deleted": Constant(0, n)}


def asymmetry_tombstones(pair: Pair, keys: Sequence[RowKey], version: int) -> dict[str, Column]:
    """Tombstones of rows of one pair; their other columns are left to the table's defaults."""
    columns = _key_part([(pair, key) for key in keys])
    return columns | {"version": Constant(version, len(keys)), "is_deleted": Constant(1, len(keys))}


def part_columns(pair: Pair, parts: Sequence[ChangePart], version: int) -> dict[str, Column]:
    """Rows of asymmetry_changes_log, of one pair."""
    columns = _key_part([(pair, part.row) for part in parts])
    return columns | {
        "inputs_id": [part.inputs_id for part in parts],
        "treatment": coded([part.part.treatment for part in parts]),
        "component": coded([part.part.component for part in parts]),
        "name": [part.part.name for part in parts],
        "doublings": np.array([part.part.doublings for part in parts], np.float64),
        "version": Constant(version, len(parts)),
    }


def _key_part(keys: Iterable[tuple[Pair, RowKey]]) -> dict[str, Column]:
    placed = list(keys)
    return {
        "series": coded([pair.series for pair, _ in placed]),
        "list_id": coded([pair.list_id for pair, _ in placed]),
        "chain": coded([pair.chain for pair, _ in placed]),
        "view": coded([pair.view for pair, _ in placed]),
        "window_blocks": np.array([pair.window_blocks for pair, _ in placed], np.uint16),
        "knowledge": np.array([_KNOWLEDGE[key[1]] for _, key in placed], np.int8),
        "kind": np.array([_KINDS[key[2]] for _, key in placed], np.int8),
        "slot": [key[3] or NO_DAY for _, key in placed],
    }
