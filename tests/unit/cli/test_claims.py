"""Claims: whole, unique, and judged by two figures."""

from __future__ import annotations

import math

import pytest

from desk.claims.claims import CLAIMS
from desk.claims.verdicts import falls, near, rises, verdict


def test_a_claim_is_whole() -> None:
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS) >= 19
    for claim in CLAIMS:
        assert claim.text.endswith(".") and claim.measure.endswith("."), claim.name
        assert bool(claim.sql) == (claim.judge is not None), claim.name
        assert not claim.sql or (" AS then" in claim.sql and " AS now" in claim.sql), claim.name


@pytest.mark.parametrize(
    ("judge", "then", "now", "expected"),
    [
        (near(0.75, 0.02), 0.7415, 0.692, "held then"),
        (near(0.75, 0.02), 0.7415, 0.76, "holds"),
        (near(0.75, 0.02), 0.60, 0.75, "did not hold"),
        (falls, 5.5, 6.32, "reversed"),
        (falls, 6.32, 5.5, "holds"),
        (rises, 100.0, 104.0, "no change"),
        (rises, None, 1.0, "no data"),
        (rises, math.nan, 1.0, "no data"),
        (None, None, None, "not measurable"),
    ],
)
def test_a_verdict(judge: object, then: float | None, now: float | None, expected: str) -> None:
    assert verdict(judge, then, now) == expected  # type: ignore[arg-type]
    if judge is not None and expected != "no data":
        assert verdict(judge, then, now, agree=False) == "lists disagree"  # type: ignore[arg-type]
