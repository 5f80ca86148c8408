"""What several metrics share, as SQL over the columns of `concentration_log`: the counterpart of the properties of `StoredIntegers`.

A view that shows some metrics repeats the terms that they need, and these only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

SQL_TERMS: Final[dict[str, str]] = {
    "known": "toInt64(n) - unknown",
    "largest": "c1 / n",
    "race": "-log(4. * largest * (1. - largest))",
    "k": "toFloat64(greatest(pools_seen, 1))",
    "a1": "known + 1.",
    "a2": "s2 + (2. * known + 1.) / k",
    "a3": "s3 + 3. * s2 / k + (3. * known + 1.) / (k * k)",
    "mass": "n + 1.",
    "lowest": "if(unknown = 0, 1. / k, 0.)",
    "certain": "pools_seen = 0 OR (pools_seen = 1 AND unknown = 0)",
    "nats": "if(known = 0, nan, greatest(log(known) - sum_c_ln_c / known, 0.))",
    "moment": "a1 + a2",
    "cubes": "4. * a3 + 10. * a2 + 6. * a1",
    "pairs": "mass * (mass + 1.)",
    "known_pairs": "a1 * (a1 + 1.)",
    "excess": "moment / pairs - lowest",
    "spread": (
        "greatest((cubes - moment * moment * (4. * mass + 6.) / pairs) / (pairs * (mass + 2.) * (mass + 3.)), 0.) / (excess * excess)"
    ),
    "known_excess": "moment / known_pairs - 1. / k",
    "known_spread": (
        "greatest((cubes - moment * moment * (4. * a1 + 6.) / known_pairs) / (known_pairs * (a1 + 2.) * (a1 + 3.)), 0.) "
        "/ (known_excess * known_excess)"
    ),
    "middle": "excess / sqrt(1. + spread)",
    "factor": "exp(1.959963984540054 * sqrt(log1p(spread)))",
    "known_middle": "known_excess / sqrt(1. + known_spread)",
    "known_factor": "exp(1.959963984540054 * sqrt(log1p(known_spread)))",
}
"""Name → expression over stored columns and earlier names. The interval's terms are those of `hhi_interval.py`."""

_NAME: Final = re.compile(r"[A-Za-z_]\w*")


def names_in(sql: str) -> set[str]:
    """Every name in an expression: columns, terms and functions."""
    return set(_NAME.findall(sql))


def terms_of(expressions: Iterable[str]) -> list[str]:
    """The terms that these expressions need, and that those need, in the order of their definition."""
    wanted = set().union(*(names_in(sql) for sql in expressions))
    for term in reversed(SQL_TERMS):
        if term in wanted:
            wanted |= names_in(SQL_TERMS[term])
    return [term for term in SQL_TERMS if term in wanted]
