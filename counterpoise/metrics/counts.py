"""Count vectors: what every metric of this package takes, checked and put in order in one place.

A *count vector* says how many blocks each pool made in a window: non-negative integers, in any order, zeros allowed. Blocks without a
known producer are no entry of the vector; they come beside it as `unknown`. A matrix (N, P) is N vectors, one a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_BLOCKS = 9_741
"""The largest window whose sums stay exact: 9741⁴ < 2⁵³, and 9741·ln 9741·2⁴⁶ < 2⁶³."""


def as_counts(counts: ArrayLike) -> IntArray:
    """Return `counts` as int64 with the pools along the last axis.

    Raises ValueError for a negative or fractional count (a share or a rate is no count) and for a scalar.
    """
    array: NDArray[Any] = np.asarray(counts)
    if array.ndim == 0:
        raise ValueError(f"counts must be a vector or a matrix of block counts, got the scalar {counts!r}")
    if array.size == 0:
        return np.zeros(array.shape, dtype=np.int64)
    if not np.issubdtype(array.dtype, np.integer):
        whole = array.astype(np.float64)
        if not np.all(np.isfinite(whole) & (whole == np.floor(whole))):
            raise ValueError("counts must be whole numbers of blocks; found a fraction, an infinity or NaN")
    result = array.astype(np.int64)
    if result.min() < 0:
        raise ValueError(f"counts must not be negative, found {result.min()}")
    return result


def as_unknown(unknown: ArrayLike, counts: IntArray) -> IntArray:
    """Return `unknown` as int64, broadcast to one number for each vector in `counts`. Raises ValueError as `as_counts` does."""
    array = as_counts(np.atleast_1d(np.asarray(unknown)))
    shape = counts.shape[:-1]
    return np.broadcast_to(array if shape else array.reshape(()), shape)


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """numerator / denominator in float64, NaN where the denominator is zero."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    result: FloatArray = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)
    return result
