"""Double-spend risk against the papers, exact rational arithmetic, and a race that is played out."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erfcinv

from counterpoise.risk.confirmations_closed_form import (
    INVERTED,
    NO_NUMBER,
    ONE_IN_100_000,
    ONE_PER_MILLE,
    ONE_PERCENT,
    TABLE_CONFIRMATIONS,
    confirmations_whole,
)
from counterpoise.risk.double_spend import (
    confirmations_for_loss,
    confirmations_needed,
    expected_loss,
    rosenfeld_risk,
)
from tests.plain_double_spend import share_at_risk, whitepaper_confirmations, whitepaper_success

RISKS = (ONE_PERCENT, ONE_PER_MILLE, ONE_IN_100_000)
SHARES = st.floats(0.0, 1.0, allow_nan=False)


def exact_risk(share: str, n: int) -> Fraction:
    """Rosenfeld's sum in rational arithmetic, from the paper."""
    q = Fraction(share)
    p = 1 - q
    return 1 - sum((math.comb(m + n - 1, m) * (p**n * q**m - p**m * q**n) for m in range(n + 1)), Fraction(0))


@pytest.mark.parametrize(("q", "n"), [("0.1", 6), ("0.2", 13), ("0.3", 32), ("0.4", 133)])
def test_rosenfeld_needs_exactly_so_many(q: str, n: int) -> None:
    # arXiv:1402.2009, quoted: n for a risk below 0.1 %.
    assert exact_risk(q, n) < Fraction(1, 1000) <= exact_risk(q, n - 1)
    assert confirmations_needed(float(q)) == n
    assert float(rosenfeld_risk(float(q), n)) == pytest.approx(float(exact_risk(q, n)), rel=1e-9)


@pytest.mark.parametrize(
    ("q", "needed"), [("0.3161", (24, 38, 68)), ("0.3853", (62, 101, 181)), ("0.4", (82, 133, 240))]
)
def test_confirmations_for_three_risks(q: str, needed: tuple[int, ...]) -> None:
    for risk, n in zip(("0.01", "0.001", "0.00001"), needed, strict=True):
        assert exact_risk(q, n) < Fraction(risk) <= exact_risk(q, n - 1)
        assert confirmations_needed(float(q), float(risk)) == n


def test_catching_up_from_six_is_not_the_sixth_power() -> None:
    assert round(float(exact_risk("0.4", 6)), 4) == 0.4930
    assert float(rosenfeld_risk(0.4, 6)) == pytest.approx(0.4930, abs=5e-5)
    assert 0.4**6 < 0.01


def test_a_race_that_is_played_out() -> None:
    # The attacker finds k blocks while the merchant waits for n, starts even, and wins with (q/p)^(n − k) from there.
    rng = np.random.default_rng(20_261_126)
    q, n = 0.3, 6
    behind = n - rng.negative_binomial(n, 1 - q, 400_000)
    won = np.where(behind <= 0, 1.0, (q / (1 - q)) ** np.maximum(behind, 0))
    assert float(rosenfeld_risk(q, n)) == pytest.approx(won.mean(), abs=4 * won.std() / math.sqrt(len(won)))


def test_the_edges() -> None:
    assert rosenfeld_risk([0.0, 0.5, 0.7, 0.1], [6, 6, 6, 0]).tolist() == [0.0, 1.0, 1.0, 1.0]
    assert [whitepaper_success(q, z) for q, z in ((0.0, 6), (0.5, 6), (0.7, 6), (0.1, 0))] == [0.0, 1.0, 1.0, 1.0]
    assert confirmations_needed([0.0, 0.5, 1.0]).tolist() == [1.0, math.inf, math.inf]
    assert whitepaper_confirmations(0.5) == math.inf
    for share in (1.1, -0.1, math.nan):
        with pytest.raises(ValueError, match="a share is a part of the hashrate between 0 and 1"):
            rosenfeld_risk(share, 1)
    for function in (rosenfeld_risk, whitepaper_success):
        with pytest.raises(ValueError, match="confirmations must not be negative, got -1"):
            function(0.1, -1)
    with pytest.raises(ValueError, match="a probability is above 0 and below 1, got 0"):
        confirmations_needed(0.1, 0.0)


def test_the_whitepaper_understates_small_risks() -> None:
    # Waiting as long as the whitepaper's formula says leaves more than the 0.1 % that was asked for.
    for share in (0.1, 0.2, 0.3, 0.4):
        assert float(rosenfeld_risk(share, whitepaper_confirmations(share))) > 0.001


@given(SHARES, SHARES, st.integers(0, 500))
@settings(deadline=None)
def test_risk_grows_with_the_share_and_falls_with_waiting(one: float, other: float, n: int) -> None:
    low, high = sorted((one, other))
    assert rosenfeld_risk(low, n) <= rosenfeld_risk(high, n)
    assert rosenfeld_risk(low, n + 1) <= rosenfeld_risk(low, n)
    for risk in RISKS:
        assert confirmations_needed(low, risk) <= confirmations_needed(high, risk)


def test_the_constants_of_the_closed_form_compute_again() -> None:
    for risk, constants in INVERTED.items():
        assert constants.w == float(f"{float(erfcinv(risk)) ** 2:.12g}")
        assert constants.shares == tuple(
            float(f"{float(share_at_risk(n, risk)):.12g}") for n in range(1, TABLE_CONFIRMATIONS + 1)
        )


@given(st.integers(1, 2_000), st.floats(1e-6, 0.5))
@settings(deadline=None)
def test_a_share_at_risk_is_where_the_risk_is_reached(n: int, risk: float) -> None:
    assert float(rosenfeld_risk(share_at_risk(n, risk), n)) == pytest.approx(risk, rel=1e-7)


@pytest.mark.parametrize("risk", RISKS)
def test_the_closed_form_is_exact_for_every_share_of_every_window(risk: float) -> None:
    for blocks in (144, 1_008, 2_016, 4_320, 9_741):
        share = np.arange(blocks + 1) / blocks
        assert np.array_equal(
            confirmations_whole(share, risk), np.minimum(confirmations_needed(share, risk), NO_NUMBER)
        )


@given(st.integers(1, 9_741), st.data())
@settings(deadline=None)
def test_the_closed_form_is_exact_for_part_filled_windows(blocks: int, data: st.DataObject) -> None:
    share = data.draw(st.integers(0, blocks)) / blocks
    for risk in RISKS:
        assert confirmations_whole(share, risk) == min(float(confirmations_needed(share, risk)), NO_NUMBER)


def test_a_payment_is_settled_when_the_expected_loss_is_small_enough() -> None:
    # 10 million at risk, 1,000 bearable: a risk of 1 in 10,000.
    z = confirmations_for_loss(10_000_000, 1_000, [0.1, 0.3161, 0.4, 0.5])
    assert z.tolist()[-1] == math.inf
    for q, n in zip(("0.1", "0.3161", "0.4"), z[:3].tolist(), strict=True):
        assert exact_risk(q, int(n)) < Fraction(1, 10_000) <= exact_risk(q, int(n) - 1)
        assert float(expected_loss(10_000_000, float(q), n)) < 1_000
    assert confirmations_for_loss(1_000, 1_000, 0.9) == 0.0
    for amount, loss in ((0, 1), (1, 0), (math.inf, 1), (math.nan, 1)):
        with pytest.raises(ValueError, match="amount and largest loss are above 0"):
            confirmations_for_loss(amount, loss, 0.1)
