"""Shares from blocks that are weighed by age: against plain sums, with their limits."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from counterpoise.estimates.discounted import HISTORY_BLOCKS, DiscountedShare, discount_of, share_of_hits, weights
from counterpoise.estimates.drift import FAMILIES, SHIPPED_DRIFT, drift_of, squared_change


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.floats(0.05, 0.95), st.floats(0, 1e-3))
@settings(deadline=None)
def test_it_is_the_plain_sum(hits: list[bool], share: float, drift: float) -> None:
    found = share_of_hits(hits, share, drift)
    k = max(min(math.sqrt(drift / (share * (1 - share))), (2 * drift) ** (1 / 3)), 1 / HISTORY_BLOCKS)
    raw = [(1 - k) ** age for age in range(len(hits))]
    w = [value / sum(raw) for value in raw]
    p = (sum(value for value, hit in zip(w, reversed(hits), strict=True) if hit) + w[0] / 2) / (1 + w[0])
    walk = sum(sum(w[j:]) ** 2 for j in range(1, len(w)))
    assert found.share == pytest.approx(p, rel=1e-9)
    assert found.variance == pytest.approx(p * (1 - p) * sum(value**2 for value in w) + drift * walk, rel=1e-9)
    low, high = found.interval
    assert 0 <= low < found.share < high <= 1 and found.blocks == len(hits)
    assert found.discount == pytest.approx(k)
    assert found.above(found.share) == pytest.approx(0.5)
    z = (math.log(p / (1 - p)) - math.log(0.75 / 0.25)) * p * (1 - p) / math.sqrt(found.variance)
    # Near an end no line counts as nearer than half its standard errors.
    z = math.copysign(max(abs(z), abs(p - 0.75) / (2 * math.sqrt(found.variance))), z)
    assert found.above(0.75) == pytest.approx(float(scipy.stats.norm.cdf(z)), abs=1e-12)
    further = found.of_next(1_008, drift).interval
    assert further[0] <= low and high <= further[1]


@given(st.lists(st.booleans(), min_size=2, max_size=40), st.data())
@settings(deadline=None)
def test_one_block_more_never_lowers_the_share_and_newer_ones_count_for_more(
    hits: list[bool], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(hits) - 1))
    more = [hit or at == place for at, hit in enumerate(hits)]
    assert share_of_hits(more, 0.5, 1e-4).share >= share_of_hits(hits, 0.5, 1e-4).share
    one_old, one_new = [True] + [False] * (len(hits) - 1), [False] * (len(hits) - 1) + [True]
    assert share_of_hits(one_new, 0.5, 1e-4).share > share_of_hits(one_old, 0.5, 1e-4).share


def even(misses: int, blocks: int = HISTORY_BLOCKS) -> NDArray[np.bool_]:
    """A history of one rate throughout: misses as far apart as can be, and the newest block in the middle of a gap."""
    passed = (2 * np.arange(blocks + 1) * misses + blocks) // (2 * blocks)
    return np.asarray(np.diff(passed) == 0)


def near(misses: int, drift: float, window: int, blocks: int = HISTORY_BLOCKS) -> DiscountedShare:
    hits = even(misses, blocks)
    return share_of_hits(hits, float(hits[-window:].mean()), drift)


def test_a_share_of_all_or_of_none_is_near_its_end() -> None:
    """Two blocks weighed would give 0.83 and an interval from 0.19."""
    whole, one_miss = near(0, 7.9e-8, HISTORY_BLOCKS), near(1, 7.9e-8, HISTORY_BLOCKS)
    assert whole.share == pytest.approx(0.9973, abs=1e-4) and whole.counted == 1
    assert whole.interval == pytest.approx((0.982, 1), abs=1e-3)
    assert 0.95 < one_miss.interval[0] < one_miss.share < whole.share and 1 / whole.discount > 180
    none = share_of_hits(np.zeros(HISTORY_BLOCKS), 0.0, 7.9e-8)
    assert none.share == pytest.approx(1 - whole.share) and none.interval == pytest.approx((0, 1 - whole.interval[0]))
    assert whole.of_next(1_008, 7.9e-8).interval[0] > 0.9 and whole.above(0.75) > 0.999 and none.above(0.25) < 0.001


@pytest.mark.parametrize("blocks", [1, 2, 144, 2_016, HISTORY_BLOCKS])
@given(st.one_of(st.just(0.0), st.floats(1e-12, 1e-5)))
@settings(deadline=None, max_examples=25)
def test_more_hits_never_lower_the_share_of_a_constant_history(blocks: int, drift: float) -> None:
    """From all hits on, one miss more at a time and then in larger steps, and the other way round for the other end."""
    steps = sorted({0, *(round(blocks * 2.0 ** -(back / 2)) for back in range(2, 28))})
    found = [near(misses, drift, blocks, blocks) for misses in steps]
    for misses, one in zip(steps, found, strict=True):
        low, high = one.interval
        assert low <= 1 - misses / blocks <= high and low < one.share < high
        rest = ~even(misses, blocks)
        other = share_of_hits(rest, float(rest.mean()), drift)
        assert other.share == pytest.approx(1 - one.share) and other.interval == pytest.approx((1 - high, 1 - low))
    for more, fewer in pairwise(found):
        assert more.share >= fewer.share


def test_without_drift_it_is_the_share_of_all_blocks() -> None:
    hits = np.arange(HISTORY_BLOCKS) % 4 > 0
    k = discount_of(0.75, 0.0)
    assert k == 1 / HISTORY_BLOCKS
    assert share_of_hits(hits, 0.75, 0.0).share == pytest.approx(0.75, abs=1e-3)
    assert weights(10, k) == pytest.approx(np.full(10, 0.1), rel=1e-3)
    # Blocks before the history are not read.
    before = np.concatenate([np.zeros(5_000, bool), hits])
    assert share_of_hits(before, 0.75, 1e-7) == share_of_hits(hits, 0.75, 1e-7)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="needs blocks"):
        share_of_hits([], 0.5, 1e-7)
    with pytest.raises(ValueError, match="a drift is not negative"):
        discount_of(0.5, -1e-9)
    with pytest.raises(ValueError, match="a line of 75"):
        share_of_hits([1, 0], 0.5, 1e-7).above(75)
    with pytest.raises(ValueError, match="at least one"):
        share_of_hits([1, 0], 0.5, 1e-7).of_next(0, 1e-7)
    with pytest.raises(ValueError, match="'top9' with 0 changes"):
        drift_of("top9", [], [])
    with pytest.raises(ValueError, match="1 changes and 0 parts"):
        drift_of("hhi", [1.0], [])


@pytest.mark.parametrize("family", FAMILIES)
@given(st.lists(st.tuples(st.floats(0, 1e-3), st.floats(0, 1e-3)), max_size=50), st.randoms())
@settings(deadline=None, max_examples=20)
def test_a_fit_does_not_depend_on_the_order_of_pairs(
    family: str, pairs: list[tuple[float, float]], random: object
) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    changes, chances = [a for a, _ in pairs], [b for _, b in pairs]
    assert drift_of(family, changes, chances) == drift_of(family, [a for a, _ in shuffled], [b for _, b in shuffled])
    # Chance that explains more leaves less drift, and the constant keeps it above zero.
    larger = [b * 2 for b in chances]
    assert 0 < drift_of(family, changes, larger) <= drift_of(family, changes, chances)
    assert drift_of(family, [], []) == SHIPPED_DRIFT[family]


def test_a_fit_finds_the_drift_of_a_walk() -> None:
    rng = np.random.default_rng(8)
    n, sigma2 = 2_016, 4e-7
    paths = 0.5 + rng.normal(0, math.sqrt(sigma2), (1_500, 2 * n)).cumsum(axis=1)
    shares = (rng.random(paths.shape) < paths).reshape(-1, 2, n).mean(axis=2)
    changes, chances = zip(*(squared_change(float(one), float(other)) for one, other in shares), strict=True)
    assert drift_of("top4", changes, chances) == pytest.approx((1_500 * sigma2 + 25 * 7.9e-8) / 1_525, rel=0.15)
