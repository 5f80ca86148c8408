"""Draws of uncertain values: lognormal from published quantiles, Dirichlet from counts. Seeded by a key, never by a clock.

A source that gives a median, a 5th and a 95th percentile is read as lognormal: ln x ~ N(ln median, σ²), σ = ln(p95/p5)/(2·1.6449).
The correlation of its errors is seldom published, so there are two draws of everything: *independent* (each value its own error) and
*correlated* (one error moves all, each by its own σ). The first moves shares most, the second least; the truth lies between.
"""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

from counterpoise.metrics.counts import FloatArray
from counterpoise.special_functions import special

DRAWS = 8_192
"""Draws behind an interval or probability: the ends of a 95 % interval are good to 0.03 standard deviations, P to 0.006."""

Z_90 = 1.6448536269514722
"""The 0.95 quantile of the standard normal distribution."""

INTERVAL = (0.025, 0.975)

MAX_SIGMA = 12.0
"""Percentiles 17 orders of magnitude apart. A wider error says no more, and its draws would leave the range of a float64."""


def generator(*key: object) -> np.random.Generator:
    """A generator that depends on the key alone: equal keys give equal draws on every machine."""
    text = "\x1f".join(str(part) for part in key)
    seed = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16], "big")
    return np.random.Generator(np.random.PCG64(seed))


def quantile_normals(random: np.random.Generator, out: FloatArray) -> FloatArray:
    """Fill `out` with standard normals in a sixth of the time that exact ones take: each is one of 65,536 equally likely quantiles.

    The largest is 4.32, the variance 0.99998, and no probability is off by more than 8·10⁻⁶: far less than draws by the thousand
    are off by themselves. Four of them are taken from each 64 bits, so a stream is one whatever the sizes of its blocks, as long as
    all but the last are multiples of four.
    """
    raw = random.bit_generator.random_raw(-(-out.size // 4))
    places = np.asarray(raw, "<u8").view("<u2")[: out.size].reshape(out.shape)
    return np.take(_normal_quantiles(), places, out=out, mode="wrap")  # "raise" would copy; no place is out of range


@cache
def _normal_quantiles() -> FloatArray:
    steps = 1 << 16
    quantiles: FloatArray = special().ndtri((np.arange(steps) + 0.5) / steps)
    return quantiles


def lognormal_sigma(p5: FloatArray, p95: FloatArray) -> tuple[FloatArray, int]:
    """(σ of each value, how many were imputed).

    A value without quantiles, or with a 5th percentile of zero (no lognormal has one), gets the median σ of those that have them:
    no stated error is not no error. 0 for all where none has. At most MAX_SIGMA.
    """
    usable = np.isfinite(p5) & np.isfinite(p95) & (p5 > 0)
    with np.errstate(over="ignore"):
        logs = np.log(np.where(usable, p95, 1.0) / np.where(usable, p5, 1.0))
    sigma = np.minimum(logs / (2.0 * Z_90), MAX_SIGMA)
    fallback = float(np.median(sigma[usable])) if usable.any() else 0.0
    return np.where(usable, sigma, fallback), int(np.count_nonzero(~usable))


def lognormal_draws(
    median: FloatArray, sigma: FloatArray, normal: FloatArray, out: FloatArray | None = None
) -> FloatArray:
    """median·exp(σ·z), shape (draws, N); `normal` is (draws, N) for independent errors, (draws, 1) for one that moves all.

    Into `out` where it is given, which may be `normal` itself.
    """
    values: FloatArray = np.multiply(sigma, normal, out=out)
    np.exp(values, out=values)
    return np.multiply(median, values, out=values)


def dirichlet_draws(counts: NDArray[np.generic], random: np.random.Generator, draws: int = DRAWS) -> FloatArray:
    """(draws, K) shares from the posterior of a multinomial sample: Dirichlet(cᵢ + 1/K), prior mass 1 in all.

    Needs at least one category (ValueError).
    """
    values = np.asarray(counts, np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError("counts must be a vector of at least one category")
    gammas = random.standard_gamma(values + 1.0 / len(values), size=(draws, len(values)))
    shares: FloatArray = np.divide(gammas, gammas.sum(axis=1, keepdims=True), out=gammas)
    return shares


def interval(draws: FloatArray) -> tuple[float, float]:
    """(2.5 %, 97.5 %) quantiles of a vector of draws, linear between neighbours as numpy has them, in a third of its time."""
    places = [quantile * (len(draws) - 1) for quantile in INTERVAL]
    ends = [int(place) for place in places]
    above = [min(end + 1, len(draws) - 1) for end in ends]
    parted = np.partition(draws, sorted({*ends, *above}))
    low, high = (
        float(parted[end] + (place - end) * (parted[after] - parted[end]))
        for place, end, after in zip(places, ends, above, strict=True)
    )
    return low, high
