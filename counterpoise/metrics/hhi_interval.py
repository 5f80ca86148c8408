"""95 % credible intervals of the HHI and of the effective number D₂, in closed form from the stored sums.

The model is that of `beta_table`: p ~ Dirichlet(α₁…α_K, unknown) with αᵢ = cᵢ + 1/K. The posterior mean and variance of Q = Σpᵢ² over
the pools are exact. With A the total mass and (A)ₖ = A(A + 1)…(A + k − 1),

    E[Q]   = R / (A)₂,                       R  = a₁ + a₂
    Var[Q] = (4a₃ + 10a₂ + 6a₁ − R²(4A + 6)/(A)₂) / (A)₄

    a₁ = Σα  = m + 1                         m  = Σc
    a₂ = Σα² = s₂ + (2m + 1)/K               s₂ = Σc²
    a₃ = Σα³ = s₃ + 3s₂/K + (3m + 1)/K²      s₃ = Σc³

(Σα⁴ of E[Q²] cancels.) Quantiles are those of the lognormal with these moments *above the floor* of Q, the smallest value that
it can take: 1/K where no block is unknown, 0 otherwise. Against sampling on real windows each end is within 0.15 standard
deviations at 144 blocks, 0.08 at 1008 and 0.05 from 2016 on (a normal: 0.3, 0.13, 0.08); with one or two pools, or a few
blocks, up to 0.75.

The interval is the posterior's, so it lies around E[Q], which is above the plug-in value by about (1 − HHI)/n: sampling noise
counts twice, once in the blocks that were seen and once in what is believed after seeing them. At 144 blocks that is 16–35 % of
the half-width and costs coverage (docs/methodology.md has figures); from 1008 on it is 6–14 % and less.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.metrics.counts import FloatArray

Z_95 = 1.959963984540054
"""The 0.975 quantile of the standard normal distribution."""


def hhi_moments(
    s2: ArrayLike, s3: ArrayLike, known: ArrayLike, pools: ArrayLike, unknown: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """(mean, variance) of the posterior of Σp² over the pools. (0, 0) where no pool was seen."""
    k_, m, u = (np.asarray(values, np.float64) for values in (pools, known, unknown))
    s2_, s3_ = np.asarray(s2, np.float64), np.asarray(s3, np.float64)
    some = k_ > 0
    k = np.where(some, k_, 1.0)
    a1 = m + 1.0
    a2 = s2_ + (2.0 * m + 1.0) / k
    a3 = s3_ + 3.0 * s2_ / k + (3.0 * m + 1.0) / (k * k)
    total = m + u + 1.0
    r = a1 + a2
    pairs = total * (total + 1.0)
    mean = r / pairs
    variance = (4.0 * a3 + 10.0 * a2 + 6.0 * a1 - r * r * (4.0 * total + 6.0) / pairs) / (
        pairs * (total + 2.0) * (total + 3.0)
    )
    return np.where(some, mean, 0.0), np.where(some, np.maximum(variance, 0.0), 0.0)


def hhi_interval(
    s2: ArrayLike, s3: ArrayLike, known: ArrayLike, pools: ArrayLike, unknown: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """(lower, upper) end of the 95 % interval of `hhi`: the pools' index with unknown blocks in the denominator. In [0, 1].

    One pool and nothing unknown is (1, 1); no pool among some blocks is (0, 0); no blocks are (NaN, NaN).
    """
    mean, variance = hhi_moments(s2, s3, known, pools, unknown)
    k, u = np.asarray(pools, np.float64), np.asarray(unknown, np.float64)
    floor = np.where((u == 0) & (k > 0), 1.0 / np.maximum(k, 1.0), 0.0)
    certain = (k == 0) | ((k == 1) & (u == 0))
    excess = np.where(certain, 1.0, mean - floor)
    spread = np.where(certain, 0.0, variance / (excess * excess))
    middle = excess / np.sqrt(1.0 + spread)
    factor = np.exp(Z_95 * np.sqrt(np.log1p(spread)))
    lower = np.where(certain, floor, floor + middle / factor)
    upper = np.where(certain, floor, np.minimum(floor + middle * factor, 1.0))
    blocks = np.asarray(known, np.float64) + u
    return np.where(blocks > 0, lower, np.nan), np.where(blocks > 0, upper, np.nan)


def d2_interval(s2: ArrayLike, s3: ArrayLike, known: ArrayLike, pools: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """(lower, upper) end of the 95 % interval of `d2`, unknown blocks left out, in [1, K]: the reciprocals of those of `hhi_interval`
    over attributed blocks alone (a monotone function maps quantiles to quantiles). NaN without an attributed block."""
    lower, upper = hhi_interval(s2, s3, known, pools, 0)
    return 1.0 / upper, 1.0 / lower
