"""Intervals of the share of a fixed set of pools: of the hashrate now, and of the next m blocks. Both include drift.

A share is modelled as a random walk with variance σ² a block. With c of n blocks, p = c/n:

    now   V = p(1 − p)/n + σ²n/3              the share at the window's end, measured by its average over the window
    next  V = p(1 − p)(1/n + 1/m) + σ²(n + m)/3   the share of the m blocks that follow

The interval is symmetric in the log-odds: p′ = (c + ½)/(n + 1), ends expit(logit p′ ∓ z√V/(p′(1 − p′))). It stays inside (0, 1). The
window that estimates "now" best minimises V: n = √(3p(1 − p)/σ²).

The set has to be fixed before the window: leaders picked by the same blocks are too large by luck (docs/studies.md has the bias).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.estimates.drift import TOP4_DRIFT
from counterpoise.special_functions import special

FloatArray = NDArray[np.float64]

Z_95: Final = 1.959963984540054
"""The 0.975 quantile of the standard normal distribution."""


def now_variance(share: ArrayLike, n: ArrayLike, drift: ArrayLike) -> FloatArray:
    """V of the share now. `drift` is σ² a block; 0 is the multinomial model. ValueError for a negative drift or no block."""
    p, blocks, sigma2 = _checked(share, n, drift)
    return np.asarray(p * (1.0 - p) / blocks + sigma2 * blocks / 3.0)


def next_variance(share: ArrayLike, n: ArrayLike, m: ArrayLike, drift: ArrayLike) -> FloatArray:
    """V of the share of the next m blocks around the window's. ValueError as `now_variance`."""
    p, blocks, sigma2 = _checked(share, n, drift)
    following = np.asarray(m, np.float64)
    if not np.all(following > 0):
        raise ValueError("the next blocks are at least one")
    return np.asarray(p * (1.0 - p) * (1.0 / blocks + 1.0 / following) + sigma2 * (blocks + following) / 3.0)


def now_interval(count: ArrayLike, n: ArrayLike, drift: ArrayLike = TOP4_DRIFT) -> tuple[FloatArray, FloatArray]:
    """(lower, upper) end of the 95 % interval of the share of the hashrate at the end of n blocks, `count` of them the set's.

    >>> [round(float(end), 3) for end in now_interval(756, 1_008)]
    [0.72, 0.777]
    """
    p = _share(count, n)
    return _ends(p, now_variance(p, n, drift))


def next_interval(
    count: ArrayLike, n: ArrayLike, m: ArrayLike, drift: ArrayLike = TOP4_DRIFT
) -> tuple[FloatArray, FloatArray]:
    """(lower, upper) end of the 95 % interval of the set's share of the next m blocks.

    >>> [round(float(end), 3) for end in next_interval(756, 1_008, 1_008)]
    [0.707, 0.788]
    """
    p = _share(count, n)
    return _ends(p, next_variance(p, n, m, drift))


def best_window(share: ArrayLike, drift: ArrayLike = TOP4_DRIFT) -> FloatArray:
    """The number of blocks whose share estimates the share now with the least variance: √(3p(1 − p)/σ²).

    >>> best_window(0.72).round(-1).tolist(), best_window(0.30, 5.0e-8).round(-1).tolist()
    (2770.0, 3550.0)
    """
    p, _, sigma2 = _checked(share, 1.0, drift)
    return np.asarray(np.sqrt(3.0 * p * (1.0 - p) / sigma2))


def fit_drift(before: ArrayLike, after: ArrayLike, window: int) -> float:
    """σ² a block by moments, from shares of the same sets in pairs of adjoining windows; 0 where chance explains all.

    The expected squared change is 2p(1 − p)/n + 2σ²n/3. The sets must be fixed before both windows. ValueError without a pair.
    """
    one, other = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if one.size == 0 or one.shape != other.shape:
        raise ValueError("drift is fitted from pairs of shares, one before and one after each")
    mean = (one + other) / 2.0
    # 2·p̂(1 − p̂)/n with p̂ from 2n blocks is too small by its own sampling noise: n − ½ corrects it.
    chance = 2.0 * mean * (1.0 - mean) / (window - 0.5)
    return max(0.0, float(np.mean((other - one) ** 2 - chance)) * 3.0 / (2.0 * window))


def _share(count: ArrayLike, n: ArrayLike) -> FloatArray:
    return np.asarray((np.asarray(count, np.float64) + 0.5) / (np.asarray(n, np.float64) + 1.0))


def _ends(p: FloatArray, variance: FloatArray) -> tuple[FloatArray, FloatArray]:
    reach = Z_95 * np.sqrt(variance) / (p * (1.0 - p))
    odds = special().logit(p)
    return np.asarray(special().expit(odds - reach)), np.asarray(special().expit(odds + reach))


def _checked(share: ArrayLike, n: ArrayLike, drift: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    p, blocks, sigma2 = (np.asarray(values, np.float64) for values in (share, n, drift))
    if not (np.all((p >= 0) & (p <= 1)) and np.all(blocks > 0) and np.all(sigma2 >= 0)):
        raise ValueError("a share is between 0 and 1, a window has blocks, and a drift is not negative")
    return p, blocks, sigma2
