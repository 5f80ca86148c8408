"""95 % intervals of the HHI and of the effective number D₂, in closed form from the stored sums.

The chance that two different blocks of the window are by one pool estimates Σp² without bias at any n. It is a U-statistic of order
2, whose variance is known (W. Hoeffding, "A Class of Statistics with Asymptotically Normal Distribution", 1948). With n blocks, m
of them attributed, s₂ = Σc² and s₃ = Σc³,

    q = (s₂ − m) / (n(n − 1))                      pairs of blocks by one pool
    r = (s₃ − 3s₂ + 2m) / (n(n − 1)(n − 2))        triples; r ≥ q² in truth, so a smaller one counts as q²
    V = 2(2(n − 2)·max(r − q², 0) + q − q²) / ((n − 2)(n − 3))

V has no bias either: Hoeffding's variance is divided by n(n − 1), and q² of the same blocks is too large by V, which takes
(4n − 6)/(n(n − 1)) of V away again. At 144 blocks that is 3 % of the variance.

The ends are q·exp(∓z√V/q): symmetric in the logarithm, so that D₂ = 1/q has the reciprocal ends. Two limits keep the ends honest
where the sample has no spread: pools that were not seen may hold 1 − 0.025^(1/n) of the hashrate, so the lower end is at most
0.025^(2/n); and where no two blocks are by one pool, the upper end is −2·ln 0.025/(n(n − 1)). The plug-in index, which lies
above q by about (1 − q)/n, is always inside. docs/studies.md has the coverage.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.metrics.counts import FloatArray

Z_95: Final = 1.959963984540054
"""The 0.975 quantile of the standard normal distribution."""
TAIL: Final = 0.025
NO_PAIR: Final = -2.0 * math.log(TAIL)
"""Without a pair by one pool among n(n − 1)/2, Σp² is below NO_PAIR / (n(n − 1)) with 97.5 %: pairs are about Poisson."""


def pair_moments(s2: ArrayLike, s3: ArrayLike, known: ArrayLike, n: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """(q, V): the unbiased estimates of Σp² and of its variance. NaN for fewer than four blocks."""
    s2_, s3_, m, blocks = (np.asarray(values, np.float64) for values in (s2, s3, known, n))
    some = np.where(blocks > 3, blocks, np.nan)
    q = (s2_ - m) / (some * (some - 1.0))
    return q, _doubled_spread(q, triple_moment(s2_, s3_, m, some), some) / ((some - 2.0) * (some - 3.0))


def triple_moment(s2: ArrayLike, s3: ArrayLike, known: ArrayLike, n: ArrayLike) -> FloatArray:
    """r: the unbiased estimate of Σp³. NaN for fewer than three blocks."""
    s2_, s3_, m, blocks = (np.asarray(values, np.float64) for values in (s2, s3, known, n))
    some = np.where(blocks > 2, blocks, np.nan)
    return np.asarray((s3_ - 3.0 * s2_ + 2.0 * m) / (some * (some - 1.0) * (some - 2.0)))


def variance_of_other_pairs(q: FloatArray, r: FloatArray, variance: FloatArray, m: FloatArray) -> FloatArray:
    """The variance of the index of m other blocks of the same hashrate, from the q, r and V of these. NaN for fewer than three."""
    some = np.where(m > 2, m, np.nan)
    # q² less V is the square without bias: V is added to both terms that have it.
    more = (2.0 * (2.0 * (some - 2.0) + 1.0)) * variance
    return np.asarray((_doubled_spread(q, r, some) + more) / (some * (some - 1.0)))


def _doubled_spread(q: FloatArray, r: FloatArray, n: FloatArray) -> FloatArray:
    return np.asarray(2.0 * (2.0 * (n - 2.0) * np.maximum(r - q * q, 0.0) + np.maximum(q - q * q, 0.0)))


def hhi_interval(s2: ArrayLike, s3: ArrayLike, known: ArrayLike, n: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """(lower, upper) end of the 95 % interval of `hhi`: the pools' index with unknown blocks in the denominator n. In [0, 1].

    (0, 1) for one to three blocks, (NaN, NaN) without blocks.
    """
    s2_, blocks = np.asarray(s2, np.float64), np.asarray(n, np.float64)
    q, variance = pair_moments(s2, s3, known, n)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        factor = np.exp(Z_95 * np.sqrt(variance) / q)
        lower = np.where(q > 0, np.minimum(q / factor, TAIL ** (2.0 / blocks)), 0.0)
        upper = np.where(q > 0, q * factor, NO_PAIR / (blocks * (blocks - 1.0)))
        upper = np.minimum(np.maximum(upper, s2_ / (blocks * blocks)), 1.0)
    few = blocks < 4
    lower, upper = np.where(few, 0.0, lower), np.where(few, 1.0, upper)
    return np.where(blocks > 0, lower, np.nan), np.where(blocks > 0, upper, np.nan)


def d2_interval(s2: ArrayLike, s3: ArrayLike, known: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """(lower, upper) end of the 95 % interval of D₂, unknown blocks left out, from 1 on: the reciprocals of the index's ends.

    The upper end is NaN where no two blocks are by one pool: nothing bounds the number then. Both are NaN without an attributed
    block.
    """
    lower, upper = hhi_interval(s2, s3, known, known)
    with np.errstate(divide="ignore"):
        return 1.0 / upper, np.where(lower > 0, 1.0 / np.where(lower > 0, lower, 1.0), np.nan)
