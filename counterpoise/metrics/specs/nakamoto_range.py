"""The range of the Nakamoto coefficient of the hashrate: the fewest pools that may exceed the line, and those that do beyond doubt.

"May" and "beyond doubt" are Wilson's 95 % bounds on the share of the k largest pools, k = 1…6.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.estimates.nakamoto_bounds import wilson_excess
from counterpoise.estimates.share_intervals import Z_95
from counterpoise.metrics.spec import UP_TO_POOLS, MetricSpec
from counterpoise.metrics.stored_integers import StoredIntegers
from counterpoise.windows import LEADERS

_LINES = (("one_third", Fraction(1, 3), "a third", 303), ("half", Fraction(1, 2), "half", 305))
_ENDS = ((1, "low", "may hold"), (-1, "high", "hold beyond doubt"))


def _first(line: Fraction, sign: int) -> Callable[[StoredIntegers], NDArray[Any]]:
    def compute(integers: StoredIntegers) -> NDArray[Any]:
        line_excess = wilson_excess(0, integers.n, float(line), sign)  # that of a count is the count more
        found = np.zeros(len(integers), np.uint16)
        for k in range(LEADERS, 0, -1):
            found[integers.top(k) + line_excess > 0] = k
        return found

    return compute


def _sql(line: Fraction, sign: int) -> str:
    counts = ", ".join(f"c{rank}" for rank in range(1, LEADERS + 1))
    share = float(line)
    reach = f"{Z_95!r} * sqrt(n * {share!r} * {1.0 - share!r})"
    return (
        f"toUInt16(arrayFirstIndex(few -> few - {share!r} * n {'+' if sign > 0 else '-'} {reach} > 0, "
        f"arrayCumSum([{counts}])))"
    )


def _spec(line_of: tuple[str, Fraction, str, int], end_of: tuple[int, str, str]) -> MetricSpec:
    (name, line, words, order), (sign, end, how) = line_of, end_of
    return MetricSpec(
        name=f"nakamoto_{name}_{end}",
        order=order + (sign < 0),
        group="risk",
        title=f"{'lowest' if sign > 0 else 'highest'} Nakamoto coefficient of the hashrate, {words}",
        unit="pools",
        range=UP_TO_POOLS,
        formula=f"smallest k ≤ 6 with c₁ + … + c_k > n·l {'−' if sign > 0 else '+'} z√(n·l(1 − l)), l = {line}",
        undefined="0 where the six largest do not reach it",
        reference="E. B. Wilson, J. American Statistical Association 22 (1927)",
        comment=f"Fewest pools that {how} more than {words} of the hashrate with 95 %; 0 where the six largest do not",
        compute=_first(line, sign),
        sql=_sql(line, sign),
        type="UInt16",
    )


SPECS = tuple(_spec(line, end) for line in _LINES for end in _ENDS)
