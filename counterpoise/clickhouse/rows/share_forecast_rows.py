"""Rows of share_forecasts_log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from counterpoise.clickhouse.columns import Column, Constant

_NUMBERS = ("drift", "share", "low", "high", "above_75", "outcome")


def share_forecast_columns(
    rows: Sequence[Any],
    blocks: Mapping[int, tuple[bytes, int]],
    undone: Sequence[tuple[int, int]] = (),
    *,
    attribution_id: str,
    chain: str,
    version: int,
) -> dict[str, Column]:
    """`rows` have view_code, height, leaders and `_NUMBERS`; `blocks`: hash and header time (unix seconds) by height; `undone`:
    (view code, height) of tombstones."""
    count = len(rows) + len(undone)
    heights = [row.height for row in rows]
    return {
        "attribution_id": Constant(attribution_id, count),
        "chain": Constant(chain, count),
        "view": np.array([row.view_code for row in rows] + [view for view, _ in undone], np.int8),
        "height": np.array(heights + [height for _, height in undone], np.uint32),
        "tip_hash": [blocks[height][0] for height in heights] + [bytes(32)] * len(undone),
        "time": np.array([blocks[height][1] * 1000 for height in heights] + [0] * len(undone), np.int64),
        "leaders": [row.leaders for row in rows] + [()] * len(undone),
        **{name: np.array([getattr(row, name) for row in rows] + [0.0] * len(undone)) for name in _NUMBERS},
        "version": Constant(version, count),
        "is_deleted": np.array([0] * len(rows) + [1] * len(undone), np.uint8),
    }
