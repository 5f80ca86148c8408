"""Sampling from the posterior of docs/methodology.md, and real windows to do it on."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tests.shared import shared_data

DRAWS = 200_000
FIRST_HEIGHT = 664_063

# Four windows; quiet times, the attribution outage of 2021, the first and the last firing of the default rule, the present.
REAL_WINDOWS = [
    (window, tip) for window in (144, 1008, 2016, 4320) for tip in (709_800, 760_903, 830_000, 892_330, 940_000)
]


@cache
def _pools() -> NDArray[np.str_]:
    table = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet"), columns=["pool_slug"])
    return np.array(table.column("pool_slug").to_pylist())


def real_counts(window: int, tip: int) -> tuple[NDArray[np.int64], int]:
    """Blocks of each pool, and without one, in the `window` blocks that end at height `tip`."""
    end = tip - FIRST_HEIGHT + 1
    slugs, counts = np.unique(_pools()[end - window : end], return_counts=True)
    return counts[slugs != "unknown"], int(counts[slugs == "unknown"].sum())


def draw(counts: NDArray[np.int64], unknown: int, seed: int) -> NDArray[np.float64]:
    """(DRAWS, K) shares of the K pools; what they lack of 1 is the unknown blocks'."""
    mass = counts + 1.0 / len(counts)
    alpha = np.append(mass, unknown) if unknown else mass
    gammas = np.random.default_rng(seed).standard_gamma(alpha, size=(DRAWS, len(alpha)))
    shares: NDArray[np.float64] = gammas / gammas.sum(axis=1, keepdims=True)
    return shares[:, : len(counts)]
