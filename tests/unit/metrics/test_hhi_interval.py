"""Intervals of the HHI and of D₂: exact moments, closed forms for one and two pools, sampling on real windows."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from counterpoise.metrics.effective_number import d2
from counterpoise.metrics.hhi_interval import Z_95, d2_interval, hhi_interval, hhi_moments
from tests.count_vectors import hhi
from tests.unit.metrics.dirichlet import REAL_WINDOWS, draw, real_counts


def sums(counts: list[int]) -> tuple[int, int, int, int]:
    """(s2, s3, known, pools) of counts without zeros."""
    return sum(c**2 for c in counts), sum(c**3 for c in counts), sum(counts), len(counts)


def test_z_is_the_normal_quantile() -> None:
    assert pytest.approx(special.ndtri(0.975), abs=1e-15) == Z_95


@given(counts=st.lists(st.integers(1, 300), min_size=1, max_size=12), unknown=st.integers(0, 300))
@settings(deadline=None)
def test_moments_are_exact(counts: list[int], unknown: int) -> None:
    # E[pᵢ²], E[pᵢ⁴] and E[pᵢ²pⱼ²] of a Dirichlet, term by term in fractions.
    alpha = [c + Fraction(1, len(counts)) for c in counts]
    total = sum(counts) + unknown + 1
    second = sum(a * (a + 1) for a in alpha) / Fraction(total * (total + 1))
    square = Fraction(sum(a * (a + 1) * (a + 2) * (a + 3) for a in alpha))
    square += sum(a * (a + 1) * b * (b + 1) for i, a in enumerate(alpha) for j, b in enumerate(alpha) if i != j)
    variance = square / Fraction(total * (total + 1) * (total + 2) * (total + 3)) - second**2
    got_mean, got_variance = hhi_moments(*sums(counts), unknown)
    assert float(got_mean) == pytest.approx(float(second), rel=1e-13)
    assert float(got_variance) == pytest.approx(float(variance), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("unknown", [1, 9, 100])
def test_one_pool_beside_unknown_is_a_squared_beta(unknown: int) -> None:
    # p ~ Beta(c + 1, u): the index is p², its quantiles the squares. Moments are exact, the lognormal is near.
    mean, variance = hhi_moments(*sums([130]), unknown)
    total = 131 + unknown
    assert float(mean) == pytest.approx(131 * 132 / (total * (total + 1)), rel=1e-13)
    exact = [special.betaincinv(131, unknown, q) ** 2 for q in (0.025, 0.975)]
    lower, upper = hhi_interval(*sums([130]), unknown)
    assert [float(lower), float(upper)] == pytest.approx(exact, abs=0.75 * math.sqrt(float(variance)))


@pytest.mark.parametrize("counts", [[90, 54], [700, 308], [3000, 1320]])
def test_two_pools_are_a_parabola_of_a_beta(counts: list[int]) -> None:
    # p ~ Beta(c₁ + ½, c₂ + ½), index 1 − 2p(1 − p); far from ½ it is monotone in p, so quantiles map.
    a, b = counts[0] + 0.5, counts[1] + 0.5
    total = a + b
    mean, variance = hhi_moments(*sums(counts), 0)
    product = a * b / (total * (total + 1))
    fourth = a * (a + 1) * b * (b + 1) / (total * (total + 1) * (total + 2) * (total + 3))
    assert float(mean) == pytest.approx(1 - 2 * product, rel=1e-13)
    assert float(variance) == pytest.approx(4 * (fourth - product**2), rel=1e-9)
    exact = [1 - 2 * p * (1 - p) for p in (special.betaincinv(a, b, q) for q in (0.025, 0.975))]
    lower, upper = hhi_interval(*sums(counts), 0)
    assert [float(lower), float(upper)] == pytest.approx(exact, abs=0.35 * math.sqrt(float(variance)))
    assert [1 / float(upper), 1 / float(lower)] == [float(end) for end in d2_interval(*sums(counts))]


@pytest.mark.parametrize(("window", "height"), REAL_WINDOWS)
def test_agrees_with_sampling_on_real_windows(window: int, height: int) -> None:
    counts, unknown = real_counts(window, height)
    values = sums(counts.tolist())
    # Of a standard deviation: what docs/methodology.md promises, and the five standard errors of a sampled quantile.
    promised = {144: 0.15, 1008: 0.08}.get(window, 0.05) + 0.03
    index = (draw(counts, unknown, seed=height) ** 2).sum(axis=1)
    ends = [float(end) for end in hhi_interval(*values, unknown)]
    assert ends == pytest.approx(np.quantile(index, [0.025, 0.975]).tolist(), abs=promised * index.std())
    attributed = 1 / (draw(counts, 0, seed=height + 1) ** 2).sum(axis=1)
    ends = [float(end) for end in d2_interval(*values)]
    assert ends == pytest.approx(np.quantile(attributed, [0.025, 0.975]).tolist(), abs=promised * attributed.std())
    # The value that it is about lies inside.
    assert (
        float(hhi_interval(*values, unknown)[0])
        < float(hhi(counts, unknown=unknown))
        < float(hhi_interval(*values, unknown)[1])
    )
    assert ends[0] < float(d2(counts)) < ends[1]


@pytest.mark.parametrize("tip", [680_000, 760_903, 892_330, 940_000])
@pytest.mark.parametrize(("window", "least"), [(144, 0.74), (1008, 0.90), (2016, 0.91), (4320, 0.93)])
def test_how_often_the_interval_holds_the_truth(tip: int, window: int, least: float) -> None:
    # The table of docs/methodology.md: its smallest figures, less three standard errors of 2,000 simulations.
    month, _ = real_counts(4320, tip)
    hashrate = month / month.sum()
    samples = np.random.default_rng(tip).multinomial(window, hashrate, size=2000).astype(np.float64)
    pools = np.count_nonzero(samples, axis=1)
    lower, upper = hhi_interval((samples**2).sum(axis=1), (samples**3).sum(axis=1), np.full(2000, window), pools, 0)
    truth = (hashrate**2).sum()
    assert least <= ((lower <= truth) & (truth <= upper)).mean() <= 0.97
    # Never too low: the posterior errs upwards only.
    assert (upper < truth).mean() <= 0.04


@given(counts=st.lists(st.integers(1, 60), min_size=1, max_size=9), unknown=st.integers(0, 60))
@settings(deadline=None)
def test_ends_are_possible_values_in_order(counts: list[int], unknown: int) -> None:
    lower, upper = (float(end) for end in hhi_interval(*sums(counts), unknown))
    assert (1 / len(counts) if unknown == 0 else 0) <= lower <= upper <= 1
    lower, upper = (float(end) for end in d2_interval(*sums(counts)))
    assert 1 <= lower <= upper <= len(counts) * (1 + 1e-15)


def test_without_doubt_and_without_blocks() -> None:
    assert [float(end) for end in hhi_interval(*sums([5]), 0)] == [1.0, 1.0]
    assert [float(end) for end in d2_interval(*sums([5]))] == [1.0, 1.0]
    assert [float(end) for end in hhi_interval(0, 0, 0, 0, 5)] == [0.0, 0.0]
    assert all(math.isnan(float(end)) for end in hhi_interval(0, 0, 0, 0, 0))
    assert all(math.isnan(float(end)) for end in d2_interval(0, 0, 0, 0))


def test_rows_do_not_see_each_other() -> None:
    rows = [[5], [70, 74], [1, 1, 2], [300, 200, 100, 50]]
    s2, s3, known, pools = np.array([sums(row) for row in rows]).T
    together = np.stack(hhi_interval(s2, s3, known, pools, np.array([0, 3, 0, 9])), axis=1)
    alone = [[float(end) for end in hhi_interval(*sums(row), u)] for row, u in zip(rows, (0, 3, 0, 9), strict=True)]
    assert together.tolist() == alone
