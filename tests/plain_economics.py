"""What hashing earns, by the formulas: the subsidy by height, hashprice, and the part of fees. The SQL is held against it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.risk.checked_shares import FloatArray

SATS_PER_BTC = 100_000_000
_HASHES_PER_PETAHASH_DAY = 8.64e19
"""10¹⁵ hashes a second over 86,400 seconds."""


def subsidy_sats(
    heights: ArrayLike, *, first_sats: int = 50 * SATS_PER_BTC, halving_blocks: int = 210_000
) -> NDArray[np.int64]:
    """What a block creates beside its fees, in satoshis: halved after every `halving_blocks`, rounded down, 0 after 63 halvings.

    >>> subsidy_sats([209_999, 210_000, 840_000]).tolist()
    [5000000000, 2500000000, 312500000]
    """
    halvings = np.asarray(heights, np.int64) // halving_blocks
    return np.where(halvings < 63, np.int64(first_sats) >> np.minimum(halvings, 62), 0).astype(np.int64)


def hashprice(reward: ArrayLike, difficulty: ArrayLike, price: ArrayLike = 1.0) -> FloatArray:
    """What one PH/s earns a day: 8.64e19·reward·price/(difficulty·2³²).

    `reward` is in BTC a block, subsidy and fees. The result is in BTC without a price, and in USD with a price in USD for one BTC. A
    price needs a source and an age.

    >>> float(hashprice(3.125, 152e12, 91_000).round(2))
    37.64
    """
    earned: FloatArray = (
        _HASHES_PER_PETAHASH_DAY
        * np.asarray(reward, np.float64)
        * np.asarray(price, np.float64)
        / (np.asarray(difficulty, np.float64) * 2.0**32)
    )
    return earned


def fee_share(fees_sats: ArrayLike, subsidies_sats: ArrayLike) -> FloatArray:
    """Fees as a part of the whole reward, in [0, 1]; NaN where there is no reward at all."""
    fees, subsidy = np.asarray(fees_sats, np.float64), np.asarray(subsidies_sats, np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(fees / (fees + subsidy))
