"""Whether a share of the hashrate may be above a line, or is beyond doubt: the bounds of the Nakamoto coefficient."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.estimates.share_intervals import Z_95


def wilson_excess(count: ArrayLike, n: ArrayLike, line: float, sign: int, z: float = Z_95) -> NDArray[np.float64]:
    """Positive where Wilson's bound on count/n is above `line`: the upper bound for `sign` 1, the lower for −1.

    Wilson's interval holds every share that the score test at z does not reject, so a bound is above the line exactly where
    count − line·n ± z√(n·line(1 − line)) is positive.

    >>> bool(wilson_excess(504, 1_008, 0.5, 1) > 0), bool(wilson_excess(504, 1_008, 0.5, -1) > 0)
    (True, False)
    """
    c, blocks = np.asarray(count, np.float64), np.asarray(n, np.float64)
    return np.asarray(c - line * blocks + sign * z * np.sqrt(blocks * line * (1.0 - line)))
