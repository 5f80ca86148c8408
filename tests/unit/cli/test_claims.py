"""Claims: whole, unique, and judged by two figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.claims.article_claims import CLAIMS, Claim
from desk.claims.checked_claims import Checked
from desk.claims.verdicts import Moves, falls, near, rises, verdict


def test_a_claim_is_whole() -> None:
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS) >= 19
    for claim in CLAIMS:
        assert claim.text.endswith(".") and claim.measure.endswith("."), claim.name
        assert bool(claim.sql) == (claim.judge is not None), claim.name
        assert not claim.sql or (" AS then" in claim.sql and " AS now" in claim.sql), claim.name


def test_no_measure_filters_blocks_by_time() -> None:
    """Blocks are ordered by height: a filter by time reads the whole history, and more with every block."""
    for claim in CLAIMS:
        for where in claim.sql.split(" FROM blocks WHERE ")[1:]:
            assert "time" not in where.partition("GROUP BY")[0], claim.name


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


def test_a_reason_is_given_for_every_verdict() -> None:
    by_name = {claim.name: claim for claim in CLAIMS}
    assert Checked(by_name["top-four"], 0.7415, 0.692).why() == (
        "The claim is 75.00 %, within 2.00 %: 74.15 % is, 69.20 % is not."
    )
    assert Checked(by_name["order"], 4.0, 2.0).why() == "The claim is 4 of 4: 4 of 4 is, 2 of 4 is not."
    assert Checked(by_name["compression"], 5.0, 6.0).why() == "The claim is a fall. The figure rose by 20.0 %."
    assert Checked(by_name["systemic"], 0.30, 0.31).why().endswith("rose by 3.3 %; up to 5 % counts as no change.")
    assert (
        Checked(by_name["systemic"], None, 0.31).why()
        == 'The dataset lacks data for the figure of "then", or a part of its blocks.'
    )
    assert "different directions" in Checked(by_name["edge"], 0.1, 0.2, agree=False).why()
    assert Checked(by_name["geography"], None, None).why() == by_name["geography"].measure


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from([claim for claim in CLAIMS if claim.judge]))
def test_the_reason_never_contradicts_the_verdict(then: float, now: float, claim: Claim) -> None:
    found = Checked(claim, then, now)
    why = found.why()
    if isinstance(claim.judge, Moves):
        moved = ("rose" if claim.judge.up else "fell") if found.verdict == "holds" else None
        moved = ("fell" if claim.judge.up else "rose") if found.verdict == "reversed" else moved
        assert moved is None or f"The figure {moved}" in why
        assert (found.verdict == "no change") == ("no change" in why or "is the same" in why)
    else:
        first, second = why.rpartition(": ")[2].split(", ")[-2:] if claim.unit != "number" else ("", "")
        assert first.endswith(" is") == (found.verdict in ("holds", "held then"))
        assert found.verdict == "did not hold" or second.endswith("is.") == (found.verdict == "holds")
