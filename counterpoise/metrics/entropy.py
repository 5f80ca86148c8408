"""Shannon entropy of the distribution of blocks over pools, in nats.

A distribution has to sum to one, so unknown blocks are left out here: p = c/Σc over the pools seen.

Reference: C. E. Shannon (1948).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.metrics.counts import FloatArray, ratio


def shannon_nats_of_sums(sum_c_ln_c: ArrayLike, known: ArrayLike) -> FloatArray:
    """H = −Σ p·ln p from Σ c·ln c and known = Σc: ln known − Σ c·ln c / known, in [0, ln K] for K pools.

    0 for one pool, ln K for K equal ones. NaN without an attributed block.
    """
    blocks = np.asarray(known, np.float64)
    mean_log = ratio(sum_c_ln_c, blocks)
    return np.maximum(np.log(np.where(blocks > 0, blocks, 1.0)) - mean_log, 0.0)
