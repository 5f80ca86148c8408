"""Each metric on numbers small enough to follow with a pencil, on nothing, on unknown only, and on what it refuses."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from counterpoise.metrics.effective_number import d2
from counterpoise.metrics.nakamoto import HALF, ONE_THIRD
from tests.count_vectors import (
    d1,
    gini,
    gini_numerator,
    hartley_bits,
    hhi,
    hhi_attributed,
    hhi_points,
    hhi_unbiased,
    min_entropy_bits,
    nakamoto,
    normalised_entropy,
    pools_seen,
    renyi_bits,
    shannon_bits,
    shannon_nats,
    share_bounds,
    theil,
    top_k_share,
    top_k_share_upper,
)

# Ten blocks: 4, 2, 1, 1 by pools A–D, two by nobody known. Known: 8. Every number below is of this window.
WINDOW = [1, 4, 0, 2, 1]
UNKNOWN = 2


def test_shares_have_unknown_in_the_denominator() -> None:
    assert [float(top_k_share(WINDOW, k, unknown=UNKNOWN)) for k in (1, 2, 3, 4, 6)] == [0.4, 0.6, 0.7, 0.8, 0.8]
    assert [float(top_k_share_upper(WINDOW, k, unknown=UNKNOWN)) for k in (1, 2, 4)] == [0.6, 0.8, 1.0]
    lower, upper = share_bounds(6, 2, 10)
    assert (float(lower), float(upper)) == (0.6, 0.8)


def test_hhi() -> None:
    # 16 + 4 + 1 + 1 = 22 of 10² = 100, or of 8² = 64; Σc(c − 1) = 12 + 2 = 14 of 10·9.
    assert float(hhi(WINDOW, unknown=UNKNOWN)) == pytest.approx(0.22, rel=1e-15)
    assert float(hhi_points(WINDOW, unknown=UNKNOWN)) == pytest.approx(2200, rel=1e-15)
    assert float(hhi_attributed(WINDOW)) == 22 / 64
    assert float(hhi_unbiased(WINDOW, unknown=UNKNOWN)) == 14 / 90


def test_hhi_unbiased_is_right_on_average_and_plug_in_is_high() -> None:
    # All 4³ samples of three blocks from hashrates 4/8, 2/8, 1/8, 1/8, with their exact probabilities.
    hashrate = [Fraction(4, 8), Fraction(2, 8), Fraction(1, 8), Fraction(1, 8)]
    truth = sum(p * p for p in hashrate)
    unbiased = plug_in = Fraction(0)
    for blocks in product(range(4), repeat=3):
        chance = math.prod(hashrate[pool] for pool in blocks)
        counts = np.bincount(blocks, minlength=4)
        unbiased += chance * Fraction(float(hhi_unbiased(counts)) * 6).limit_denominator(1000) / 6
        plug_in += chance * Fraction(float(hhi(counts)) * 9).limit_denominator(1000) / 9
    assert unbiased == truth
    assert plug_in == truth + (1 - truth) / 3


def test_nakamoto_is_strict_and_integer() -> None:
    assert int(nakamoto([3, 2, 1], HALF)) == 2  # 3 of 6 is not more than half
    assert int(nakamoto([2, 2, 2], ONE_THIRD)) == 2  # 2 of 6 is not more than a third
    assert int(nakamoto([1] * 3, Fraction(2, 3))) == 3
    assert int(nakamoto(WINDOW, HALF, unknown=UNKNOWN)) == 2  # 4 + 2 of 10
    assert int(nakamoto(WINDOW, ONE_THIRD, unknown=UNKNOWN)) == 1  # 3·4 > 10
    assert int(nakamoto([3], HALF, unknown=3)) == 0  # not reached: all known pools hold exactly half
    assert int(nakamoto([3], Fraction(1))) == 0  # nobody holds more than everything
    assert int(nakamoto([3], Fraction(0))) == 1
    # 1/3 as a float would call 1441 of 4322 wrong one way or the other; the integers do not.
    assert int(nakamoto([1440, 1440, 1440], ONE_THIRD)) == 2
    assert int(nakamoto([1441, 1440, 1439], ONE_THIRD)) == 1


def test_entropy_family() -> None:
    # p = 1/2, 1/4, 1/8, 1/8: H = 1/2 + 2/4 + 3/8 + 3/8 = 1.75 bits.
    assert float(shannon_bits(WINDOW)) == pytest.approx(1.75, rel=1e-15)
    assert float(shannon_nats(WINDOW)) == pytest.approx(1.75 * math.log(2), rel=1e-15)
    assert float(hartley_bits(WINDOW)) == 2.0
    assert float(min_entropy_bits(WINDOW)) == 1.0
    assert float(renyi_bits(WINDOW, 2)) == pytest.approx(math.log2(64 / 22), rel=1e-15)
    assert float(normalised_entropy(WINDOW)) == pytest.approx(1.75 / 2, rel=1e-15)
    assert float(normalised_entropy([5])) == 0.0


def test_effective_numbers() -> None:
    assert float(d1(WINDOW)) == pytest.approx(2**1.75, rel=1e-14)
    assert float(d2(WINDOW)) == pytest.approx(64 / 22, rel=1e-15)


def test_gini_and_theil() -> None:
    # Pairs of 1, 1, 2, 4: 0 + 1 + 3 + 1 + 3 + 2 = 10; over K·Σc = 4·8.
    assert int(gini_numerator(WINDOW)) == 10
    assert float(gini(WINDOW)) == 10 / 32
    assert float(theil(WINDOW)) == pytest.approx(0.25 * math.log(2), rel=1e-13)  # ln 4 − 1.75·ln 2
    assert float(theil([3, 3, 3])) == pytest.approx(0, abs=1e-15)


def test_pools_seen_leaves_zeros_out() -> None:
    assert int(pools_seen(WINDOW)) == 4


@pytest.mark.parametrize("empty", [[], [0, 0]])
def test_nothing_is_undefined_and_not_zero(empty: list[int]) -> None:
    for metric in (
        hhi, hhi_points, hhi_attributed, hhi_unbiased, shannon_nats, shannon_bits, hartley_bits, min_entropy_bits,
        normalised_entropy, d1, d2, gini, theil,
    ):  # fmt: skip
        assert math.isnan(float(metric(empty))), metric
    assert math.isnan(float(top_k_share(empty, 4))) and math.isnan(float(top_k_share_upper(empty, 4)))
    assert int(nakamoto(empty)) == 0
    assert int(pools_seen(empty)) == 0


def test_only_unknown_blocks() -> None:
    assert float(top_k_share([], 4, unknown=5)) == 0.0
    assert float(top_k_share_upper([], 4, unknown=5)) == 1.0
    assert float(hhi([], unknown=5)) == float(hhi_unbiased([], unknown=5)) == 0.0
    assert int(nakamoto([], unknown=5)) == 0


def test_one_block() -> None:
    assert math.isnan(float(hhi_unbiased([1])))
    assert float(d1([1])) == float(d2([1])) == float(hhi([1])) == 1.0
    assert float(gini([1])) == float(theil([1])) == 0.0


def test_a_matrix_is_its_rows() -> None:
    matrix, unknown = np.array([WINDOW, [0, 0, 0, 0, 0], [7, 7, 0, 0, 0]]), np.array([UNKNOWN, 0, 1])
    assert top_k_share(matrix, 2, unknown=unknown).tolist() == pytest.approx([0.6, math.nan, 14 / 15], nan_ok=True)
    assert nakamoto(matrix, unknown=unknown).tolist() == [2, 0, 2]
    for metric in (hhi_attributed, shannon_nats, renyi_of_three, normalised_entropy, d1, d2, gini, theil):
        assert metric(matrix).tolist() == [float(metric(row)) for row in matrix] or np.isnan(metric(matrix)[1])
        assert metric(matrix)[[0, 2]].tolist() == [float(metric(matrix[0])), float(metric(matrix[2]))]


def renyi_of_three(counts: np.ndarray) -> np.ndarray:
    return renyi_bits(counts, 3.0)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda: hhi([1, -1]), "counts must not be negative, found -1"),
        (lambda: hhi([0.5]), "counts must be whole numbers of blocks; found a fraction"),
        (lambda: hhi([math.nan]), "counts must be whole numbers of blocks; found a fraction"),
        (lambda: hhi([math.inf]), "counts must be whole numbers of blocks; found a fraction"),
        (lambda: hhi(3), "counts must be a vector or a matrix of block counts, got the scalar 3"),
        (lambda: hhi([1], unknown=-1), "counts must not be negative, found -1"),
        (lambda: top_k_share([1], 0), "k must be at least 1, got 0"),
        (lambda: renyi_bits([1], -0.5), r"the order of a Rényi entropy must be 0 or more, got -0\.5"),
        (lambda: renyi_bits([1], math.nan), "the order of a Rényi entropy must be 0 or more, got nan"),
        (lambda: nakamoto([1], Fraction(3, 2)), "threshold must be a part of all blocks between 0 and 1, got 3/2"),
        (lambda: gini([1, 1], population=1), "a population of 1 cannot hold the 2 pools that were seen"),
    ],
)
def test_refuses(bad: object, message: str) -> None:
    assert callable(bad)
    with pytest.raises(ValueError, match=f"^{message}"):
        bad()
