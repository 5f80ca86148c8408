"""Herfindahl–Hirschman index: the sum of squared shares; in [0, 1], and in the 0–10,000 *points* of competition authorities.

Unknown blocks are in the denominator and not squared (nobody knows of how many hands they are), so `hhi` and `hhi_unbiased` are
lower bounds, as the top-k share is. `hhi_attributed` leaves them out altogether.

Reference: O. C. Herfindahl (1950), A. O. Hirschman (1945); the unbiased form is E. H. Simpson, "Measurement of Diversity",
Nature 163 (1949): the chance that two different blocks of the window are by one pool.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.metrics.counts import FloatArray, as_counts, as_unknown, ratio

POINTS = 10_000.0
"""Points of an index of 1: shares in per cent, squared."""


def hhi(counts: ArrayLike, *, unknown: ArrayLike = 0) -> FloatArray:
    """Σ (c/n)², in [0, 1], with n = Σc + unknown. 1 when one pool made every block, 0 when all are unknown, NaN without blocks.

    The plug-in estimate: under sampling it exceeds the index of the hashrate by about (1 − HHI)/n; see `hhi_unbiased`.

    >>> float(hhi([8, 6, 3, 3]))
    0.295
    """
    vectors = as_counts(counts)
    return hhi_of_sums(_sum_of_squares(vectors), vectors.sum(axis=-1) + as_unknown(unknown, vectors))


def hhi_points(counts: ArrayLike, *, unknown: ArrayLike = 0) -> FloatArray:
    """`hhi` in 0–10,000."""
    return hhi(counts, unknown=unknown) * POINTS


def hhi_attributed(counts: ArrayLike) -> FloatArray:
    """Σ (c/Σc)², unknown blocks left out, in [1/K, 1] for K pools seen. NaN without an attributed block."""
    return hhi(counts)


def hhi_unbiased(counts: ArrayLike, *, unknown: ArrayLike = 0) -> FloatArray:
    """Σ c(c − 1) / (n(n − 1)), n = Σc + unknown: its expectation over samples of n blocks is Σp² whatever n is. In [0, 1].

    NaN for fewer than two blocks.

    >>> float(hhi_unbiased([2, 2]))
    0.3333333333333333
    """
    vectors = as_counts(counts)
    known = vectors.sum(axis=-1)
    return hhi_unbiased_of_sums(_sum_of_squares(vectors), known, known + as_unknown(unknown, vectors))


def hhi_of_sums(s2: ArrayLike, n: ArrayLike) -> FloatArray:
    """`hhi` from s2 = Σc²; with Σc for n it is `hhi_attributed`."""
    blocks = np.asarray(n, np.float64)
    return ratio(s2, blocks * blocks)


def hhi_unbiased_of_sums(s2: ArrayLike, known: ArrayLike, n: ArrayLike) -> FloatArray:
    """`hhi_unbiased` from s2 = Σc² and known = Σc: Σc(c − 1) = s2 − known."""
    blocks = np.asarray(n, np.float64)
    return ratio(np.asarray(s2, np.float64) - np.asarray(known, np.float64), blocks * (blocks - 1.0))


def _sum_of_squares(vectors: ArrayLike) -> FloatArray:
    values = np.asarray(vectors, np.float64)
    result: FloatArray = np.einsum("...p,...p->...", values, values)
    return result
