"""A range for the Nakamoto coefficient of the hashrate: the coefficients that the sample does not rule out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.estimates.share_intervals import Z_95


def nakamoto_range(counts: Sequence[int], n: int, line: float = 0.5, z: float = Z_95) -> tuple[int, int]:
    """(lowest, highest) coefficient: fewest pools with more than `line` of the hashrate, of n blocks with `counts` by pool.

    The lowest is the smallest k whose k largest may hold more than the line; the highest is the smallest k whose k largest hold more
    beyond doubt. "May" and "beyond doubt" are Wilson bounds at z on the share of these k. The highest is 0 (not reached) where no k
    qualifies, and the lowest too where there is no block. Unknown blocks are in n and in no count.

    >>> nakamoto_range([300, 200, 150, 100, 50], 1_008)
    (2, 3)
    """
    held = np.cumsum(sorted((c for c in counts if c > 0), reverse=True))
    if n <= 0 or not len(held):
        return 0, 0
    may, must = (np.flatnonzero(wilson_excess(held, n, line, sign, z) > 0) for sign in (1, -1))
    return (int(may[0]) + 1 if len(may) else 0), (int(must[0]) + 1 if len(must) else 0)


def wilson_excess(count: ArrayLike, n: ArrayLike, line: float, sign: int, z: float = Z_95) -> NDArray[np.float64]:
    """Positive where Wilson's bound on count/n is above `line`: the upper bound for `sign` 1, the lower for −1.

    Wilson's interval holds every share that the score test at z does not reject, so a bound is above the line exactly where
    count − line·n ± z√(n·line(1 − line)) is positive.

    >>> bool(wilson_excess(504, 1_008, 0.5, 1) > 0), bool(wilson_excess(504, 1_008, 0.5, -1) > 0)
    (True, False)
    """
    c, blocks = np.asarray(count, np.float64), np.asarray(n, np.float64)
    return np.asarray(c - line * blocks + sign * z * np.sqrt(blocks * line * (1.0 - line)))
