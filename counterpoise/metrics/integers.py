"""The integers of a window: everything about its counts from which the concentration metrics follow.

A row of integers is what is stored and sent; shares, indices and intervals are computed from it (`derived.py` here, the same
formulas in the SQL views), so no two places can hold two truths. All of them are exact whatever the order or number of the rows,
which makes the fold's output a function of the blocks alone, bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.metrics.counts import MAX_BLOCKS, FloatArray, IntArray
from counterpoise.metrics.nakamoto import HALF, ONE_THIRD, nakamoto_of_ordered
from counterpoise.windows import LEADERS

_CODE_LIMIT = 0xFFFF
_FIXED_POINT_BITS = 46


def _c_ln_c_table() -> IntArray:
    """c·ln c for c = 0…MAX_BLOCKS as integers of 2⁻⁴⁶; sums of them have no rounding, hence no order."""
    return np.array(
        [0] + [round(math.ldexp(c * math.log(c), _FIXED_POINT_BITS)) for c in range(1, MAX_BLOCKS + 1)], dtype=np.int64
    )


_C_LN_C = _c_ln_c_table()


@dataclass(frozen=True)
class WindowIntegers:
    """One row a window, R rows; every field has length R.

    pools_seen     K, pools with at least one block
    counts         (R, 6) the largest counts, largest first, 0 where there are fewer pools
    leaders        (R, 6) their codes, of equal counts the smaller code first, 0 where there are fewer pools
    s2, s3, s4     Σc², Σc³, Σc⁴ over pools (unknown is no pool)
    gini_num       Σᵢ (2i − K − 1)·c₍ᵢ₎, counts ascending, i = 1…K: Gini = gini_num / (K·Σc)
    sum_c_ln_c     Σ c·ln c, natural logarithm: entropy in nats = ln Σc − sum_c_ln_c / Σc. The sum is taken in integers of
                   2⁻⁴⁶ and rounded once, so it is within K·2⁻⁴⁷ of the true value and does not depend on order
    nakamoto_one_third, nakamoto_half   see `nakamoto`; 0 = not reached
    """

    pools_seen: NDArray[np.uint16]
    counts: NDArray[np.uint16]
    leaders: NDArray[np.uint16]
    s2: NDArray[np.uint64]
    s3: NDArray[np.uint64]
    s4: NDArray[np.uint64]
    gini_num: NDArray[np.int64]
    sum_c_ln_c: FloatArray
    nakamoto_one_third: NDArray[np.uint16]
    nakamoto_half: NDArray[np.uint16]


def window_integers(counts: NDArray[Any], codes: NDArray[np.uint16], n: NDArray[Any]) -> WindowIntegers:
    """Reduce block counts to their integers.

    `counts` (R, P) integers ≥ 0; `codes` (P,) the pool of each column, distinct; `n` (R,) all blocks of the row, unknown
    included, at most `MAX_BLOCKS` (ValueError beyond: the sums would no longer be exact). P may be 0.
    """
    rows, pools = counts.shape
    if rows and int(n.max()) > MAX_BLOCKS:
        raise ValueError(f"a window of {int(n.max())} blocks is too large: exact sums end at {MAX_BLOCKS}")
    width = max(pools, LEADERS)
    # Count and code in one number sort together: by count, and of equal counts the smaller code ranks higher.
    keys = np.zeros((rows, width), dtype=np.int32)
    keys[:, :pools] = counts
    keys <<= 16
    keys[:, :pools] |= _CODE_LIMIT - codes.astype(np.int32)
    keys.sort(axis=1)
    ascending = keys >> 16
    largest_first = ascending[:, ::-1]
    top = largest_first[:, :LEADERS]
    leaders = np.where(top > 0, _CODE_LIMIT - (keys[:, : -LEADERS - 1 : -1] & _CODE_LIMIT), 0)

    # Whole numbers below 2⁵³ are exact in float64, and float64 is what numpy multiplies and sums fastest.
    values = ascending.astype(np.float64)
    squares = values * values
    known = np.einsum("rp->r", values)
    seen = np.count_nonzero(ascending, axis=1)
    ranked = np.einsum("rp,p->r", values, np.arange(1.0, width + 1.0))
    gini_num = 2.0 * ranked - (2.0 * width - seen + 1.0) * known
    fixed_point: IntArray = np.take(_C_LN_C, ascending).sum(axis=1)
    return WindowIntegers(
        pools_seen=seen.astype(np.uint16),
        counts=top.astype(np.uint16),
        leaders=leaders.astype(np.uint16),
        s2=np.einsum("rp->r", squares).astype(np.uint64),
        s3=np.einsum("rp,rp->r", squares, values).astype(np.uint64),
        s4=np.einsum("rp,rp->r", squares, squares).astype(np.uint64),
        gini_num=gini_num.astype(np.int64),
        sum_c_ln_c=np.ldexp(fixed_point.astype(np.float64), -_FIXED_POINT_BITS),
        nakamoto_one_third=nakamoto_of_ordered(largest_first, n, ONE_THIRD),
        nakamoto_half=nakamoto_of_ordered(largest_first, n, HALF),
    )
