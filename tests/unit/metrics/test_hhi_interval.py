"""Intervals of the HHI and of D₂: moments against every pair and triple of blocks, edges, and coverage on real distributions."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from counterpoise.metrics.hhi_interval import (
    Z_95,
    d2_interval,
    hhi_interval,
    pair_moments,
    triple_moment,
    variance_of_other_pairs,
)
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.metrics.stored_integers import StoredIntegers
from tests.unit.metrics.dirichlet import real_counts

COUNTS = st.lists(st.integers(1, 60), min_size=1, max_size=9)


def sums(counts: list[int], unknown: int = 0) -> tuple[int, int, int, int]:
    """(s2, s3, known, n) of counts."""
    return sum(c**2 for c in counts), sum(c**3 for c in counts), sum(counts), sum(counts) + unknown


def ends(pair: tuple[np.ndarray, np.ndarray]) -> list[float]:
    return [float(end) for end in pair]


def test_z_is_the_normal_quantile() -> None:
    assert pytest.approx(special.ndtri(0.975), abs=1e-15) == Z_95


@given(counts=st.lists(st.integers(1, 6), min_size=1, max_size=5), unknown=st.integers(0, 5))
@settings(deadline=None, max_examples=40)
def test_pairs_and_triples_are_those_of_the_blocks(counts: list[int], unknown: int) -> None:
    owners = [pool for pool, count in enumerate(counts) for _ in range(count)]
    blocks = [*owners, *range(-1, -unknown - 1, -1)]  # each unknown block is on its own
    if len(blocks) < 4:
        return
    pairs = [a == b for a, b in combinations(blocks, 2)]
    triples = [a == b == c for a, b, c in combinations(blocks, 3)]
    q, r = Fraction(sum(pairs), len(pairs)), Fraction(sum(triples), len(triples))
    n = len(blocks)
    variance = 2 * (2 * (n - 2) * max(r - q * q, Fraction(0)) + q - q * q) / ((n - 2) * (n - 3))
    got = ends(pair_moments(*sums(counts, unknown)))
    assert got == pytest.approx([float(q), float(variance)], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("blocks", [40, 300])
def test_the_variance_is_that_of_samples(blocks: int) -> None:
    rng = np.random.default_rng(5)
    shares = np.array([0.6, 0.25, 0.1, 0.05])
    samples = rng.multinomial(blocks, shares, 100_000)
    s2, s3 = (samples**2).sum(1), (samples**3).sum(1)
    q, variance = pair_moments(s2, s3, blocks, blocks)
    assert q.mean() == pytest.approx(0.435, abs=4 * q.std() / 316)
    # Hoeffding's own divisor, n(n - 1), would be a tenth too small at 40 blocks.
    assert variance.mean() == pytest.approx(q.var(), rel=0.03)
    other = rng.multinomial(100, shares, 100_000)
    luck = variance_of_other_pairs(q, triple_moment(s2, s3, blocks, blocks), variance, np.array(100.0))
    assert luck.mean() == pytest.approx((((other**2).sum(1) - 100) / 9_900).var(), rel=0.03)


@pytest.mark.parametrize("tip", [680_000, 709_800, 760_903, 892_330, 940_000])
@pytest.mark.parametrize(("window", "least"), [(144, 0.925), (1008, 0.935), (2016, 0.935), (4320, 0.935)])
def test_how_often_the_interval_holds_the_truth(tip: int, window: int, least: float) -> None:
    month, unknown = real_counts(4320, tip)
    hashrate = np.append(month, unknown) / 4320
    samples = np.random.default_rng(tip).multinomial(window, hashrate, size=4000).astype(np.float64)[:, : len(month)]
    s2, s3, known = ((samples**power).sum(axis=1) for power in (2, 3, 1))
    lower, upper = hhi_interval(s2, s3, known, window)
    truth = (hashrate[: len(month)] ** 2).sum()
    error = 3 * math.sqrt(0.05 * 0.95 / 4000)
    assert least - error <= ((lower <= truth) & (truth <= upper)).mean() <= 0.96 + error
    lower, upper = d2_interval(s2, s3, known)
    truth = month.sum() ** 2 / (month**2).sum()
    assert least - error <= ((lower <= truth) & (truth <= upper)).mean() <= 0.96 + error


@given(counts=COUNTS, unknown=st.integers(0, 60))
@settings(deadline=None)
def test_ends_hold_the_value_and_are_possible(counts: list[int], unknown: int) -> None:
    s2, s3, known, n = sums(counts, unknown)
    lower, upper = ends(hhi_interval(s2, s3, known, n))
    assert 0 <= lower <= s2 / n**2 <= upper <= 1
    lower, upper = ends(d2_interval(s2, s3, known))
    assert 1 <= lower <= known**2 / s2 * (1 + 1e-12)
    assert math.isnan(upper) or upper >= known**2 / s2 * (1 - 1e-12)


@given(counts=COUNTS, data=st.data(), unknown=st.integers(0, 60))
@settings(deadline=None)
def test_the_upper_bound_is_of_every_truth_about_unknown_blocks(
    counts: list[int], data: st.DataObject, unknown: int
) -> None:
    integers = StoredIntegers.of_counts(counts, unknown=unknown)
    bound, value = (float(SPECS[name].compute(integers)[0]) for name in ("hhi_upper", "hhi"))
    truth = [*counts, 0]
    for _ in range(unknown):
        truth[data.draw(st.integers(0, len(counts)))] += 1
    n = sum(truth)
    assert value - 1e-12 <= sum((c / n) ** 2 for c in truth) <= bound + 1e-12
    counts[counts.index(max(counts))] += unknown
    assert bound == pytest.approx(sum((c / n) ** 2 for c in counts))


@given(counts=st.lists(st.integers(1, 60), min_size=2, max_size=9), data=st.data())
@settings(deadline=None)
def test_a_block_to_a_larger_pool_never_lowers_the_index(counts: list[int], data: st.DataObject) -> None:
    small, large = sorted(data.draw(st.permutations(range(len(counts))))[:2], key=lambda i: counts[i])
    moved = list(counts)
    moved[small] -= 1
    moved[large] += 1
    before, after = (StoredIntegers.of_counts(each) for each in (counts, moved))
    for name in ("hhi", "hhi_unbiased", "top1_share", "top4_share"):
        assert float(SPECS[name].compute(after)[0]) >= float(SPECS[name].compute(before)[0]) - 1e-15, name


def test_pools_that_were_not_seen_may_exist() -> None:
    # One pool in every block: another one stays unseen with 2.5 % at a share of 1 − 0.025^(1/n).
    lower, upper = ends(hhi_interval(*sums([144])))
    assert [lower, upper] == pytest.approx([0.025 ** (2 / 144), 1.0])
    assert ends(d2_interval(*sums([144])[:3])) == pytest.approx([1.0, 0.025 ** (-2 / 144)])


def test_edges() -> None:
    assert ends(hhi_interval(0, 0, 0, 5)) == [0.0, pytest.approx(-2 * math.log(0.025) / 20)]
    assert (
        ends(hhi_interval(*sums([1, 1])))
        == ends(hhi_interval(*sums([2])))
        == ends(hhi_interval(*sums([2, 1])))
        == [0.0, 1.0]
    )
    assert all(math.isnan(end) for end in ends(hhi_interval(0, 0, 0, 0)))
    assert all(math.isnan(end) for end in ends(d2_interval(0, 0, 0)))
    lower, upper = ends(d2_interval(*sums([1, 1, 1, 1])[:3]))
    assert lower == 1 / min(1.0, -2 * math.log(0.025) / 12) and math.isnan(upper)


def test_rows_do_not_see_each_other() -> None:
    rows, unknown = [[5], [70, 74], [1, 1, 2], [300, 200, 100, 50]], (0, 3, 0, 9)
    s2, s3, known, n = np.array([sums(row, u) for row, u in zip(rows, unknown, strict=True)]).T
    together = np.stack(hhi_interval(s2, s3, known, n), axis=1)
    assert together.tolist() == [ends(hhi_interval(*sums(row, u))) for row, u in zip(rows, unknown, strict=True)]
