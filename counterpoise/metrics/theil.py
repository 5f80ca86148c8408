"""Theil index (T) of the blocks made by each pool: how far the pools are from being equal, in nats."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.metrics.counts import FloatArray, as_counts, population_of
from counterpoise.metrics.entropy import shannon_nats


def theil(counts: ArrayLike, *, population: ArrayLike | None = None) -> FloatArray:
    """T = (1/K) Σ (c/c̄)·ln(c/c̄) = ln K − H, in [0, ln K]; 0 when the pools are equal.

    K is the number of pools seen, or `population` (≥ pools seen, ValueError below) if members without blocks are to count.
    Unknown blocks are left out. NaN without an attributed block. Returns shape `counts.shape[:-1]`.

    Reference: H. Theil, "Economics and Information Theory" (1967).
    """
    vectors = as_counts(counts)
    return theil_of(shannon_nats(vectors), population_of(vectors, population))


def theil_of(nats: ArrayLike, pools: ArrayLike) -> FloatArray:
    """`theil` from the entropy in nats and the number of members; never below 0."""
    k = np.asarray(pools, np.float64)
    index: FloatArray = np.maximum(np.log(np.where(k > 0, k, 1.0)) - np.asarray(nats, np.float64), 0.0)
    return index
