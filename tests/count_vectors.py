"""Every metric straight from count vectors, by its textbook formula: what the stored integers' forms are held against.

The product computes metrics from stored integers (`counterpoise/metrics/specs`). Here a vector of counts goes in, or a matrix with a
vector in each row; unknown blocks come beside it. Results have the shape `counts.shape[:-1]`.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.metrics.counts import FloatArray, IntArray, as_counts, as_unknown, ratio
from counterpoise.metrics.entropy import shannon_nats_of_sums
from counterpoise.metrics.nakamoto import HALF, nakamoto_of_ordered

POINTS = 10_000.0
LN_2 = math.log(2.0)


def descending(counts: IntArray) -> IntArray:
    """Each vector with its largest count first."""
    ordered: IntArray = -np.sort(-counts, axis=-1)
    return ordered


def pools_seen(counts: ArrayLike) -> IntArray:
    """How many pools made at least one block: the entries above zero.

    >>> int(pools_seen([5, 0, 0]))
    1
    """
    return np.asarray(np.count_nonzero(as_counts(counts), axis=-1), dtype=np.int64)


def population_of(vectors: IntArray, population: ArrayLike | None) -> IntArray:
    """How many members an inequality is taken over: the pools seen or, where given, `population` with the rest at zero blocks.

    Raises ValueError where `population` is smaller than the number of pools seen.
    """
    seen = pools_seen(vectors)
    if population is None:
        return seen
    members = np.broadcast_to(np.asarray(population, dtype=np.int64), seen.shape)
    if np.any(members < seen):
        raise ValueError(f"a population of {members.min()} cannot hold the {seen.max()} pools that were seen")
    return members


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


def nakamoto(counts: ArrayLike, threshold: Fraction = HALF, *, unknown: ArrayLike = 0) -> IntArray:
    """The smallest k for which the k largest pools together hold *strictly more than* `threshold` of all blocks.

    Unknown blocks count in the total and belong to nobody. Decided in integers: Σ·denominator > n·numerator, so that exactly
    half is never "more than half". Returns shape `counts.shape[:-1]`; 0 means *not reached*: there are no blocks, or all
    pools together do not exceed the line (possible only with unknown blocks or `threshold` = 1).

    Raises ValueError for a threshold outside [0, 1].

    >>> int(nakamoto([3, 2, 1])), int(nakamoto([3, 2, 1], Fraction(1, 3)))
    (2, 1)
    """
    vectors = as_counts(counts)
    n = vectors.sum(axis=-1) + as_unknown(unknown, vectors)
    ordered = descending(vectors)
    return nakamoto_of_ordered(ordered, n, threshold).astype(np.int64)


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


def d1(counts: ArrayLike) -> FloatArray:
    """exp(H), the effective number of order 1, in [1, K]. NaN without an attributed block.

    >>> round(float(d1([5, 5, 5])), 12)
    3.0
    """
    return np.exp(shannon_nats(counts))


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


def theil(counts: ArrayLike, *, population: ArrayLike | None = None) -> FloatArray:
    """T = (1/K) Σ (c/c̄)·ln(c/c̄) = ln K − H, in [0, ln K]; 0 when the pools are equal.

    K is the number of pools seen, or `population` (≥ pools seen, ValueError below) if members without blocks are to count.
    Unknown blocks are left out. NaN without an attributed block. Returns shape `counts.shape[:-1]`.

    Reference: H. Theil, "Economics and Information Theory" (1967).
    """
    vectors = as_counts(counts)
    return theil_of(shannon_nats(vectors), population_of(vectors, population))


def theil_of(nats: ArrayLike, pools: ArrayLike) -> FloatArray:
    """`theil` from the entropy in nats and the number of members; never below 0."""
    k = np.asarray(pools, np.float64)
    index: FloatArray = np.maximum(np.log(np.where(k > 0, k, 1.0)) - np.asarray(nats, np.float64), 0.0)
    return index
