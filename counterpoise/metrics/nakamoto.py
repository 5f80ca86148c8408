"""Nakamoto coefficient: how few pools must agree to hold more than a given part of all blocks."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

ONE_THIRD = Fraction(1, 3)
"""The line of the selfish-mining literature."""
HALF = Fraction(1, 2)
"""The line of a majority attack."""


def nakamoto_of_ordered(largest_first: NDArray[Any], n: NDArray[Any], threshold: Fraction) -> NDArray[np.uint16]:
    """The smallest k for which the k largest pools together hold *strictly more than* `threshold` of all blocks, for each vector.

    Counts stand largest first; `n` are all blocks, unknown ones included, which belong to nobody. It is decided in integers,
    Σ·denominator > n·numerator: exactly half is never "more than half". 0 means *not reached*: there are no blocks, or all pools
    together do not exceed the line. ValueError for a threshold outside [0, 1].

    Stops at the first rank at which every row is decided, so its cost is that of the largest answer and not of the pools.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be a part of all blocks between 0 and 1, got {threshold}")
    line = n.astype(np.int64) * threshold.numerator
    held: NDArray[np.int64] = np.zeros(n.shape, dtype=np.int64)
    coefficient: NDArray[np.uint16] = np.zeros(n.shape, dtype=np.uint16)
    for rank in range(largest_first.shape[-1]):
        held = held + largest_first[..., rank].astype(np.int64) * threshold.denominator
        reached = held > line
        coefficient = np.where(reached & (coefficient == 0), np.uint16(rank + 1), coefficient)
        if reached.all():
            break
    return coefficient
