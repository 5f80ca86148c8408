"""Effective number of pools: how many *equal* pools would be as concentrated as these are (Hill numbers).

Unknown blocks are left out: p = c/Σc over the pools seen. Reference: M. O. Hill, "Diversity and Evenness", Ecology 54 (1973).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.metrics.counts import FloatArray, as_counts, ratio


def d2(counts: ArrayLike) -> FloatArray:
    """1/Σp², the effective number of order 2, in [1, K]; the mining side of the asymmetry score. NaN without an attributed block.

    >>> float(d2([2, 2]))
    2.0
    """
    values = as_counts(counts).astype(np.float64)
    known = values.sum(axis=-1)
    return ratio(1.0, ratio(np.einsum("...p,...p->...", values, values), known * known))
