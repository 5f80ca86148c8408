"""Rows of the release fold as the columns of an insert. Pure.

Here and not beside the other tables' columns in `counterpoise.clickhouse.rows`, because the rows are the fold's own types.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from counterpoise.clickhouse.columns import Column, Constant
from counterpoise.clickhouse.rows.block_rows import coded
from counterpoise.clickhouse.rows.release_rows import days, optional
from counterpoise.clickhouse.rows.times import ticks_of_millis
from counterpoise.contracts.releases import VENUES
from counterpoise.metrics.dispersion import TREATMENTS
from streams.releases.fold.growth import GrowthRow
from streams.releases.fold.release_dispersion import Bounds, DispersionRow, Intervals, PlacementRow
from streams.releases.fold.value_draws import ERROR_MODELS


def dispersion_columns(rows: Sequence[DispersionRow], version: int) -> dict[str, Column]:
    """Rows of dispersion_log."""
    columns = _release_part(rows)
    columns["treatment"] = np.array([TREATMENTS.index(row.treatment) for row in rows], np.int8)
    for name in ("bucket_owners", "owners", "buckets", "missing", "outside", "imputed"):
        columns[name] = np.array([getattr(row, name) for row in rows], np.uint32)
    for name in ("total", "residual_share", "d2", "d1", "hhi", "top1", "top2", "top3", "top4"):
        columns[name] = np.array([getattr(row, name) for row in rows], np.float64)
    for metric in ("d2", "d1", "hhi", "top4"):
        for model in ERROR_MODELS:
            intervals: list[Intervals] = [getattr(row, model) for row in rows]
            _bounds(columns, metric, model, [getattr(interval, metric) for interval in intervals])
    return columns | {"version": Constant(version, len(rows))}


def placement_columns(rows: Sequence[PlacementRow], version: int) -> dict[str, Column]:
    """Rows of placement_log."""
    columns = _release_part(rows)
    for place, venue in enumerate(VENUES):
        columns[venue] = np.array([row.venue_totals[place] for row in rows], np.float64)
    columns["missing"] = [list(row.missing) for row in rows]
    columns["outside"] = [list(row.outside) for row in rows]
    for name in ("cutoff", "edge_share", "edge_share_lower", "edge_share_upper"):
        columns[name] = optional([getattr(row, name) for row in rows])
    _bounds(columns, "edge_share", "independent", [row.edge_independent for row in rows])
    _bounds(columns, "edge_share", "correlated", [row.edge_correlated for row in rows])
    columns["items"] = np.array([row.items for row in rows], np.uint32)
    for name in ("providers_mean", "providers_median", "single_provider_share"):
        columns[name] = optional([getattr(row, name) for row in rows])
    return columns | {"version": Constant(version, len(rows))}


def growth_columns(rows: Sequence[GrowthRow], version: int, *, deleted: bool = False) -> dict[str, Column]:
    """Rows of growth_log, or tombstones for them."""
    n = len(rows)
    return {
        "series": coded([row.series for row in rows]),
        "list_id": coded([row.list_id for row in rows]),
        "period_start": days([row.period_start for row in rows]),
        "period_end": days([row.period_end for row in rows]),
        "span": coded([row.span for row in rows]),
        "release_id": [row.release_id for row in rows],
        "base_release_id": [row.base_release_id for row in rows],
        "base_period_end": days([row.base_period_end for row in rows]),
        "total_ratio": np.array([row.total_ratio for row in rows], np.float64),
        "like_for_like_ratio": optional([row.like_for_like_ratio for row in rows]),
        "compared_share": np.array([row.compared_share for row in rows], np.float64),
        "parts_added": [list(row.parts_added) for row in rows],
        "parts_dropped": [list(row.parts_dropped) for row in rows],
        "method_changed": np.array([row.method_changed for row in rows], np.bool_),
        "version": Constant(version, n),
        "is_deleted": Constant(int(deleted), n),
    }


def _release_part(rows: Sequence[DispersionRow] | Sequence[PlacementRow]) -> dict[str, Column]:
    return {
        "series": coded([row.series for row in rows]),
        "list_id": coded([row.list_id for row in rows]),
        "catalogue_id": coded([row.catalogue_id for row in rows]),
        "release_id": [row.release_id for row in rows],
        "layer": coded([row.layer for row in rows]),
        "unit": coded([row.unit for row in rows]),
        "period_start": days([row.period_start for row in rows]),
        "period_end": days([row.period_end for row in rows]),
        "published_at": ticks_of_millis(row.published_at_ms for row in rows),
    }


def _bounds(columns: dict[str, Column], metric: str, model: str, bounds: Sequence[Bounds]) -> None:
    columns[f"{metric}_low_{model}"] = optional([None if found is None else found[0] for found in bounds])
    columns[f"{metric}_high_{model}"] = optional([None if found is None else found[1] for found in bounds])
