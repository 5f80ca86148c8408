"""Gini coefficient of the blocks made by each pool."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.metrics.counts import FloatArray, IntArray, as_counts, pools_seen, population_of, ratio


def gini(counts: ArrayLike, *, population: ArrayLike | None = None) -> FloatArray:
    """Σᵢ (2i − K − 1)·c₍ᵢ₎ / (K·Σc), counts ascending: half the mean difference of two pools over their mean. In [0, 1 − 1/K].

    K is the number of pools seen: a pool that made no block is no member, for a list of possible pools has no natural end.
    Give `population` (≥ pools seen, ValueError below) to count that many members, the rest of them with zero blocks. Unknown
    blocks are left out. 0 for one pool or equal pools; NaN without an attributed block. Returns shape `counts.shape[:-1]`.

    >>> float(gini([1, 1, 3])), float(gini([1, 1, 3], population=5))
    (0.26666666666666666, 0.56)
    """
    vectors = as_counts(counts)
    seen = pools_seen(vectors)
    members = population_of(vectors, population)
    known = vectors.sum(axis=-1)
    # d more members without blocks move each rank up by d and K by d: the numerator grows by d·Σc.
    return gini_of_sums(gini_numerator(vectors) + (members - seen) * known, members, known)


def gini_numerator(counts: ArrayLike) -> IntArray:
    """Σᵢ (2i − K − 1)·c₍ᵢ₎ over the K pools seen, counts ascending, i = 1…K: the sum of |cᵢ − cⱼ| over all pairs of pools."""
    ascending = np.sort(as_counts(counts), axis=-1)
    width = ascending.shape[-1]
    seen = np.count_nonzero(ascending, axis=-1)
    ranks = np.arange(1, width + 1) - (width - seen)[..., None]
    numerator: IntArray = ((2 * ranks - np.asarray(seen)[..., None] - 1) * ascending).sum(axis=-1)
    return numerator


def gini_of_sums(gini_num: ArrayLike, pools: ArrayLike, known: ArrayLike) -> FloatArray:
    """`gini` from its numerator, the number of pools seen and known = Σc."""
    return ratio(gini_num, np.asarray(pools, np.float64) * np.asarray(known, np.float64))
