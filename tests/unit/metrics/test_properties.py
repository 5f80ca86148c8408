"""What holds for any counts: order, zeros, scale and merging; and that the stored integers say the same as the counts."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.metrics.counts import MAX_BLOCKS
from counterpoise.metrics.effective_number import d2
from counterpoise.metrics.integers import window_integers
from counterpoise.metrics.nakamoto import HALF, ONE_THIRD
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.metrics.stored_integers import StoredIntegers
from tests.count_vectors import (
    d1,
    gini,
    gini_numerator,
    hhi,
    hhi_attributed,
    hhi_points,
    hhi_unbiased,
    nakamoto,
    normalised_entropy,
    pools_seen,
    renyi_bits,
    shannon_bits,
    shannon_nats,
    theil,
    top_k_share,
    top_k_share_upper,
)

COUNTS = st.lists(st.integers(0, 400), min_size=1, max_size=20)
SOME_COUNTS = COUNTS.filter(any)
UNKNOWN = st.integers(0, 400)
ATTRIBUTED_ONLY = (hhi_attributed, shannon_nats, normalised_entropy, d1, d2, gini, theil)


@given(counts=SOME_COUNTS, unknown=UNKNOWN, data=st.data())
@settings(deadline=None)
def test_order_and_zeros_mean_nothing(counts: list[int], unknown: int, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations([*counts, 0, 0, 0]))
    for metric in ATTRIBUTED_ONLY:
        assert float(metric(counts)) == pytest.approx(float(metric(shuffled)), rel=1e-12, abs=1e-12), metric
    for k in (1, 4):
        assert float(top_k_share(counts, k, unknown=unknown)) == float(top_k_share(shuffled, k, unknown=unknown))
    assert int(nakamoto(counts, unknown=unknown)) == int(nakamoto(shuffled, unknown=unknown))
    assert float(hhi(counts, unknown=unknown)) == float(hhi(shuffled, unknown=unknown))
    assert int(gini_numerator(counts)) == int(gini_numerator(shuffled))


@given(counts=SOME_COUNTS, unknown=UNKNOWN, factor=st.integers(2, 9))
@settings(deadline=None)
def test_scale_means_nothing_but_to_the_unbiased_index(counts: list[int], unknown: int, factor: int) -> None:
    larger = [factor * count for count in counts]
    for metric in ATTRIBUTED_ONLY:
        assert float(metric(larger)) == pytest.approx(float(metric(counts)), rel=1e-11, abs=1e-11), metric
    assert float(hhi(larger, unknown=factor * unknown)) == pytest.approx(float(hhi(counts, unknown=unknown)), rel=1e-13)
    for line in (ONE_THIRD, HALF):
        assert int(nakamoto(larger, line, unknown=factor * unknown)) == int(nakamoto(counts, line, unknown=unknown))


@given(counts=SOME_COUNTS.filter(lambda counts: sum(count > 0 for count in counts) >= 2), unknown=UNKNOWN)
@settings(deadline=None)
def test_merging_two_pools_only_concentrates(counts: list[int], unknown: int) -> None:
    seen = [count for count in counts if count]
    merged = [seen[0] + seen[1], *seen[2:]]
    assert float(hhi(merged, unknown=unknown)) >= float(hhi(seen, unknown=unknown))
    assert float(hhi_unbiased(merged, unknown=unknown)) >= float(hhi_unbiased(seen, unknown=unknown))
    assert float(d2(merged)) <= float(d2(seen)) + 1e-12
    assert float(d1(merged)) <= float(d1(seen)) + 1e-12
    assert float(top_k_share(merged, 4, unknown=unknown)) >= float(top_k_share(seen, 4, unknown=unknown))
    before, after = int(nakamoto(seen, unknown=unknown)), int(nakamoto(merged, unknown=unknown))
    assert after <= before  # and never reached stays never reached: the sum of all is the same
    assert (after == 0) == (before == 0)


@given(counts=SOME_COUNTS, unknown=UNKNOWN)
@settings(deadline=None)
def test_bounds_and_their_order(counts: list[int], unknown: int) -> None:
    pools = int(pools_seen(counts))
    assert 1 - 1e-12 <= float(d2(counts)) <= float(d1(counts)) + 1e-9 <= pools + 2e-9
    assert 0 <= float(gini(counts)) <= 1 - 1 / pools + 1e-12
    assert 0 <= float(normalised_entropy(counts)) <= 1
    assert 0 <= float(theil(counts)) <= math.log(pools) + 1e-12
    for k in (1, 4):
        assert (
            float(top_k_share(counts, k, unknown=unknown)) <= float(top_k_share_upper(counts, k, unknown=unknown)) <= 1
        )
    assert float(hhi(counts, unknown=unknown)) <= float(hhi_attributed(counts))
    orders = [float(renyi_bits(counts, alpha)) for alpha in (0, 0.5, 1, 2, 5, math.inf)]
    assert all(lower <= higher + 1e-9 for higher, lower in pairwise(orders))
    assert orders[2] == pytest.approx(float(shannon_bits(counts)))


@given(counts=SOME_COUNTS, unknown=st.integers(1, 400), owner=st.integers(0, 20))
@settings(deadline=None)
def test_no_truth_about_the_unknown_leaves_the_bounds(counts: list[int], unknown: int, owner: int) -> None:
    truth = [*counts, 0]
    truth[min(owner, len(counts))] += unknown
    for k in (1, 4):
        share = float(top_k_share(truth, k))
        assert (
            float(top_k_share(counts, k, unknown=unknown))
            <= share
            <= float(top_k_share_upper(counts, k, unknown=unknown))
        )
    assert float(hhi(counts, unknown=unknown)) <= float(hhi(truth))


@given(
    rows=st.lists(st.lists(st.integers(0, 480), min_size=9, max_size=9), min_size=1, max_size=5),
    unknown=st.lists(UNKNOWN, min_size=5, max_size=5),
)
@settings(deadline=None)
def test_the_integers_say_what_the_counts_say(rows: list[list[int]], unknown: list[int]) -> None:
    counts, missing = np.array(rows), np.array(unknown[: len(rows)])
    integers = StoredIntegers.of_counts(counts, unknown=missing)
    expected = {
        "hhi": hhi(counts, unknown=missing),
        "hhi_10000": hhi_points(counts, unknown=missing),
        "hhi_unbiased": hhi_unbiased(counts, unknown=missing),
        "effective_pools_d1": d1(counts),
        "effective_pools_d2": d2(counts),
        "entropy_nats": shannon_nats(counts),
        "entropy_bits": shannon_bits(counts),
        "entropy_normalised": normalised_entropy(counts),
        "gini": gini(counts),
        "theil_nats": theil(counts),
        **{f"top{k}_share": top_k_share(counts, k, unknown=missing) for k in range(1, 7)},
        **{f"top{k}_share_upper": top_k_share_upper(counts, k, unknown=missing) for k in range(1, 7)},
        "nakamoto_half": nakamoto(counts, HALF, unknown=missing),
        "nakamoto_one_third": nakamoto(counts, ONE_THIRD, unknown=missing),
    }
    for name, values in expected.items():
        found = SPECS[name].compute(integers).tolist()
        assert found == pytest.approx(values.tolist(), rel=1e-11, abs=1e-11, nan_ok=True), name


def test_integers_are_exact_up_to_their_limit_and_refuse_beyond() -> None:
    codes = np.array([1, 2], np.uint16)
    integers = window_integers(np.array([[MAX_BLOCKS, 0]]), codes, np.array([MAX_BLOCKS]))
    assert int(integers.s4[0]) == MAX_BLOCKS**4
    assert integers.sum_c_ln_c[0] == pytest.approx(MAX_BLOCKS * math.log(MAX_BLOCKS), rel=1e-15)
    with pytest.raises(ValueError, match="a window of 9742 blocks is too large: exact sums end at 9741"):
        window_integers(np.array([[MAX_BLOCKS, 1]]), codes, np.array([MAX_BLOCKS + 1]))


def test_integers_of_no_pools_and_of_no_rows() -> None:
    nobody = window_integers(np.zeros((2, 0), np.int16), np.zeros(0, np.uint16), np.array([3, 4]))
    assert nobody.pools_seen.tolist() == [0, 0]
    assert nobody.counts.shape == nobody.leaders.shape == (2, 6)
    assert not nobody.counts.any() and not nobody.leaders.any() and not nobody.sum_c_ln_c.any()
    none = window_integers(np.zeros((0, 3), np.int16), np.arange(3, dtype=np.uint16), np.zeros(0, np.int64))
    assert none.counts.shape == (0, 6)
