"""Dispersion under the three treatments: by hand, by splitting buckets for real, and against the metrics of block counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.metrics import effective_number
from counterpoise.metrics.dispersion import TREATMENTS, hill_numbers, owners_per_bucket, top_shares
from counterpoise.metrics.dispersion_draws import (
    DRAWS,
    dirichlet_draws,
    generator,
    lognormal_draws,
    lognormal_sigma,
    quantile_normals,
)
from tests import count_vectors

values = st.lists(st.floats(1e-3, 1e9), min_size=1, max_size=12)
buckets = st.lists(st.floats(1e-3, 1e9), max_size=3)


def test_three_treatments_by_hand() -> None:
    # Named 4, 3, 1 and a bucket of 8: sums of squares 26; 26 + 64; 26 + 64/4. Totals 8; 16; 16.
    named, bucket = [4, 3, 1], [8]
    assert float(hill_numbers(named, bucket, "dropped").d2) == pytest.approx(64 / 26)
    assert float(hill_numbers(named, bucket, "one_owner").d2) == pytest.approx(256 / 90)
    assert float(hill_numbers(named, bucket, "spread", 4).d2) == pytest.approx(256 / 42)
    entropy = -(0.5 * math.log(0.5) + 0.375 * math.log(0.375) + 0.125 * math.log(0.125))
    assert float(hill_numbers(named, bucket, "dropped").d1) == pytest.approx(math.exp(entropy))
    assert top_shares(named, bucket, "dropped").tolist() == [0.5, 0.875, 1.0, 1.0]
    assert top_shares(named, bucket, "one_owner").tolist() == [0.25, 0.4375, 0.5, 0.5], "the bucket is never ranked"


@given(values, buckets, st.integers(1, 40))
def test_spread_is_what_splitting_gives(named: list[float], residual: list[float], m: int) -> None:
    split = named + [bucket / m for bucket in residual for _ in range(m)]
    ours, theirs = hill_numbers(named, residual, "spread", m), hill_numbers(split, [], "dropped")
    assert float(ours.d2) == pytest.approx(float(theirs.d2), rel=1e-9)
    assert float(ours.d1) == pytest.approx(float(theirs.d1), rel=1e-9)
    one = hill_numbers(named, residual, "one_owner")
    assert float(one.d2) == pytest.approx(float(hill_numbers(named + residual, [], "dropped").d2), rel=1e-12)
    assert float(one.d2) <= float(ours.d2) * (1 + 1e-12)


@given(values, buckets, st.sampled_from(TREATMENTS), st.floats(1e-3, 1e3), st.randoms())
def test_order_scale_and_zeros_do_not_matter(
    named: list[float], residual: list[float], how: str, scale: float, random: object
) -> None:
    base = hill_numbers(named, residual, how)  # type: ignore[arg-type]
    other = hill_numbers([0.0, *(x * scale for x in named[::-1])], [*(x * scale for x in residual), 0.0], how)  # type: ignore[arg-type]
    assert float(other.d2) == pytest.approx(float(base.d2), rel=1e-9)
    assert float(other.d1) == pytest.approx(float(base.d1), rel=1e-9)
    assert 1 - 1e-9 <= float(base.d2) <= float(base.d1) * (1 + 1e-9)
    assert float(base.hhi) == pytest.approx(1 / float(base.d2))


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20))
def test_whole_numbers_agree_with_the_metrics_of_counts(counts: list[int]) -> None:
    hill = hill_numbers(counts, [], "dropped")
    assert float(hill.d2) == pytest.approx(float(effective_number.d2(counts)), rel=1e-12)
    assert float(hill.d1) == pytest.approx(float(count_vectors.d1(counts)), rel=1e-12)
    assert float(hill.hhi) == pytest.approx(float(count_vectors.hhi(counts)), rel=1e-12)
    for k in (1, 2, 3, 4):
        expected = float(count_vectors.top_k_share(counts, k))
        assert float(top_shares(counts, [], "dropped")[k - 1]) == pytest.approx(expected, rel=1e-12)


def test_what_is_undefined_is_nan_and_what_is_wrong_is_refused() -> None:
    assert np.isnan(hill_numbers([], [], "dropped").d2)
    assert np.isnan(hill_numbers([0.0], [5.0], "dropped").hhi)
    assert np.isnan(top_shares([], [], "spread")).all()
    for bad in ([-1.0], [float("nan")], [float("inf")]):
        with pytest.raises(ValueError, match="finite and not negative"):
            hill_numbers(bad, [], "dropped")
    with pytest.raises(ValueError, match="scalar"):
        hill_numbers(3.0, [], "dropped")
    with pytest.raises(ValueError, match="at least one owner"):
        owners_per_bucket("spread", 0)


def test_a_matrix_is_its_rows() -> None:
    named, residual = np.array([[3.0, 1.0], [2.0, 2.0]]), np.array([[4.0], [0.0]])
    for how in TREATMENTS:
        both = hill_numbers(named, residual, how).d2
        each = [float(hill_numbers(n, r, how).d2) for n, r in zip(named, residual, strict=True)]
        assert both.tolist() == each
        assert top_shares(named, residual, how).shape == (2, 4)


def test_sigma_from_quantiles_and_for_those_without() -> None:
    p5 = np.array([scipy.stats.lognorm.ppf(0.05, s) for s in (0.1, 0.2, 0.4)] + [np.nan, 0.0])
    p95 = np.array([scipy.stats.lognorm.ppf(0.95, s) for s in (0.1, 0.2, 0.4)] + [np.nan, 7.0])
    sigma, imputed = lognormal_sigma(p5, p95)
    assert sigma.tolist() == pytest.approx([0.1, 0.2, 0.4, 0.2, 0.2])
    assert imputed == 2
    nothing, all_of_them = lognormal_sigma(np.array([np.nan]), np.array([np.nan]))
    assert (nothing.tolist(), all_of_them) == ([0.0], 1)


def test_lognormal_draws_have_the_published_quantiles() -> None:
    median, sigma = np.array([100.0, 5.0]), np.array([0.3, 0.0])
    draws = lognormal_draws(median, sigma, generator("a test").standard_normal((100_000, 2)))
    expected = [scipy.stats.lognorm.ppf(q, 0.3, scale=100) for q in (0.05, 0.5, 0.95)]
    assert np.quantile(draws[:, 0], [0.05, 0.5, 0.95]).tolist() == pytest.approx(expected, rel=0.01)
    assert (draws[:, 1] == 5).all()


def test_quantile_normals_are_normal() -> None:
    drawn = quantile_normals(generator("a third test"), np.empty((1_000, 200)))
    _, p_value = scipy.stats.kstest(drawn.ravel(), "norm")
    assert p_value > 0.01
    assert np.abs(drawn).max() == pytest.approx(scipy.stats.norm.isf(0.5 / 65_536), abs=0.2)
    assert np.abs(np.corrcoef(drawn[:, :4].T) - np.eye(4)).max() < 0.15, "four of them share 64 bits"


def test_dirichlet_draws_are_the_posterior() -> None:
    counts = np.array([60, 30, 9, 1])
    draws = dirichlet_draws(counts, generator("another test"), 50_000)
    alpha = counts + 0.25
    assert draws.mean(axis=0) == pytest.approx(alpha / alpha.sum(), abs=0.002)
    assert draws.std(axis=0) == pytest.approx(np.sqrt(scipy.stats.dirichlet.var(alpha)), rel=0.02)
    assert draws.sum(axis=1) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="at least one category"):
        dirichlet_draws(np.array([], dtype=np.int64), generator("x"))


def test_draws_hang_on_the_key_alone() -> None:
    one, same, other = (generator("side", key).standard_normal(4).tolist() for key in (1, 1, 2))
    assert one == same
    assert one != other
    assert DRAWS == 8_192
