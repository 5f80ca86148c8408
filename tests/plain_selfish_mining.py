"""Selfish mining by the formulas of the paper: what `selfish_tie` is held against.

Reference: I. Eyal and E. G. Sirer, "Majority is not Enough" (2014), arXiv:1311.0243.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.risk.checked_shares import FloatArray, as_shares


def selfish_threshold(gamma: ArrayLike) -> FloatArray:
    """(1 − γ)/(3 − 2γ): the share above which selfish mining earns more than its part; from 1/3 (γ = 0) down to 0 (γ = 1).

    `gamma` is the part of the other miners' hashrate that builds on the selfish block in a tie.

    >>> selfish_threshold([0.0, 0.5, 1.0]).round(4).tolist()
    [0.3333, 0.25, 0.0]
    """
    tie = as_shares(gamma)
    return np.asarray((1.0 - tie) / (3.0 - 2.0 * tie))


def selfish_revenue(share: ArrayLike, gamma: ArrayLike) -> FloatArray:
    """The selfish side's part of all rewards, their equation (8), in [0, 1]; 1 from one half on, where it always wins.

    >>> float(selfish_revenue(1 / 3, 0.0).round(12)) == round(1 / 3, 12)
    True
    """
    a, tie = np.broadcast_arrays(as_shares(share), as_shares(gamma))
    s = np.where(a < 0.5, a, 0.0)
    gained = s * (1.0 - s) ** 2 * (4.0 * s + tie * (1.0 - 2.0 * s)) - s**3
    return np.where(a < 0.5, gained / (1.0 - s * (1.0 + (2.0 - s) * s)), 1.0)
