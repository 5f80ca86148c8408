"""Nakamoto coefficient: how few pools must agree to hold more than a given part of all blocks."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.metrics.counts import IntArray, as_counts, as_unknown, descending

ONE_THIRD = Fraction(1, 3)
"""The line of the selfish-mining literature."""
HALF = Fraction(1, 2)
"""The line of a majority attack."""


def nakamoto(counts: ArrayLike, threshold: Fraction = HALF, *, unknown: ArrayLike = 0) -> IntArray:
    """The smallest k for which the k largest pools together hold *strictly more than* `threshold` of all blocks.

    Unknown blocks count in the total and belong to nobody. Decided in integers: Σ·denominator > n·numerator, so that exactly
    half is never "more than half". Returns shape `counts.shape[:-1]`; 0 means *not reached*: there are no blocks, or all
    pools together do not exceed the line (possible only with unknown blocks or `threshold` = 1).

    Raises ValueError for a threshold outside [0, 1].

    >>> int(nakamoto([3, 2, 1])), int(nakamoto([3, 2, 1], ONE_THIRD))
    (2, 1)
    """
    vectors = as_counts(counts)
    n = vectors.sum(axis=-1) + as_unknown(unknown, vectors)
    ordered = descending(vectors)
    return nakamoto_of_ordered(ordered, n, threshold).astype(np.int64)


def nakamoto_of_ordered(largest_first: NDArray[Any], n: NDArray[Any], threshold: Fraction) -> NDArray[np.uint16]:
    """`nakamoto` of vectors that already stand largest first, with `n` (all blocks, unknown included) given for each.

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
