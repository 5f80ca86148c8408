"""Intervals of the top-k share: closed forms where there are any, sampling where there are none, and a table that never shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from counterpoise.metrics.beta_table import BetaTable, top_share_parameters, top_share_posterior
from counterpoise.metrics.counts import MAX_BLOCKS
from tests.unit.metrics.dirichlet import REAL_WINDOWS, draw, real_counts


def test_parameters_follow_the_model() -> None:
    # 10 blocks, 2 unknown, pools 4, 2, 1, 1: α = c + 1/4, unknown has 2. Top 1: 4.25 against 11 − 4.25. Top 4: 9 against 2.
    assert [float(x) for x in top_share_parameters(10, 4, 4, 1)] == [4.25, 6.75]
    assert [float(x) for x in top_share_parameters(10, 8, 4, 4)] == [9.0, 2.0]
    # Three pools, nothing unknown: the four largest are all there is.
    assert [float(x) for x in top_share_parameters(6, 6, 3, 4)] == [7.0, 0.0]
    assert [float(x) for x in top_share_parameters(6, 0, 0, 4)] == [0.0, 0.0]


@pytest.mark.parametrize("count", [1, 5, 100, 4319])
def test_one_pool_and_one_unknown_block_has_a_closed_form(count: int) -> None:
    # Beta(c + 1, 1): P(share ≤ x) = x^(c + 1).
    lower, upper, above = top_share_posterior(count + 1, count, 1, 4, 0.75)
    assert lower == pytest.approx(0.025 ** (1 / (count + 1)), rel=1e-12)
    assert upper == pytest.approx(0.975 ** (1 / (count + 1)), rel=1e-12)
    assert above == pytest.approx(1 - 0.75 ** (count + 1), rel=1e-12)


def test_two_equal_pools_are_symmetric_and_arcsine_at_the_start() -> None:
    lower, upper, above = top_share_posterior(100, 50, 2, 1, 0.5)
    assert lower + upper == pytest.approx(1, rel=1e-12)
    assert above == pytest.approx(0.5, rel=1e-12)
    # One block by each of two pools: Beta(3/2, 3/2), a semicircle: P(share > 3/4) = 1/3 − √3/(4π)·… by area of a segment:
    # circle of radius 1/2, chord at distance 1/4: segment = r²·acos(d/r) − d·√(r² − d²), over half a circle's area.
    segment = 0.25 * math.acos(0.5) - 0.25 * math.sqrt(0.25 - 0.0625)
    assert top_share_posterior(2, 1, 2, 1, 0.75)[2] == pytest.approx(segment / (math.pi / 4), rel=1e-12)


def test_pools_that_were_not_seen_and_points_without_doubt() -> None:
    # Three pools made all six blocks; a fourth stays unseen with 2.5 % at a share of 1 − 0.025^(1/6).
    assert top_share_posterior(6, 6, 3, 4, 0.75).tolist() == pytest.approx([0.025 ** (1 / 6), 1.0, 1 - 0.75**6])
    assert top_share_posterior(6, 6, 3, 4, 1.0).tolist()[1:] == [1.0, 0.0]
    assert top_share_posterior(1_008, 1_008, 4, 4, 0.75).tolist() == pytest.approx([0.99635, 1.0, 1.0], abs=1e-5)
    assert top_share_posterior(6, 0, 0, 4, 0.75).tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(top_share_posterior(0, 0, 0, 4, 0.75)).all()


@pytest.mark.parametrize(("window", "height"), REAL_WINDOWS)
def test_agrees_with_sampling_on_real_windows(window: int, height: int) -> None:
    counts, unknown = real_counts(window, height)
    shares = draw(counts, unknown, seed=height + window)
    for k in (1, 4):
        leaders = np.argsort(-counts, kind="stable")[:k]
        sample = shares[:, leaders].sum(axis=1)
        lower, upper, above = top_share_posterior(window, counts[leaders].sum(), len(counts), k, 0.75)
        # 200,000 draws place a 2.5 % quantile to 0.006 standard deviations; five of those.
        tolerance = 0.03 * sample.std()
        assert [lower, upper] == pytest.approx(np.quantile(sample, [0.025, 0.975]).tolist(), abs=tolerance)
        assert above == pytest.approx((sample > 0.75).mean(), abs=0.006)


@given(
    rows=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(0, 12)), max_size=40),
    cut=st.integers(0, 40),
)
@settings(max_examples=50, deadline=None)
def test_remembering_changes_no_bit(rows: list[tuple[int, int, int]], cut: int) -> None:
    n, count, pools = _consistent(rows)
    table = BetaTable(4, 0.75)
    parts = [table.lookup(n[s], count[s], pools[s]) for s in (slice(cut, None), slice(None, cut), slice(None))]
    direct = top_share_posterior(n, count, pools, 4, 0.75)
    assert np.concatenate([parts[1], parts[0]]).tobytes() == direct.tobytes()
    assert parts[2].tobytes() == direct.tobytes()
    assert len(table) == len(set(zip(n.tolist(), count.tolist(), pools.tolist(), strict=True)))


def _consistent(rows: list[tuple[int, int, int]]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Counts that a window can have: none without a pool, at least one for each pool that leads."""
    n = [max(n, c, 4) for n, c, _ in rows]
    count = [0 if k == 0 else max(c, min(k, 4)) for _, c, k in rows]
    return np.array(n, np.int64), np.array(count, np.int64), np.array([k for *_, k in rows], np.int64)


def test_the_interval_contains_the_share_and_narrows_with_blocks() -> None:
    n = np.array([144, 1008, 2016, 4320])
    count = n * 3 // 4
    values = BetaTable(4).lookup(n, count, np.full(4, 20))
    assert np.all((values[:, 0] < count / n) & (count / n < values[:, 1]))
    widths = values[:, 1] - values[:, 0]
    assert np.all(np.diff(widths) < 0)
    # A share of 70 % of 144 blocks has a standard error of √(.7·.3/144) = 3.8 points; two of them each way.
    narrow = BetaTable(4).lookup(np.array([144]), np.array([101]), np.array([15]))[0]
    assert narrow[1] - narrow[0] == pytest.approx(2 * 1.96 * 0.038, rel=0.03)


def test_refuses_what_it_cannot_key() -> None:
    with pytest.raises(ValueError, match="need k ≥ 1 and a line between 0 and 1, got k=0"):
        BetaTable(0)
    with pytest.raises(ValueError, match="need k ≥ 1 and a line between 0 and 1, got k=4, line=75"):
        BetaTable(4, 75)
    with pytest.raises(ValueError, match="a window of 9742 blocks is too large: the table ends at 9741"):
        BetaTable(4).lookup(np.array([MAX_BLOCKS + 1]), np.array([1]), np.array([1]))
