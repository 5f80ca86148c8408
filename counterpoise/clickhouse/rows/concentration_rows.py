"""Rows of concentration_log, from the arrays of the fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from counterpoise.clickhouse.columns import Column, Constant
from counterpoise.metrics.stored_integers import STORED_COLUMNS
from counterpoise.windows import VIEWS


def concentration_columns(
    table: Mapping[str, npt.NDArray[Any]],
    *,
    attribution_id: str,
    chain: str,
    from_height: int,
    tip_hashes: Sequence[bytes],
    times: npt.NDArray[np.integer[Any]],
    version: int,
) -> dict[str, Column]:
    """Rows for every (view, window, block) of a fold's `ConcentrationTable.columns()`.

    The table's `index` counts the N new blocks from `from_height` on; `tip_hashes` (32 raw bytes each) and `times` (unix seconds) are
    theirs, one a block.
    """
    index = table["index"]
    rows = len(index)
    hashes = np.frombuffer(b"".join(tip_hashes), np.uint8).reshape(-1, 32)
    return {
        "attribution_id": Constant(attribution_id, rows),
        "chain": Constant(chain, rows),
        "view": table["view_code"],
        "window_blocks": table["window_blocks"],
        "height": (index + np.uint32(from_height)).astype(np.uint32),
        "tip_hash": hashes[index],
        "time": (times.astype(np.int64) * 1000)[index],
        **{name: table[name] for name in STORED_COLUMNS},
        "version": Constant(version, rows),
        "is_deleted": Constant(0, rows),
    }


def tombstone_columns(
    *,
    attribution_id: str,
    chain: str,
    heights: Sequence[int],
    windows: Sequence[int],
    views: int = len(VIEWS),
    version: int,
) -> dict[str, Column]:
    """A tombstone for every view and window of each height that a reorganisation undid and no new block took.

    `columns.concatenate` puts them behind the rows of the new branch, so that the whole switch is one insert.
    """
    keys = views * len(windows)
    rows = keys * len(heights)
    zeros: dict[str, Column] = {name: Constant(0, rows) for name in STORED_COLUMNS}
    return {
        "attribution_id": Constant(attribution_id, rows),
        "chain": Constant(chain, rows),
        "view": np.repeat(np.arange(views, dtype=np.int8), len(windows) * len(heights)),
        "window_blocks": np.tile(np.repeat(np.array(windows, np.uint16), len(heights)), views),
        "height": np.tile(np.array(heights, np.uint32), keys),
        "tip_hash": np.zeros((rows, 32), np.uint8),
        "time": Constant(0, rows),
        **zeros,
        "version": Constant(version, rows),
        "is_deleted": Constant(1, rows),
    }
