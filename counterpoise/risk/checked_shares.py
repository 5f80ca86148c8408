"""Arguments of the risk functions, checked in one place."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def as_shares(shares: ArrayLike) -> FloatArray:
    """Shares as float64. ValueError for one outside [0, 1] or NaN."""
    array = np.asarray(shares, np.float64)
    if not np.all((array >= 0.0) & (array <= 1.0)):
        raise ValueError(f"a share is a part of the hashrate between 0 and 1, got {array.tolist()!r:.60}")
    return array


def as_probability(probability: float) -> float:
    """A probability strictly between 0 and 1; ValueError otherwise."""
    if not 0.0 < probability < 1.0:
        raise ValueError(f"a probability is above 0 and below 1, got {probability}")
    return float(probability)
