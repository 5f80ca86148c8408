"""How long a transaction waits that part of the hashrate refuses to include, where the rest includes it in its next block.

The blocks of those who refuse come one after another with probability s each, so the wait is geometric. The rest does not build on
or against those blocks: refusing is not orphaning. From one half on the refusing side can also orphan the rest, and then no wait
suffices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.risk.checked_shares import FloatArray, as_probability, as_shares


def expected_delay_blocks(refusing_share: ArrayLike) -> FloatArray:
    """1/(1 − s): blocks until the first that includes it, that block counted; 1 for a share of 0, inf for 1.

    >>> expected_delay_blocks([0.0, 0.75]).tolist()
    [1.0, 4.0]
    """
    share = as_shares(refusing_share)
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / (1.0 - share))


def delay_quantile_blocks(refusing_share: ArrayLike, probability: float = 0.99) -> FloatArray:
    """ln(1 − probability)/ln s, at least 1: after so many blocks it is included with this probability. inf where all refuse.

    A real number, so that it compares between shares; the next whole number is the first block at which it holds.

    >>> delay_quantile_blocks([0.75, 0.9588]).round(1).tolist()
    [16.0, 109.5]
    """
    share = as_shares(refusing_share)
    some = (share > 0.0) & (share < 1.0)
    blocks = np.log1p(-as_probability(probability)) / np.log(np.where(some, share, 0.5))
    return np.where(some, np.maximum(blocks, 1.0), np.where(share < 1.0, 1.0, np.inf))


def delay_minutes(blocks: ArrayLike, block_seconds: float = 600.0) -> FloatArray:
    """Blocks in minutes at a mean spacing; ValueError for a spacing that is not above 0.

    >>> float(delay_minutes(4.0))
    40.0
    """
    if not block_seconds > 0.0:
        raise ValueError(f"a block spacing is above 0 seconds, got {block_seconds}")
    return np.asarray(blocks, np.float64) * (block_seconds / 60.0)
