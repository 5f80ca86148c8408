"""The share of a fixed set in the hashrate now, from blocks that weigh less the older they are. Pure.

A block that is a blocks old weighs (1 − k)ᵃ with k = √(σ²/(p(1 − p))), which is best for a random walk with a variance of σ² a block.
Half a block of the newest weight goes to each side, so p(1 − p) is no less than about k/2, and k at most (2σ²)^⅓.
With weights w of sum 1 over N blocks and W(j) the weight of those at least j blocks old,

    V = p(1 − p)·Σw² + σ²·Σ W(j)²,  j = 1 … N − 1

The set may be picked by the newest blocks: most of the weight lies on blocks before them, so luck in picking counts for little.
Unknown blocks are in the weights and in no set: the share is a lower bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.estimates.share_intervals import Z_95
from counterpoise.special_functions import special

HISTORY_BLOCKS: Final = 8_640
"""Blocks that are weighed; those before them weigh less than 1 % together at the usual drift."""
_LEAST_DISCOUNT: Final = 1.0 / HISTORY_BLOCKS
_MOST_REACH: Final = 2.0
"""Times the reach of a normal interval. An interval of n equal blocks then ends at 3.3/n from them; exact ones end at 3.7/n."""


@dataclass(frozen=True)
class DiscountedShare:
    """A share and its variance. `blocks`: how many were weighed; `discount`: the part k that a block loses with each newer one.

    `counted` is the share without the half blocks; it alone can be 0 or 1.
    """

    share: float
    variance: float
    blocks: int
    discount: float
    counted: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval, symmetric in the log-odds; `counted` is always in it.

        No end is further than four standard errors: near 0 and 1 the log-odds alone would reach past any of them.
        """
        reach, most = Z_95 * self._scale, Z_95 * _MOST_REACH * math.sqrt(self.variance)
        odds = special().logit(self.share)
        low, high = float(special().expit(odds - reach)), float(special().expit(odds + reach))
        return min(max(low, self.share - most), self.counted), max(min(high, self.share + most), self.counted)

    def of_next(self, m: int, drift: float) -> DiscountedShare:
        """The share of the next m blocks: drift moves it on, and luck adds to its variance. ValueError for no block."""
        if m < 1:
            raise ValueError("the next blocks are at least one")
        spread = self.share * (1.0 - self.share)
        return replace(self, variance=self.variance + spread / m + drift * m / 3.0)

    def above(self, line: float) -> float:
        """The chance that the share is above `line`, between 0 and 1. ValueError for another line."""
        if not 0.0 < line < 1.0:
            raise ValueError(f"a line of {line}: expected a share between 0 and 1")
        in_odds = float(special().logit(self.share) - special().logit(line)) / self._scale
        least = (self.share - line) / (_MOST_REACH * math.sqrt(self.variance))
        return float(special().ndtr(max(in_odds, least) if least > 0 else min(in_odds, least)))

    @property
    def _scale(self) -> float:
        return math.sqrt(self.variance) / (self.share * (1.0 - self.share))


def discount_of(share: float, drift: float) -> float:
    """The part k of its weight that a block loses with each newer block. ValueError for a share outside 0…1 or a negative drift.

    >>> round(1 / discount_of(0.75, 7.9e-8))
    1541
    >>> round(1 / discount_of(1.0, 7.9e-8))
    185
    """
    if not (0.0 <= share <= 1.0 and drift >= 0.0):
        raise ValueError(f"share {share}, drift {drift}: a share is between 0 and 1, and a drift is not negative")
    spread = share * (1.0 - share)
    most = math.cbrt(2.0 * drift)
    # A larger k would leave few blocks weighed just where all of them agree, and more hits would give a smaller share.
    best = min(math.sqrt(drift / spread), most) if spread > 0 else most
    return min(max(best, _LEAST_DISCOUNT), 0.5)


def weights(blocks: int, discount: float) -> NDArray[np.float64]:
    """The weights of the newest `blocks` blocks, newest first, of sum 1."""
    raw = np.exp(math.log1p(-discount) * np.arange(blocks))
    return np.asarray(raw / raw.sum())


def share_of_hits(hits: ArrayLike, share: float, drift: float) -> DiscountedShare:
    """From the blocks themselves, oldest first: 1 where the set produced it. `share` decides how fast they lose weight.

    Half a block of the newest weight goes to each side, so that no share is 0 or 1. ValueError without blocks.

    >>> found = share_of_hits([1, 0, 1, 1] * 1_000, 0.75, 7.9e-8)
    >>> round(found.share, 2), [round(end, 2) for end in found.interval], round(found.above(0.75), 1)
    (0.75, [0.73, 0.77], 0.5)
    """
    newest_first = np.asarray(hits, np.float64)[::-1][:HISTORY_BLOCKS]
    if not len(newest_first):
        raise ValueError("a discounted share needs blocks")
    k = discount_of(share, drift)
    w = weights(len(newest_first), k)
    half = 0.5 * float(w[0])
    made, missed = float((w * newest_first).sum()), float((w * (1.0 - newest_first)).sum())
    p = (made + half) / (1.0 + 2.0 * half)
    older = np.cumsum(w[::-1])[::-1][1:]
    variance = p * (1.0 - p) * float((w * w).sum()) + drift * float((older * older).sum())
    return DiscountedShare(p, variance, len(w), k, made / (made + missed))
