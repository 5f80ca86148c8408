"""The range of the Nakamoto coefficient for any number of pools. The metric, which stores six, is held against it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from counterpoise.estimates.nakamoto_bounds import wilson_excess
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
