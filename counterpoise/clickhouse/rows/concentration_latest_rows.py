"""Rows of concentration_latest_log: the newest height of every view and window, with its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from counterpoise.clickhouse.columns import Column, Constant
from counterpoise.metrics.spec import MetricSpec
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.windows import LEADERS

_COPIED = ("window_blocks", "n", "unknown", "window_full", "pools_seen", "s2", "s3", "s4", "gini_num", "sum_c_ln_c")


def latest_columns(
    newest: Mapping[str, npt.NDArray[Any]],
    slugs: Mapping[int, str],
    *,
    attribution_id: str,
    chain: str,
    height: int,
    tip_hash: bytes,
    time: int,
    version: int,
    specs: Mapping[str, MetricSpec] = SPECS,
) -> dict[str, Column]:
    """`newest`: stored columns and metrics by name, one row a (view, window); `slugs` by code; `time` in unix seconds."""
    rows = len(newest["n"])
    ranks = range(1, LEADERS + 1)
    leaders = [
        [(slugs[int(newest[f"l{k}"][row])], int(newest[f"c{k}"][row])) for k in ranks if newest[f"c{k}"][row]]
        for row in range(rows)
    ]
    return {
        "attribution_id": Constant(attribution_id, rows),
        "chain": Constant(chain, rows),
        "view": newest["view_code"].astype(np.int8),
        "height": Constant(height, rows),
        "tip_hash": [tip_hash.hex()] * rows,
        "time": Constant(time * 1000, rows),
        "leaders": leaders,
        **{name: newest[name] for name in _COPIED},
        **{f"c{k}": newest[f"c{k}"] for k in ranks},
        **{name: newest[name] for name in specs},
        "version": Constant(version, rows),
    }
