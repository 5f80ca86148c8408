"""Intervals of HHI and of D₂: of the hashrate now, and of what the next m blocks show. Both include drift.

HHI is modelled as a random walk with variance σ² a block. With q, r and V(n) of the pairs and triples of n blocks
(`counterpoise.metrics.hhi_interval`), V(m) being the variance of m other blocks of the same hashrate:

    now   V(n) + σ²n/3
    next  V(n) + V(m) + σ²(n + m)/3

The ends are q·exp(∓z√variance/q). "Next" is the unbiased index of those blocks (`hhi_unbiased`), which few blocks do not make larger.
D₂ leaves unknown blocks out. With k of n attributed its index is q·(n/k)², so its σ² is (n/k)⁴ times that of HHI where the share of
unknown blocks stands still. Where that walks too, the fitted σ² of HHI has its part and D₂ does not: its interval is then too wide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.estimates.drift import HHI_DRIFT
from counterpoise.metrics.hhi_interval import NO_PAIR, TAIL, Z_95, pair_moments, triple_moment, variance_of_other_pairs

FloatArray = NDArray[np.float64]


def hhi_now(
    s2: ArrayLike, s3: ArrayLike, known: ArrayLike, n: ArrayLike, *, drift: ArrayLike = HHI_DRIFT
) -> tuple[FloatArray, FloatArray]:
    """(lower, upper) end of the 95 % interval of the hashrate's HHI at the end of n blocks, `known` of them attributed.

    s2 and s3 are the sums of the pools' squared and cubed blocks. (0, 1) for fewer than four blocks; ValueError for a drift below 0.

    >>> [round(float(end), 3) for end in hhi_now(190_000, 50_000_000, 1_000, 1_008)]
    [0.171, 0.202]
    """
    q, variance = pair_moments(s2, s3, known, n)
    return _ends(q, variance, n, _walked(drift, n))


def hhi_next(
    s2: ArrayLike, s3: ArrayLike, known: ArrayLike, n: ArrayLike, m: ArrayLike, *, drift: ArrayLike = HHI_DRIFT
) -> tuple[FloatArray, FloatArray]:
    """(lower, upper) end of the 95 % interval of the unbiased HHI of the next m blocks; the rest as `hhi_now`.

    Fewer than three next blocks bound nothing.
    """
    return _next_ends(s2, s3, known, n, m, walked=_walked(drift, _sum(n, m)))


def d2_now(
    s2: ArrayLike, s3: ArrayLike, known: ArrayLike, n: ArrayLike, *, drift: ArrayLike = HHI_DRIFT
) -> tuple[FloatArray, FloatArray]:
    """(lower, upper) end of the 95 % interval of the hashrate's D₂ at the end of n blocks. The upper end is NaN without a pair.

    `drift` is that of HHI.
    """
    q, variance = pair_moments(s2, s3, known, known)
    return _reciprocal(_ends(q, variance, known, _walked(drift, n) * _scale(known, n) ** 4))


def d2_next(
    s2: ArrayLike, s3: ArrayLike, known: ArrayLike, n: ArrayLike, m: ArrayLike, *, drift: ArrayLike = HHI_DRIFT
) -> tuple[FloatArray, FloatArray]:
    """(lower, upper) end of the 95 % interval of D₂ of the next m blocks, from their unbiased index; the rest as `d2_now`.

    `m` counts unknown blocks too, of which there are as many in proportion as in the window.
    """
    scale = _scale(known, n)
    attributed = np.asarray(m, np.float64) / scale
    return _reciprocal(_next_ends(s2, s3, known, known, attributed, walked=_walked(drift, _sum(n, m)) * scale**4))


def _next_ends(
    s2: ArrayLike, s3: ArrayLike, known: ArrayLike, n: ArrayLike, m: ArrayLike, *, walked: FloatArray
) -> tuple[FloatArray, FloatArray]:
    following = np.asarray(m, np.float64)
    q, variance = pair_moments(s2, s3, known, n)
    luck = variance_of_other_pairs(q, triple_moment(s2, s3, known, n), variance, following)
    fewer = np.minimum(np.asarray(n, np.float64), following)
    return _ends(q, np.where(following >= 3, variance + luck, np.inf), n, walked, without_pair=fewer)


def _ends(
    q: FloatArray, variance: FloatArray, n: ArrayLike, walked: FloatArray, *, without_pair: ArrayLike | None = None
) -> tuple[FloatArray, FloatArray]:
    """`without_pair`: the blocks that bound the upper end where no pool has two blocks; `n` without it."""
    blocks = np.asarray(n, np.float64)
    bounding = blocks if without_pair is None else np.asarray(without_pair, np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        factor = np.exp(Z_95 * np.sqrt(variance + walked) / q)
        low = np.where(q > 0, np.minimum(q / factor, TAIL ** (2.0 / blocks)), 0.0)
        high = np.where(
            q > 0, np.minimum(q * factor, 1.0), np.minimum(NO_PAIR / np.maximum(bounding * (bounding - 1.0), 0.0), 1.0)
        )
    few = blocks < 4
    return np.asarray(np.where(few, 0.0, low)), np.asarray(np.where(few, 1.0, high))


def _reciprocal(ends: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, FloatArray]:
    low, high = ends
    with np.errstate(divide="ignore"):
        return 1.0 / high, np.where(low > 0, 1.0 / np.where(low > 0, low, 1.0), np.nan)


def _walked(drift: ArrayLike, blocks: ArrayLike) -> FloatArray:
    """Variance of the walk's mean over so many blocks around its end."""
    sigma2 = np.asarray(drift, np.float64)
    if np.any(sigma2 < 0):
        raise ValueError("a drift is not negative")
    return np.asarray(sigma2 * np.asarray(blocks, np.float64) / 3.0)


def _scale(known: ArrayLike, n: ArrayLike) -> FloatArray:
    k = np.asarray(known, np.float64)
    return np.asarray(np.asarray(n, np.float64) / np.where(k > 0, k, np.nan))


def _sum(n: ArrayLike, m: ArrayLike) -> FloatArray:
    return np.asarray(np.asarray(n, np.float64) + np.asarray(m, np.float64))
