"""The share of a fixed set in the hashrate now, from blocks that weigh less the older they are. Pure.

A block that is a blocks old weighs (1 − k)ᵃ with k = √(σ²/(p(1 − p))), which is best for a random walk with a variance of σ² a block.
With weights w of sum 1 over N blocks and W(j) the weight of those at least j blocks old,

    V = p(1 − p)·Σw² + σ²·Σ W(j)²,  j = 1 … N − 1

The set may be picked by the newest blocks: most of the weight lies on blocks before them, so luck in picking counts for little.
Unknown blocks are in the weights and in no set: the share is a lower bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtr

from counterpoise.estimates.share_intervals import Z_95

HISTORY_BLOCKS: Final = 8_640
"""Blocks that are weighed; those before them weigh less than 1 % together at the usual drift."""
_LEAST_DISCOUNT: Final = 1.0 / HISTORY_BLOCKS


@dataclass(frozen=True)
class DiscountedShare:
    """A share and its variance. `blocks`: how many were weighed; `discount`: the part k that a block loses with each newer one."""

    share: float
    variance: float
    blocks: int
    discount: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval, symmetric in the log-odds."""
        reach = Z_95 * self._scale
        return float(expit(logit(self.share) - reach)), float(expit(logit(self.share) + reach))

    def above(self, line: float) -> float:
        """The chance that the share is above `line`, between 0 and 1. ValueError for another line."""
        if not 0.0 < line < 1.0:
            raise ValueError(f"a line of {line}: expected a share between 0 and 1")
        return float(ndtr((logit(self.share) - logit(line)) / self._scale))

    @property
    def _scale(self) -> float:
        return math.sqrt(self.variance) / (self.share * (1.0 - self.share))


def discount_of(share: float, drift: float) -> float:
    """The part k of its weight that a block loses with each newer block. ValueError for a share outside 0…1 or a negative drift.

    >>> round(1 / discount_of(0.75, 7.9e-8))
    1541
    """
    if not (0.0 <= share <= 1.0 and drift >= 0.0):
        raise ValueError(f"share {share}, drift {drift}: a share is between 0 and 1, and a drift is not negative")
    spread = share * (1.0 - share)
    best = math.sqrt(drift / spread) if spread > 0 else 1.0
    return min(max(best, _LEAST_DISCOUNT), 0.5)


def weights(blocks: int, discount: float) -> NDArray[np.float64]:
    """The weights of the newest `blocks` blocks, newest first, of sum 1."""
    raw = np.power(1.0 - discount, np.arange(blocks, dtype=np.float64))
    return np.asarray(raw / raw.sum())


def discounted_share(weighed: float, blocks: int, discount: float, drift: float) -> DiscountedShare:
    """From the sum of the weights of the set's blocks among the newest `blocks`. ValueError without blocks.

    Half a block of the newest weight goes to each side, so that no share is 0 or 1.
    """
    if blocks < 1:
        raise ValueError("a discounted share needs blocks")
    w = weights(blocks, discount)
    half = 0.5 * float(w[0])
    p = (weighed + half) / (1.0 + 2.0 * half)
    older = np.cumsum(w[::-1])[::-1][1:]
    variance = p * (1.0 - p) * float((w * w).sum()) + drift * float((older * older).sum())
    return DiscountedShare(p, variance, blocks, discount)


def share_of_hits(hits: ArrayLike, share: float, drift: float) -> DiscountedShare:
    """The same from the blocks themselves, oldest first: 1 where the set produced it. `share` decides how fast they lose weight.

    >>> found = share_of_hits([1, 0, 1, 1] * 1_000, 0.75, 7.9e-8)
    >>> round(found.share, 2), [round(end, 2) for end in found.interval], round(found.above(0.75), 1)
    (0.75, [0.73, 0.77], 0.5)
    """
    newest_first = np.asarray(hits, np.float64)[::-1][:HISTORY_BLOCKS]
    k = discount_of(share, drift)
    blocks = len(newest_first)
    weighed = float((weights(blocks, k) * newest_first).sum()) if blocks else 0.0
    return discounted_share(weighed, blocks, k, drift)
