"""Shares now and next: variances by hand and by simulated walks, the fit of the drift, and the range of the Nakamoto coefficient."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.estimates.drift import TOP1_DRIFT, TOP4_DRIFT
from counterpoise.estimates.nakamoto_bounds import wilson_excess
from counterpoise.estimates.share_intervals import (
    best_window,
    fit_drift,
    next_interval,
    next_variance,
    now_interval,
    now_variance,
)
from tests.plain_nakamoto_range import nakamoto_range


def walks(rng: np.random.Generator, start: float, drift: float, runs: int, blocks: int) -> np.ndarray:
    return start + rng.normal(0, np.sqrt(drift), (runs, blocks)).cumsum(axis=1)


def test_the_variances_are_those_of_walks() -> None:
    rng = np.random.default_rng(1)
    n, m, drift = 2_000, 1_000, 4e-7
    path = walks(rng, 0.5, drift, 4_000, n + m)
    blocks = rng.random(path.shape) < path
    before, after, now = blocks[:, :n].mean(1), blocks[:, n:].mean(1), path[:, n - 1]
    assert (before - now).var() == pytest.approx(float(now_variance(0.5, n, drift)), rel=0.08)
    assert (before - after).var() == pytest.approx(float(next_variance(0.5, n, m, drift)), rel=0.08)


def test_the_best_window_has_the_least_variance() -> None:
    assert (
        2_700 < float(best_window(0.72, TOP4_DRIFT)) < 3_550.1 and 2_700 < float(best_window(0.3, TOP1_DRIFT)) < 3_560
    )
    best = float(best_window(0.72))
    assert all(now_variance(0.72, best, TOP4_DRIFT) <= now_variance(0.72, best * f, TOP4_DRIFT) for f in (0.8, 1.25))


@pytest.mark.parametrize("drift", [0.0, 2e-7])
def test_the_fit_finds_the_drift(drift: float) -> None:
    rng = np.random.default_rng(2)
    window = 2_016
    path = np.clip(walks(rng, 0.5, drift, 3_000, 2 * window), 0.01, 0.99)
    blocks = rng.random(path.shape) < path
    found = fit_drift(blocks[:, :window].mean(1), blocks[:, window:].mean(1), window)
    assert found == pytest.approx(drift, abs=1.5e-8)


@given(st.integers(0, 4_320), st.sampled_from([144, 1_008, 4_320]), st.floats(0, 1e-6))
@settings(deadline=None)
def test_intervals_hold_the_point_and_widen_with_drift(count: int, n: int, drift: float) -> None:
    count = min(count, n)
    low, high = (float(end) for end in now_interval(count, n, drift))
    assert 0 <= low <= (count + 0.5) / (n + 1) <= high <= 1
    wider = [float(end) for end in next_interval(count, n, 2_016, drift)]
    assert wider[0] <= low + 1e-12 and high <= wider[1] + 1e-12


def test_without_drift_it_is_the_binomial_interval_and_covers() -> None:
    rng = np.random.default_rng(3)
    count = rng.binomial(1_008, 0.72, 40_000)
    low, high = now_interval(count, 1_008, 0.0)
    assert ((low <= 0.72) & (high >= 0.72)).mean() == pytest.approx(0.95, abs=0.01)


def test_arguments_are_checked() -> None:
    for share, n, drift in ((0.5, 0, 0.0), (1.5, 5, 0.0), (0.5, 5, -1.0)):
        with pytest.raises(ValueError, match="a window has blocks, and a drift is not negative"):
            now_variance(share, n, drift)
    with pytest.raises(ValueError, match="the next blocks are at least one"):
        next_variance(0.5, 10, 0, 0.0)
    with pytest.raises(ValueError, match="drift is fitted from pairs"):
        fit_drift([], [], 144)


def test_a_range_of_the_coefficient_by_hand() -> None:
    # 30 % and 49 % of 100 blocks: one pool may not hold half, two may, three beyond doubt (64 % of 100: 54 to 73 %).
    assert nakamoto_range([30, 19, 15, 10], 100) == (2, 3)
    assert nakamoto_range([100], 100) == (1, 1)
    assert nakamoto_range([], 100) == nakamoto_range([], 0) == (0, 0)
    assert nakamoto_range([30, 22], 100) == (2, 0)


@pytest.mark.parametrize("window", [144, 1_008, 4_320])
def test_the_range_holds_the_truth(window: int) -> None:
    # The coefficient of shares near a line: .3 + .19 = .49, with .15 it is 3.
    shares = np.array([0.3, 0.19, 0.15, 0.12, 0.1, 0.08, 0.06])
    rng = np.random.default_rng(window)
    ranges = np.array([nakamoto_range(row.tolist(), window) for row in rng.multinomial(window, shares, 3_000)])
    high = np.where(ranges[:, 1] == 0, 99, ranges[:, 1])
    assert ((ranges[:, 0] <= 3) & (high >= 3)).mean() >= 0.94


@given(st.integers(1, 9_741), st.data(), st.sampled_from([1 / 3, 0.5, 0.75]))
@settings(deadline=None, max_examples=60)
def test_wilson_is_the_interval_of_scipy(n: int, data: st.DataObject, line: float) -> None:
    count = data.draw(st.integers(0, n))
    interval = scipy.stats.binomtest(count, n).proportion_ci(0.95, method="wilson")
    for sign, bound in ((1, interval.high), (-1, interval.low)):
        if abs(bound - line) > 1e-9:
            assert (float(wilson_excess(count, n, line, sign)) > 0) == (bound > line)
