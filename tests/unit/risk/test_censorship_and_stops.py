"""Refused transactions, coordinated stops, runs, selfish mining and economics: by hand, from papers, and played out."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.risk.censorship import delay_minutes, delay_quantile_blocks, expected_delay_blocks
from counterpoise.risk.coordinated_stop import coordinated_stop
from tests.plain_difficulty import difficulty_from_bits
from tests.plain_economics import fee_share, hashprice, subsidy_sats
from tests.plain_runs import expected_runs, longest_runs, run_probability
from tests.plain_selfish_mining import selfish_revenue, selfish_threshold
from tests.shared import shared_data


def test_a_refused_transaction_waits() -> None:
    assert expected_delay_blocks([0.0, 0.75, 0.9588, 1.0]).round(1).tolist() == [1.0, 4.0, 24.3, math.inf]
    assert delay_quantile_blocks([0.0, 0.75, 0.9588, 1.0]).round(1).tolist() == [1.0, 16.0, 109.5, math.inf]
    assert delay_minutes(expected_delay_blocks(0.75)).tolist() == 40.0
    # By definition: after k refused blocks in a row it still waits with probability s^k.
    assert 0.9588 ** float(delay_quantile_blocks(0.9588)) == pytest.approx(0.01)
    with pytest.raises(ValueError, match="a block spacing is above 0 seconds, got 0"):
        delay_minutes(1.0, 0.0)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
@settings(deadline=None)
def test_a_larger_share_never_shortens_the_wait(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert expected_delay_blocks(low) <= expected_delay_blocks(high)
    assert delay_quantile_blocks(low) <= delay_quantile_blocks(high)


def test_a_stop_of_half_doubles_the_interval() -> None:
    stop = coordinated_stop(0.5018, 2_016 * 469)  # right after a retarget: the longest wait
    assert float(stop.interval_ratio) == pytest.approx(2.01, abs=0.005)
    assert stop.first_retarget_blocks == 2_016
    assert 27.9 < float(stop.first_retarget_seconds) / 86_400 < 28.2
    # By hand: 2,015 intervals of 600/.4982 s were measured against 14 days.
    measured = 2_015 * 600 / 0.4982
    assert float(stop.interval_after_seconds) == pytest.approx(600 / 0.4982 * 1_209_600 / measured)
    assert float(stop.interval_final_seconds) == pytest.approx(600 * 2_016 / 2_015)


def test_a_retarget_at_most_quarters_the_difficulty() -> None:
    stop = coordinated_stop([0.9, 1.0], 0)
    assert float(stop.interval_after_seconds[0]) == pytest.approx(6_000 / 4)
    assert float(stop.second_retarget_seconds[0]) == pytest.approx(2_015 * 6_000 + 2_016 * 1_500)
    assert np.isinf(stop.second_retarget_seconds[1]) and np.isinf(stop.interval_final_seconds[1])


@given(st.integers(0, 10**7), st.floats(0.0, 0.99), st.floats(0.0, 0.99))
@settings(deadline=None)
def test_a_larger_stop_is_never_milder(height: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    stop = coordinated_stop([low, high], height)
    assert stop.interval_ratio[0] <= stop.interval_ratio[1]
    assert stop.first_retarget_seconds[0] <= stop.first_retarget_seconds[1]
    assert stop.second_retarget_seconds[0] <= stop.second_retarget_seconds[1] * (1 + 1e-12)
    assert 1 <= stop.first_retarget_blocks <= 2_016 and (height + stop.first_retarget_blocks) % 2_016 == 0


def test_a_stop_is_checked() -> None:
    with pytest.raises(ValueError, match="height -1, 2016 blocks a retarget"):
        coordinated_stop(0.1, -1)
    with pytest.raises(ValueError, match="1 blocks a retarget"):
        coordinated_stop(0.1, 5, retarget_blocks=1)


@pytest.mark.parametrize(("run", "blocks"), [(1, 4), (2, 3), (3, 8), (8, 8), (5, 4)])
def test_runs_against_every_sequence(run: int, blocks: int) -> None:
    share = 0.3
    probability = expected = 0.0
    for sequence in product((True, False), repeat=blocks):
        chance = math.prod(share if own else 1 - share for own in sequence)
        text = "".join("x" if own else " " for own in sequence)
        long_runs = sum(len(part) >= run for part in text.split())
        probability += chance * (long_runs > 0)
        expected += chance * long_runs
    assert float(run_probability(share, run, blocks)) == pytest.approx(probability)
    assert float(expected_runs(share, run, blocks)) == pytest.approx(expected)


def test_the_longest_runs_of_the_real_blocks() -> None:
    table = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet"))
    heights = table.column("height").to_numpy()
    own = np.array([slug == "foundryusa" for slug in table.column("pool_slug").to_pylist()])
    runs = longest_runs(own.astype(np.int64), 1)
    # The first block of a run, and its length.
    found = [(int(heights[end]) - int(length) + 1, int(length)) for end, length in runs[:2]]
    assert found == [(785_053, 10), (889_982, 9)]
    # Nothing unusual: at a share of .3 a run of ten is expected more than once in five years.
    assert float(run_probability(0.3, 10, 262_800)) > 0.5


def test_runs_are_checked() -> None:
    with pytest.raises(ValueError, match="a run has at least one block among 0 or more, got 0 among 5"):
        run_probability(0.1, 0, 5)


def test_selfish_mining_pays_from_the_threshold_on() -> None:
    assert selfish_threshold([0.0, 0.5, 1.0]).tolist() == [1 / 3, 0.25, 0.0]
    for gamma in (0.0, 0.25, 0.5, 0.75):
        line = float(selfish_threshold(gamma))
        assert float(selfish_revenue(line, gamma)) == pytest.approx(line)
        assert float(selfish_revenue(line + 0.01, gamma)) > line + 0.01
        assert float(selfish_revenue(line - 0.01, gamma)) < line - 0.01
    assert selfish_revenue([0.0, 0.5], 0.0).tolist() == [0.0, 1.0]


def test_economics() -> None:
    # Bitcoin Core, GetBlockSubsidy; the halvings of 2012, 2016, 2020 and 2024.
    heights = [0, 209_999, 210_000, 420_000, 630_000, 840_000, 63 * 210_000]
    assert (subsidy_sats(heights) / 1e8).tolist() == [50.0, 50.0, 25.0, 12.5, 6.25, 3.125, 0.0]
    assert float(hashprice(3.125, 152e12, 91_000)) == pytest.approx(37.64, abs=0.005)
    assert float(hashprice(3.125, 152e12)) == pytest.approx(37.64 / 91_000, rel=1e-3)
    assert fee_share([1, 0, 0], [3, 3, 0]).tolist()[:2] == [0.25, 0.0]
    assert difficulty_from_bits(0x1D00FFFF) == 1.0
