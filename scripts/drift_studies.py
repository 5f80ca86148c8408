"""How much of a fitted drift is the luck of where its windows begin. Part of scripts/studies.py, which writes docs/studies.md."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from counterpoise.estimates.drift import DRIFT_WINDOW_BLOCKS, FAMILIES, HHI_FAMILY, SHIPPED_DRIFT, squared_change
from counterpoise.metrics.hhi_interval import pair_moments

OFFSET_STEP: Final = 96
"""Blocks from one grid of windows to the next; 21 grids in all."""


def grid_fits(codes: NDArray[np.int64], first: int) -> dict[str, list[float]]:
    """σ² a block of each family from these blocks, once for each grid of windows; never below 0.

    The first grid is that of the stored fits: its windows end at heights divisible by 2,016. `first`: height of the first block.
    """
    step = DRIFT_WINDOW_BLOCKS
    found: dict[str, list[float]] = {family: [] for family in FAMILIES}
    to_grid = (1 - first) % step
    for offset in range(0, step, OFFSET_STEP):
        begin = (to_grid + offset) % step
        whole = (len(codes) - begin) // step
        windows = codes[begin : begin + whole * step].reshape(whole, step)
        counts = np.stack([np.bincount(window, minlength=int(codes.max()) + 1) for window in windows])
        counts[:, 0] = 0  # unknown blocks are nobody's
        for family in FAMILIES:
            excess = [_excess(family, *counts[end - 2 : end + 1]) for end in range(2, whole)]
            found[family].append(max(0.0, math.fsum(excess) / len(excess) * 3.0 / (2.0 * step)))
    return found


def grid_rows(codes: NDArray[np.int64], first: int) -> list[list[str]]:
    """The least, median, mean and largest fit over all grids, that of the stored grid, and the shipped constant."""
    rows = []
    for family, fits in grid_fits(codes, first).items():
        values = [fits[0], *(float(f(fits)) for f in (np.min, np.median, np.mean, np.max)), SHIPPED_DRIFT[family]]
        name = "HHI" if family == HHI_FAMILY else f"top {family.removeprefix('top')}"
        rows.append([name, *(f"{value:.1e}" for value in values)])
    return rows


def _excess(family: str, picked: NDArray[np.int64], before: NDArray[np.int64], after: NDArray[np.int64]) -> float:
    """A pair's squared change without the part of chance; the leaders are those of the window before both."""
    n = float(DRIFT_WINDOW_BLOCKS)
    if family != HHI_FAMILY:
        best = np.lexsort((np.arange(len(picked)), -picked))[: int(family.removeprefix("top"))]
        change, chance = squared_change(float(before[best].sum()) / n, float(after[best].sum()) / n)
        return change - chance
    (q1, v1), (q2, v2) = (
        pair_moments((c**2).sum(), (c**3).sum(), c.sum(), n) for c in (before.astype(float), after.astype(float))
    )
    return float((q2 - q1) ** 2 - v1 - v2)
