"""Rows of time_windows_log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from counterpoise.clickhouse.columns import Column, Constant, concatenate
from counterpoise.windows import LEADERS, SPANS_DAYS, VIEWS

COUNTED: Final = (
    "from_height",
    "n",
    "unknown",
    "window_full",
    "pools_seen",
    *(f"c{rank}" for rank in range(1, LEADERS + 1)),
    *(f"l{rank}" for rank in range(1, LEADERS + 1)),
    "s2",
    "nakamoto_one_third",
    "nakamoto_half",
)
"""Integer columns of a row, in the order of the table; work1…work6 follow."""

WORK: Final = tuple(f"work{rank}" for rank in range(1, LEADERS + 1))


def time_window_columns(
    table: Mapping[str, NDArray[Any]],
    undone_heights: Sequence[int],
    *,
    attribution_id: str,
    chain: str,
    from_height: int,
    tip_hashes: Sequence[bytes],
    times: NDArray[np.integer[Any]],
    version: int,
) -> dict[str, Column]:
    """Rows of a fold's `TimeWindowTable.columns`, and the tombstones of heights that bear no row any more.

    `tip_hashes` (32 raw bytes each) and `times` (unix seconds) are those of the heights from `from_height` on.
    """
    rows = len(table["height"])
    index = table["height"].astype(np.int64) - from_height
    hashes = np.frombuffer(b"".join(tip_hashes), np.uint8).reshape(-1, 32)
    columns: dict[str, Column] = {
        "attribution_id": Constant(attribution_id, rows),
        "chain": Constant(chain, rows),
        "view": table["view_code"],
        "span_days": table["span_days"],
        "height": table["height"],
        "tip_hash": hashes[index],
        "time": (times.astype(np.int64) * 1000)[index],
        **{name: table[name] for name in (*COUNTED, *WORK)},
        "version": Constant(version, rows),
        "is_deleted": Constant(0, rows),
    }
    undone = undone_time_window_columns(undone_heights, attribution_id=attribution_id, chain=chain, version=version)
    return concatenate(columns, undone) if undone_heights else columns


def undone_time_window_columns(
    heights: Sequence[int], *, attribution_id: str, chain: str, version: int
) -> dict[str, Column]:
    """A tombstone for every view and span of each height."""
    keys = len(VIEWS) * len(SPANS_DAYS)
    rows = keys * len(heights)
    return {
        "attribution_id": Constant(attribution_id, rows),
        "chain": Constant(chain, rows),
        "view": np.repeat(np.arange(len(VIEWS), dtype=np.int8), len(SPANS_DAYS) * len(heights)),
        "span_days": np.tile(np.repeat(np.array(SPANS_DAYS, np.uint16), len(heights)), len(VIEWS)),
        "height": np.tile(np.array(heights, np.uint32), keys),
        "tip_hash": np.zeros((rows, 32), np.uint8),
        "time": Constant(0, rows),
        **{name: Constant(0, rows) for name in COUNTED},
        **{name: Constant(0.0, rows) for name in WORK},
        "version": Constant(version, rows),
        "is_deleted": Constant(1, rows),
    }
