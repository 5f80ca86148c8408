"""From what share on it pays to keep blocks secret.

Reference: I. Eyal and E. G. Sirer, "Majority is not Enough" (2014), arXiv:1311.0243.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.risk.checked_shares import FloatArray, as_shares


def selfish_tie(share: ArrayLike) -> FloatArray:
    """The least γ from which selfish mining pays a share: (1 − 3s)/(1 − 2s), in [0, 1]; 0 from one third on.

    γ is the part of the other miners' hashrate that builds on the selfish block in a tie. The inverse of the paper's threshold
    (1 − γ)/(3 − 2γ).

    >>> selfish_tie([0.0, 0.25, 1 / 3, 0.6]).round(4).tolist()
    [1.0, 0.5, 0.0, 0.0]
    """
    s = as_shares(share)
    below = np.minimum(s, 1.0 / 3.0)
    return np.asarray(np.clip((1.0 - 3.0 * below) / (1.0 - 2.0 * below), 0.0, 1.0))
