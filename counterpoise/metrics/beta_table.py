"""Credible intervals of a top-k share, computed once for each distinct (blocks, count, pools) and looked up after that.

The model (docs/methodology.md): blocks are a multinomial sample of hashrate, with a Dirichlet prior of total mass 1 spread evenly
over the K pools seen. The share of *these* k pools, with c of n blocks, then has the posterior Beta(a, b),

    a = c + k′/K,   b = (n − c) + (K − k′)/K,   k′ = min(k, K),   a + b = n + 1.

Unknown blocks are in n and so in b: the share is the lower bound, and so is its interval.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.metrics.counts import MAX_BLOCKS, FloatArray, IntArray
from counterpoise.special_functions import special

LOWER_TAIL = 0.025
UPPER_TAIL = 0.975
"""The equal tails of a 95 % interval."""


def top_share_parameters(
    n: ArrayLike, count: ArrayLike, pools_seen: ArrayLike, k: int
) -> tuple[FloatArray, FloatArray]:
    """(a, b) of the Beta posterior above. b is 0 where the k pools are all there is; both are 0 where no pool was seen."""
    n_, c, seen = (np.asarray(values, np.float64) for values in (n, count, pools_seen))
    some = np.maximum(seen, 1.0)
    inside = np.minimum(k, seen)
    a = np.where(seen > 0, c + inside / some, 0.0)
    b = np.where(seen > 0, (n_ - c) + (seen - inside) / some, 0.0)
    return a, b


def top_share_posterior(n: ArrayLike, count: ArrayLike, pools_seen: ArrayLike, k: int, line: float) -> FloatArray:
    """(…, 3): lower and upper end of the 95 % equal-tail interval of the share, and P(share > `line`).

    `count` is the sum of the k largest counts among `n` blocks. Where b = 0 the k pools made every block. Another pool may exist
    that was not seen: a set with a share of x makes all n blocks with chance xⁿ, so the interval is (0.025^(1/n), 1) and
    P(share > line) is 1 − lineⁿ. Where no pool was seen among n > 0 blocks the share is 0: (0, 0, 0). Without blocks all is NaN.

    >>> top_share_posterior(1, 1, 1, 1, 0.75).tolist()
    [0.025, 1.0, 0.25]
    """
    a, b = top_share_parameters(n, count, pools_seen, k)
    some = (a > 0) & (b > 0)
    # Parameters of 1 stand in where the posterior is a point, so that scipy is never asked for a limit.
    a_, b_ = np.where(some, a, 1.0), np.where(some, b, 1.0)
    result = np.stack(
        [
            special().betaincinv(a_, b_, LOWER_TAIL),
            special().betaincinv(a_, b_, UPPER_TAIL),
            special().betainc(b_, a_, 1.0 - line),
        ],
        axis=-1,
    )
    blocks = np.asarray(n, np.float64)
    alone = np.maximum(np.broadcast_to(blocks, a.shape), 1.0)
    all_there_is = np.stack([LOWER_TAIL ** (1.0 / alone), np.ones(a.shape), 1.0 - np.power(line, alone)], axis=-1)
    result = np.where(some[..., None], result, np.where((a > 0)[..., None], all_there_is, 0.0))
    return np.where((blocks > 0)[..., None], result, np.nan)


class BetaTable:
    """`top_share_posterior` for one k and one line, remembered.

    Counts are small integers and move by one from block to block, so a year of blocks asks for a few thousand distinct
    posteriors. Values are computed element by element: what is returned for a key never depends on what else was asked for.
    Grows to at most a row of 32 bytes for each distinct (n, count, pools_seen); a chain's full windows reach some tens of
    thousands. Not safe to share between threads.
    """

    def __init__(self, k: int, line: float = 0.75) -> None:
        if k < 1 or not 0.0 <= line <= 1.0:
            raise ValueError(f"need k ≥ 1 and a line between 0 and 1, got k={k}, line={line}")
        self.k = k
        self.line = line
        self._keys: IntArray = np.zeros(0, dtype=np.int64)
        self._values: FloatArray = np.zeros((0, 3))

    def __len__(self) -> int:
        return len(self._keys)

    def lookup(self, n: NDArray[Any], count: NDArray[Any], pools_seen: NDArray[Any]) -> FloatArray:
        """(R, 3) lower, upper, P(share > line) for R rows of integers. Raises ValueError beyond `MAX_BLOCKS` blocks."""
        if len(n) and int(n.max()) > MAX_BLOCKS:
            raise ValueError(f"a window of {int(n.max())} blocks is too large: the table ends at {MAX_BLOCKS}")
        packed = (n.astype(np.int64) << 32) | (count.astype(np.int64) << 16) | pools_seen.astype(np.int64)
        asked, inverse = np.unique(packed, return_inverse=True)
        place: NDArray[np.intp] = np.asarray(np.searchsorted(self._keys, asked))
        known = np.zeros(len(asked), dtype=bool)
        inside = place < len(self._keys)
        known[inside] = self._keys[place[inside]] == asked[inside]
        if not known.all():
            new = asked[~known]
            values = top_share_posterior(new >> 32, (new >> 16) & 0xFFFF, new & 0xFFFF, self.k, self.line)
            self._keys = np.insert(self._keys, place[~known], new)
            self._values = np.insert(self._values, place[~known], values, axis=0)
            place = np.asarray(np.searchsorted(self._keys, asked))
        return self._values[place[inverse]]
