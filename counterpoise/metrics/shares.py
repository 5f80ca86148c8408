"""Top-k share: what part of all blocks the k largest pools made, as a lower and an upper bound."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.metrics.counts import FloatArray, as_counts, as_unknown, descending, ratio


def share_bounds(count: ArrayLike, unknown: ArrayLike, n: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """(lower, upper) bound of the share of pools that made `count` of `n` blocks, `unknown` of which nobody is known to have made.

    Lower: none of the unknown blocks was theirs, count/n. Upper: all were, (count + unknown)/n. NaN where n is 0.
    """
    c, u = np.asarray(count, np.float64), np.asarray(unknown, np.float64)
    return ratio(c, n), ratio(c + u, n)


def top_k_share(counts: ArrayLike, k: int, *, unknown: ArrayLike = 0) -> FloatArray:
    """The lower bound of the share of the k largest pools, in [0, 1]; also called the concentration ratio CR_k.

    Unknown blocks are in the denominator and never ranked. With fewer than k pools it is the share of all. NaN without blocks
    (0/0 is no share, and least of all "no concentration"). Returns shape `counts.shape[:-1]`. Raises ValueError for k < 1.

    >>> float(top_k_share([3, 2, 1], 1)), float(top_k_share([3, 2, 1], 1, unknown=6))
    (0.5, 0.25)
    """
    return _bounds(counts, k, unknown)[0]


def top_k_share_upper(counts: ArrayLike, k: int, *, unknown: ArrayLike = 0) -> FloatArray:
    """As `top_k_share`, were every unknown block made by one of the k largest pools. In [`top_k_share`, 1].

    No way to attribute the unknown blocks, to these pools or to others, makes any k pools hold more.
    """
    return _bounds(counts, k, unknown)[1]


def _bounds(counts: ArrayLike, k: int, unknown: ArrayLike) -> tuple[FloatArray, FloatArray]:
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    vectors = as_counts(counts)
    missing = as_unknown(unknown, vectors)
    return share_bounds(descending(vectors)[..., :k].sum(axis=-1), missing, vectors.sum(axis=-1) + missing)
