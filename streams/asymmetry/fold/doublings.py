"""The asymmetry score: how many doublings the effective number of AI owners is above that of mining pools, and how surely.

    L = log₂(D₂ᴬᴵ / D₂ᵐⁱⁿⁱⁿᵍ)        A = (D₂ᴬᴵ − D₂ᵐⁱⁿⁱⁿᵍ)/(D₂ᴬᴵ + D₂ᵐⁱⁿⁱⁿᵍ) = tanh(½·ln ratio)

L > 0: AI is spread over more hands than mining. L adds up over time and across parts; A is L bent into (−1, 1) for display. Every
value comes once for each residual treatment (`dispersion`), and a call is made only where all of them agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.metrics.counts import FloatArray, as_counts
from counterpoise.metrics.dispersion_draws import DRAWS, dirichlet_draws, generator, interval

Level = Literal["ai_more_dispersed", "mining_more_dispersed", "no_call"]

MINING_DRIFT_LOG2_PER_SQRT_YEAR = 0.27
"""How fast log₂ D₂ of pools moves while nobody looks: standard deviation after a year, as of a random walk.

Mainnet 2021–2026, windows of 4320 blocks that do not overlap: 0.271, 0.269 and 0.266 a √year from changes over one, four and twelve
windows, so a random walk fits; 0.271 from changes over a year of 1008-block windows.
"""

DAYS_PER_YEAR = 365.25


def doublings(d2_ai: ArrayLike, d2_mining: ArrayLike) -> FloatArray:
    """L = log₂(d2_ai/d2_mining), in doublings. NaN where either side is NaN.

    >>> float(doublings(8.0, 2.0))
    2.0
    """
    return np.log2(np.asarray(d2_ai, np.float64)) - np.log2(np.asarray(d2_mining, np.float64))


def bounded(score: ArrayLike) -> FloatArray:
    """A = tanh(½·ln 2·L), in (−1, 1).

    >>> round(float(bounded(doublings(3.0, 1.0))), 12)
    0.5
    """
    return np.tanh(0.5 * math.log(2.0) * np.asarray(score, np.float64))


def mining_log2_d2_draws(counts: ArrayLike, key: Sequence[object], draws: int = DRAWS) -> FloatArray:
    """Draws of log₂ D₂ of the hashrate behind a window's blocks, unknown ones left out: the posterior of `beta_table`.

    `key` seeds them; the order of the pools has no influence. ValueError without an attributed block.
    """
    vector = as_counts(counts)
    pools = -np.sort(-vector[vector > 0])
    shares = dirichlet_draws(pools, generator("mining", *key), draws)
    np.multiply(shares, shares, out=shares)
    result: FloatArray = -np.log2(shares.sum(axis=1))
    return result


def stale_spread(drift_log2_per_sqrt_year: float, age_days: float) -> float:
    """Standard deviation, in doublings, that an age adds: drift·√years. ValueError for a negative age."""
    if age_days < 0:
        raise ValueError(f"an age is not negative, got {age_days} days")
    return drift_log2_per_sqrt_year * math.sqrt(age_days / DAYS_PER_YEAR)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval and the probability that it is above zero."""

    lo: float
    hi: float
    p_positive: float

    @classmethod
    def of(cls, draws: FloatArray) -> Estimate:
        """Summarise draws; a draw of exactly zero counts half."""
        low, high = interval(draws)
        above, at = np.count_nonzero(draws > 0), np.count_nonzero(draws == 0)
        return cls(low, high, above / len(draws) + 0.5 * (at / len(draws)))

    @property
    def sign(self) -> int:
        """1 or −1 where the interval leaves zero out, otherwise 0."""
        return 1 if self.lo > 0 else -1 if self.hi < 0 else 0


def agreed_sign(estimates: Iterable[Estimate]) -> int:
    """1 or −1 where every interval leaves zero out on that side; 0 where one does not, or there is none."""
    signs = {estimate.sign for estimate in estimates}
    return signs.pop() if len(signs) == 1 else 0


def level_call(estimates: Iterable[Estimate]) -> Level:
    """Which side is spread wider: a call needs every treatment and both error models to say so at 95 %."""
    return {1: "ai_more_dispersed", -1: "mining_more_dispersed"}.get(agreed_sign(estimates), "no_call")  # type: ignore[return-value]
