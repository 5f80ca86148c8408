"""Effective number of pools: how many *equal* pools would be as concentrated as these are (Hill numbers).

Unknown blocks are left out: p = c/Σc over the pools seen. Reference: M. O. Hill, "Diversity and Evenness", Ecology 54 (1973).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.metrics.counts import FloatArray, ratio
from counterpoise.metrics.entropy import shannon_nats
from counterpoise.metrics.hhi import hhi_attributed


def d1(counts: ArrayLike) -> FloatArray:
    """exp(H), the effective number of order 1, in [1, K]. NaN without an attributed block.

    >>> round(float(d1([5, 5, 5])), 12)
    3.0
    """
    return np.exp(shannon_nats(counts))


def d2(counts: ArrayLike) -> FloatArray:
    """1/Σp², the effective number of order 2, in [1, `d1`]; the mining side of the asymmetry score. NaN without an attributed block.

    >>> float(d2([2, 2]))
    2.0
    """
    return ratio(1.0, hhi_attributed(counts))


def d2_of_sums(s2: ArrayLike, known: ArrayLike) -> FloatArray:
    """`d2` from s2 = Σc² and known = Σc: known² / s2."""
    blocks = np.asarray(known, np.float64)
    return ratio(blocks * blocks, s2)
