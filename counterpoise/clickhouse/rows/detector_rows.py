"""Rows of detectors_log, from the arrays of the fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from counterpoise.clickhouse.columns import Column, Constant


def detector_columns(
    evidence: npt.NDArray[np.float32],
    masks: npt.NDArray[np.uint32],
    states: Mapping[int, Sequence[float]],
    *,
    attribution_id: str,
    chain: str,
    from_height: int,
    tip_hashes: Sequence[bytes],
    times: npt.NDArray[np.integer[Any]],
    version: int,
) -> dict[str, Column]:
    """A row for each of N heights from `from_height` on: `evidence` (N, tracks), `masks` (N,), `tip_hashes`, `times` (unix seconds).

    `states`: the whole state by height, where it is stored.
    """
    rows = len(evidence)
    return {
        "attribution_id": Constant(attribution_id, rows),
        "chain": Constant(chain, rows),
        "height": np.arange(from_height, from_height + rows, dtype=np.uint32),
        "tip_hash": np.frombuffer(b"".join(tip_hashes), np.uint8).reshape(-1, 32),
        "time": times.astype(np.int64) * 1000,
        "firing": masks,
        "evidence": evidence,
        "state": [states.get(height, ()) for height in range(from_height, from_height + rows)],
        "version": Constant(version, rows),
        "is_deleted": Constant(0, rows),
    }


def undone_detector_columns(
    heights: Sequence[int], tracks: int, *, attribution_id: str, chain: str, version: int
) -> dict[str, Column]:
    """A tombstone for each height."""
    rows = len(heights)
    return {
        "attribution_id": Constant(attribution_id, rows),
        "chain": Constant(chain, rows),
        "height": np.array(heights, np.uint32),
        "tip_hash": np.zeros((rows, 32), np.uint8),
        "time": Constant(0, rows),
        "firing": Constant(0, rows),
        "evidence": np.zeros((rows, tracks), np.float32),
        "state": [()] * rows,
        "version": Constant(version, rows),
        "is_deleted": Constant(1, rows),
    }
