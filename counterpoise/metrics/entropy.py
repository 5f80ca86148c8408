"""Entropy of the distribution of blocks over pools: Shannon and the Rényi family, in bits and in nats.

A distribution has to sum to one, so unknown blocks are left out here: p = c/Σc over the pools seen.

Reference: C. E. Shannon (1948); A. Rényi, "On measures of entropy and information" (1961).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.metrics.counts import FloatArray, as_counts, pools_seen, ratio

LN_2 = math.log(2.0)


def shannon_nats(counts: ArrayLike) -> FloatArray:
    """H = −Σ p·ln p, in [0, ln K]: 0 for one pool, ln K for K equal ones. NaN without an attributed block.

    Returns shape `counts.shape[:-1]`, as every function here.
    """
    vectors = as_counts(counts)
    values = vectors.astype(np.float64)
    logarithms = np.log(np.where(vectors > 0, values, 1.0))
    return shannon_nats_of_sums((values * logarithms).sum(axis=-1), values.sum(axis=-1))


def shannon_bits(counts: ArrayLike) -> FloatArray:
    """`shannon_nats` / ln 2, in [0, log₂ K].

    >>> float(shannon_bits([1, 1, 2]))
    1.5
    """
    return shannon_nats(counts) / LN_2


def shannon_nats_of_sums(sum_c_ln_c: ArrayLike, known: ArrayLike) -> FloatArray:
    """`shannon_nats` from Σ c·ln c and known = Σc: ln known − Σ c·ln c / known, never below 0."""
    blocks = np.asarray(known, np.float64)
    mean_log = ratio(sum_c_ln_c, blocks)
    return np.maximum(np.log(np.where(blocks > 0, blocks, 1.0)) - mean_log, 0.0)


def renyi_bits(counts: ArrayLike, alpha: float) -> FloatArray:
    """Rényi entropy of order α in bits: log₂(Σ pᵅ)/(1 − α), in [0, log₂ K]; it never rises with α.

    α = 0 is Hartley's (log₂ K), 1 the limit, Shannon's, 2 collision entropy (−log₂ of the attributed HHI), ∞ min-entropy
    (−log₂ of the largest share). Zeros are no pools for any α. NaN without an attributed block; ValueError for α < 0.
    """
    if not alpha >= 0:
        raise ValueError(f"the order of a Rényi entropy must be 0 or more, got {alpha}")
    if alpha == 1:
        return shannon_bits(counts)
    vectors = as_counts(counts)
    shares = ratio(vectors, vectors.sum(axis=-1, keepdims=True))
    defined = vectors.sum(axis=-1) > 0
    if math.isinf(alpha):
        power = shares.max(axis=-1, initial=0.0)
        factor = -1.0
    else:
        power = np.where(vectors > 0, np.where(vectors > 0, shares, 1.0) ** alpha, 0.0).sum(axis=-1)
        factor = 1.0 / (1.0 - alpha)
    bits = factor * np.log2(np.where(defined, power, 1.0))
    return np.where(defined, np.maximum(bits, 0.0), np.nan)


def hartley_bits(counts: ArrayLike) -> FloatArray:
    """log₂ of the number of pools seen: Rényi of order 0, the largest entropy that K pools can have."""
    return renyi_bits(counts, 0.0)


def min_entropy_bits(counts: ArrayLike) -> FloatArray:
    """−log₂ of the largest share: Rényi of order ∞."""
    return renyi_bits(counts, math.inf)


def max_entropy_bits(pools: ArrayLike) -> FloatArray:
    """log₂ K, what K equal pools have; NaN for no pool."""
    k = np.asarray(pools, np.float64)
    return np.where(k > 0, np.log2(np.where(k > 0, k, 1.0)), np.nan)


def normalised_entropy(counts: ArrayLike) -> FloatArray:
    """H / ln K over the K pools seen, in [0, 1]: 1 when they are equal. One pool alone has 0; NaN without an attributed block.

    It says how *even* the pools are, not how many: two equal pools have 1 as twenty equal ones do.
    """
    return normalised_entropy_of(shannon_nats(counts), pools_seen(counts))


def normalised_entropy_of(nats: ArrayLike, pools: ArrayLike) -> FloatArray:
    """`normalised_entropy` from the entropy in nats and the number of pools seen."""
    h, k = np.asarray(nats, np.float64), np.asarray(pools, np.float64)
    even = np.minimum(h / np.log(np.where(k > 1, k, math.e)), 1.0)
    return np.where(k > 1, even, np.where(k == 1, 0.0, np.nan))
