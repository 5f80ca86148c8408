"""The known answers of others: a peer's test suite, the Bitcoin whitepaper and Rosenfeld's paper, each difference argued."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from counterpoise.risk.double_spend import (
    confirmations_needed,
    rosenfeld_risk,
)
from tests.count_vectors import (
    gini,
    hhi_points,
    max_entropy_bits,
    nakamoto,
    normalised_entropy,
    pools_seen,
    renyi_bits,
    theil,
    top_k_share,
)
from tests.plain_double_spend import whitepaper_confirmations, whitepaper_success
from tests.shared import shared_data

OTHERS = {"bip34_height"}  # answered where coinbases are read

# Where we differ on purpose: (metric, input) -> (our answer, or the ValueError's beginning, and why).
ARGUED: dict[tuple[str, str], tuple[float | str, str]] = {
    ("nakamoto_coefficient", "[3, 2, 1]"): (
        2,
        "exactly half is not more than half; the peer's own text says 'more than'",
    ),
    ("gini", "[11, 2, -1]"): (
        "counts must not be negative",
        "nobody makes minus one block; shifting invents a population",
    ),
    ("theil_index", "[]"): (math.nan, "no distribution is not an equal distribution"),
    ("concentration_ratio", "[]"): (math.nan, "0/0: no blocks is not 'nobody holds anything'"),
}


def _order(alpha: float) -> float:
    return math.inf if alpha == -1 else alpha  # the peer writes -1 for min-entropy


# Zeros are members of the population in the peer's inequality measures; that is what `population` is for.
ANSWER: dict[str, Callable[[dict[str, Any], Any], float]] = {
    "entropy": lambda p, c: float(renyi_bits(c, _order(p["alpha"]))),
    "max_entropy": lambda p, pools: float(max_entropy_bits(pools)),
    "entropy_percentage": lambda p, c: float(normalised_entropy(c)),
    "gini": lambda p, c: float(gini(c, population=len(c))),
    "nakamoto_coefficient": lambda p, c: float(nakamoto(c, Fraction(str(p["threshold"])))),
    "hhi": lambda p, c: float(hhi_points(c)),
    "theil_index": lambda p, c: float(theil(c, population=len(c))),
    "concentration_ratio": lambda p, c: float(top_k_share(c, p["topn"])),
    "tau_index": lambda p, c: float(nakamoto(c, Fraction(str(p["threshold"])))),
    "total_entities": lambda p, c: float(pools_seen(c)),
    "nakamoto_attacker_success": lambda p, _: whitepaper_success(p["q"], p["z"]),
    "min_z_for_P_below_0.001": lambda p, _: whitepaper_confirmations(p["q"]),
    "rosenfeld_success": lambda p, _: float(rosenfeld_risk(p["q"], p["n"])),
    "rosenfeld_min_n_for_P_below_0.001": lambda p, _: float(confirmations_needed(p["q"])),
}
UNDEFINED = {
    "nakamoto_coefficient": 0.0,
    "tau_index": 0.0,
}  # the peer's None; ours is "not reached" there, NaN elsewhere


def test_every_known_answer() -> None:
    vectors = json.loads(shared_data("vectors/metric_vectors.json").read_text(encoding="utf-8"))
    ours = [vector for vector in vectors if vector["metric"] not in OTHERS]
    assert len(ours) == 90
    argued = set()
    for vector in ours:
        metric, given = vector["metric"], vector["input"]
        key = (metric, json.dumps(given))
        if key in ARGUED:
            argued.add(key)
            answer, _why = ARGUED[key]
            if isinstance(answer, str):
                with pytest.raises(ValueError, match=f"^{answer}"):
                    ANSWER[metric](vector["params"], given)
                continue
            expected = answer
        elif vector["expected"] is None:
            expected = UNDEFINED.get(metric, math.nan)
        else:
            expected = vector["expected"]
        got = ANSWER[metric](vector["params"], given)
        if "round_decimals" in vector and key not in ARGUED:
            got = round(got, vector["round_decimals"])
        assert got == pytest.approx(expected, rel=1e-12, abs=1e-15, nan_ok=True), vector
    assert argued == set(ARGUED)


def test_the_peers_population_is_an_option_and_not_the_rule() -> None:
    # A pool that made no block in the window is not a member: by hand, (1·(-2) + 1·0 + 3·2)/(3·5) = 4/15.
    assert float(gini([1, 1, 3, 0, 0])) == pytest.approx(4 / 15, rel=1e-15)
    assert float(theil([432, 0, 0, 0])) == 0.0
