"""Regime, gap and trend: every quadrant, and every reason for no call."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.metrics.dispersion_draws import interval
from streams.asymmetry.fold.doublings import Estimate, agreed_sign, bounded, doublings, level_call, stale_spread
from streams.asymmetry.fold.regime import SCANNED_SDS, gap_trend, regime, scanned_sign
from streams.asymmetry.fold.trend import slope_per_year

UP, DOWN, OPEN = Estimate(0.1, 0.4, 1.0), Estimate(-0.4, -0.1, 0.0), Estimate(-0.1, 0.4, 0.8)


@pytest.mark.parametrize(
    ("ai", "mining", "expected"),
    [
        (UP, -1, "diverging"),
        (DOWN, 1, "converging"),
        (DOWN, -1, "both_concentrating"),
        (UP, 1, "both_dispersing"),
        (UP, 0, "no_call"),
        (OPEN, -1, "no_call"),
    ],
)
def test_the_four_quadrants(ai: Estimate, mining: int, expected: str) -> None:
    assert regime([ai] * 6, mining) == expected


@pytest.mark.parametrize("at", range(6))
def test_one_treatment_that_disagrees_or_is_open_makes_it_no_call(at: int) -> None:
    for odd in (DOWN, OPEN):
        assert regime([*[UP] * at, odd, *[UP] * (5 - at)], -1) == "no_call"
    assert regime([], -1) == "no_call"


def test_a_side_that_is_looked_at_daily_needs_more_than_an_interval_without_zero() -> None:
    draws = np.array([-1.0, 1.0])  # mean 0, standard deviation 1
    assert [scanned_sign(draws + mean) for mean in (-4.0, -3.7, 0.0, 3.7, 4.0)] == [-1, 0, 0, 0, 1]
    assert 3.7 < SCANNED_SDS < 4.0
    assert scanned_sign(np.zeros(3)) == 0


@pytest.mark.parametrize(
    ("now", "then", "change", "expected"),
    [
        ([UP], [UP], [UP], "opening"),
        ([UP], [UP], [DOWN], "closing"),
        ([DOWN], [DOWN], [DOWN], "opening"),
        ([DOWN], [DOWN], [UP], "closing"),
        ([UP], [DOWN], [UP], "no_call"),
        ([UP], [UP], [OPEN], "no_call"),
        ([UP, DOWN], [UP, UP], [UP], "no_call"),
    ],
)
def test_the_gap(now: list[Estimate], then: list[Estimate], change: list[Estimate], expected: str) -> None:
    assert gap_trend(now, then, change) == expected


def test_the_level_needs_all_of_them() -> None:
    assert level_call([UP, UP]) == "ai_more_dispersed"
    assert level_call([DOWN, DOWN]) == "mining_more_dispersed"
    assert level_call([UP, DOWN]) == "no_call"
    assert level_call([UP, OPEN]) == "no_call"
    assert agreed_sign([]) == 0


def test_an_estimate_of_known_draws() -> None:
    draws = np.arange(-10, 31) / 10  # 41 draws from −1 to 3; 2.5 % of the way is the first
    estimate = Estimate.of(draws)
    assert (estimate.lo, estimate.hi) == pytest.approx((-0.9, 2.9))
    assert estimate.p_positive == pytest.approx(30.5 / 41)
    assert estimate.sign == 0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300))
def test_quantiles_are_those_of_numpy(values: list[float]) -> None:
    draws = np.array(values)
    assert interval(draws) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), rel=1e-9, abs=1e-6)


@given(st.floats(1, 1e4), st.floats(1, 1e4))
def test_both_scores_say_the_same(ai: float, mining: float) -> None:
    assert float(bounded(doublings(ai, mining))) == pytest.approx((ai - mining) / (ai + mining), abs=1e-12)
    assert float(doublings(mining, ai)) == -float(doublings(ai, mining))


def test_age_widens_with_its_square_root() -> None:
    assert stale_spread(0.2, 0) == 0
    assert stale_spread(0.2, 365.25) == pytest.approx(0.2)
    assert stale_spread(0.2, 4 * 365.25) == pytest.approx(0.4)
    with pytest.raises(ValueError, match="not negative"):
        stale_spread(0.2, -1)


def test_a_trend_needs_five_periods() -> None:
    assert slope_per_year([0, 1, 2, 3], [0, 1, 2, 3]) is None
    assert slope_per_year([0, 0, 0, 0, 1], [0, 1, 2, 3, 4]) is None
    assert slope_per_year([0, 1, 2, 3, 4], [5, 4, 3, 2, 1]) == pytest.approx(-1)
    with pytest.raises(ValueError, match="2 times but 1 values"):
        slope_per_year([0, 1], [0])


def test_a_score_needs_both_sides() -> None:
    assert math.isnan(float(doublings(float("nan"), 2.0)))
