"""Mergers by hand, and what must hold for every one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.risk.mergers import DOJ_FTC_2010, concentration, merge, pairwise_mergers

BLOCKS = {"a": 30, "b": 20, "c": 20, "d": 10, "e": 10}
COUNTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 400), min_size=2)


def test_a_merger_by_hand() -> None:
    merger = merge(BLOCKS, ["a", "b"], unknown=10)
    assert merger.share == 0.5
    # 900 + 400 + 400 + 100 + 100 points before; the pair adds 2 · 30 · 20.
    assert (merger.before.hhi_points, merger.hhi_change) == pytest.approx((1_900, 1_200))
    assert (merger.before.top4_share, merger.after.top4_share) == pytest.approx((0.8, 0.9))
    # 30 + 20 of 100 are exactly half, which is not more than half; the merged 50 need one more.
    assert (merger.before.nakamoto_half, merger.after.nakamoto_half) == (3, 2)
    assert (merger.before.confirmations, merger.after.confirmations) == (32, math.inf)
    assert merger.after.largest == "a+b"
    assert merger.verdict() == merger.verdict(DOJ_FTC_2010) == "presumed harmful"


@pytest.mark.parametrize(
    ("blocks", "verdict"),
    [
        (dict.fromkeys("abcdefghijklmnopqrst", 5), "unconcentrated"),
        (dict.fromkeys("abcdefgh", 5), "moderately concentrated"),
        ({"a": 400, "b": 1, "c": 1, "d": 500}, "highly concentrated"),
    ],
)
def test_a_verdict_is_of_the_market_after_it(blocks: dict[str, int], verdict: str) -> None:
    members = ("b", "c")
    assert merge(blocks, members).verdict() == verdict


@given(COUNTS, st.integers(0, 200))
@settings(deadline=None)
def test_a_merger_never_lowers_concentration(blocks: dict[str, int], unknown: int) -> None:
    n = sum(blocks.values()) + unknown
    mergers = pairwise_mergers(blocks, unknown)
    assert len(mergers) == math.comb(len(blocks), 2)
    for merger in mergers:
        one, other = (blocks[name] for name in merger.members)
        assert merger.hhi_change == pytest.approx(20_000 * one * other / n**2, abs=1e-6)
        assert merger.after.top4_share >= merger.before.top4_share
        assert merger.after.confirmations >= merger.before.confirmations
        assert merger.after.nakamoto_half <= merger.before.nakamoto_half or merger.before.nakamoto_half == 0
    assert [m.hhi_change for m in mergers] == sorted((m.hhi_change for m in mergers), reverse=True)


def test_the_order_of_pools_is_irrelevant() -> None:
    assert concentration(BLOCKS) == concentration(dict(reversed(BLOCKS.items())))


@pytest.mark.parametrize(
    ("members", "message"),
    [(["a", "z"], "'z' made no block of the window"), (["a", "a"], "at least two members")],
)
def test_a_merger_is_checked(members: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        merge(BLOCKS, members)


def test_a_window_without_blocks_has_no_concentration() -> None:
    with pytest.raises(ValueError, match="a window has blocks, got 0"):
        concentration({})
