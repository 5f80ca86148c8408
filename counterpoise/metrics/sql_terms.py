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
    "nats": "if(known = 0, nan, greatest(log(known) - sum_c_ln_c / known, 0.))",
    "same_pairs": "toFloat64(s2) - known",
    "same_triples": "toFloat64(s3) - 3. * s2 + 2. * known",
    "pairs": "n * (n - 1.)",
    "pair_chance": "same_pairs / pairs",
    "triple_excess": "greatest(same_triples / (pairs * (n - 2.)) - pair_chance * pair_chance, 0.)",
    "pair_variance": (
        "2. * (2. * (n - 2.) * triple_excess + greatest(pair_chance - pair_chance * pair_chance, 0.)) / ((n - 2.) * (n - 3.))"
    ),
    "factor": "exp(1.959963984540054 * sqrt(pair_variance) / pair_chance)",
    "known_pairs": "known * (known - 1.)",
    "known_chance": "same_pairs / known_pairs",
    "known_excess": "greatest(same_triples / (known_pairs * (known - 2.)) - known_chance * known_chance, 0.)",
    "known_variance": (
        "2. * (2. * (known - 2.) * known_excess + greatest(known_chance - known_chance * known_chance, 0.)) "
        "/ ((known - 2.) * (known - 3.))"
    ),
    "known_factor": "exp(1.959963984540054 * sqrt(known_variance) / known_chance)",
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
