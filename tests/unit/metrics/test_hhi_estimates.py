"""HHI and D₂ now and next: by hand, against the intervals without drift, on simulated windows, and what they need."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.metrics.hhi_estimates import d2_next, d2_now, hhi_next, hhi_now
from counterpoise.metrics.hhi_interval import Z_95, d2_interval, hhi_interval

COUNTS = st.lists(st.integers(1, 400), min_size=2, max_size=30)


def sums(counts: list[int]) -> tuple[float, float, float]:
    c = np.array(counts, float)
    return float((c**2).sum()), float((c**3).sum()), float(c.sum())


def test_by_hand() -> None:
    """Two pools with 60 and 40 of 100 blocks: q = (3600 + 1600 − 100)/9900, r = (216000 + 64000 − 15600 + 200)/970200."""
    s2, s3, known = sums([60, 40])
    q, r, drift = 5_100 / 9_900, 264_600 / 970_200, 1e-6

    own = 2 * (196 * (r - q * q) + q - q * q) / (98 * 97)
    square = q * q - own  # without bias
    luck = 2 * (96 * (r - square) + q - square) / (50 * 49)
    assert own == pytest.approx(2 * (196 * (r - square) + q - square) / (100 * 99))

    reach = Z_95 * math.sqrt(own + drift * 100 / 3) / q
    assert [float(end) for end in hhi_now(s2, s3, known, 100, drift=drift)] == pytest.approx(
        [q * math.exp(-reach), q * math.exp(reach)]
    )
    reach = Z_95 * math.sqrt(own + luck + drift * 150 / 3) / q
    assert [float(end) for end in hhi_next(s2, s3, known, 100, 50, drift=drift)] == pytest.approx(
        [q * math.exp(-reach), q * math.exp(reach)]
    )


@given(COUNTS, st.integers(0, 200), st.floats(0, 1e-6), st.sampled_from([144, 1_008, 2_016]))
@settings(deadline=None)
def test_more_drift_and_fewer_next_blocks_widen_them(counts: list[int], unknown: int, drift: float, m: int) -> None:
    s2, s3, known = sums(counts)
    n = known + unknown
    plain = hhi_interval(s2, s3, known, n)
    ends = [hhi_now(s2, s3, known, n, drift=0.0), hhi_now(s2, s3, known, n, drift=drift)]
    ends += [hhi_next(s2, s3, known, n, m, drift=drift), hhi_next(s2, s3, known, n, m / 2, drift=drift)]
    lows, highs = ([float(pair[side]) for pair in ends] for side in (0, 1))
    # The last two only differ in the luck of the next blocks and the length of the walk, which fewer blocks shorten.
    assert lows[0] >= lows[1] >= lows[2] and highs[0] <= highs[1] <= highs[2]
    if drift == 0.0:
        assert lows[2] >= lows[3] and highs[2] <= highs[3]
    assert lows[0] == pytest.approx(float(plain[0]), rel=1e-12) and highs[0] <= float(plain[1]) * (1 + 1e-12)
    low, high = (float(end) for end in d2_now(s2, s3, known, n, drift=drift))
    assert math.isnan(high) or 1 <= low <= high
    if unknown == 0 and not math.isnan(high):
        assert (1 / high, 1 / low) == pytest.approx((lows[1], highs[1]))
        assert 1 / float(d2_next(s2, s3, known, n, m, drift=drift)[0]) == pytest.approx(highs[2])


def test_without_drift_they_are_those_of_the_window() -> None:
    s2, s3, known = sums([300, 250, 180, 120, 90])
    assert [float(end) for end in d2_now(s2, s3, known, 1_008, drift=0.0)] == pytest.approx(
        [float(end) for end in d2_interval(s2, s3, known)]
    )


def test_unknown_blocks_scale_the_drift_of_d2() -> None:
    """Half the blocks unknown, and a drift that outweighs chance: both have one relative error."""
    s2, s3, known = sums([30_000, 20_000])
    low, high = (float(end) for end in hhi_now(s2, s3, known, 100_000, drift=1e-8))
    d2_low, d2_high = (float(end) for end in d2_now(s2, s3, known, 100_000, drift=1e-8))
    assert high / low == pytest.approx(d2_high / d2_low, rel=0.01)


def test_where_nothing_is_known_nothing_is_bounded() -> None:
    assert [float(end) for end in hhi_now(0, 0, 0, 2)] == [0.0, 1.0]
    low, high = hhi_now(5, 5, 5, 100)
    assert float(low) == 0.0 and 0 < float(high) < 1
    assert math.isnan(float(d2_now(5, 5, 5, 100)[1]))
    with pytest.raises(ValueError, match="a drift is not negative"):
        hhi_now(10, 30, 4, 10, drift=-1e-9)
    assert [float(end) for end in hhi_next(10, 30, 4, 10, 2)] == [0.0, 1.0]
    # One block of a hundred is attributed: of the next 144 too few.
    low, high = d2_next(1, 1, 1, 100, 144)
    assert float(low) == 1.0 and math.isnan(float(high))
    assert math.isnan(float(d2_next(0, 0, 0, 100, 144)[1]))


@given(st.integers(3, 4_320), st.integers(3, 2_016))
def test_without_a_pair_the_next_blocks_may_have_one(n: int, m: int) -> None:
    """The index of m blocks with one pair among them is within the interval."""
    low, high = hhi_next(n, n, n, n, m)
    assert float(low) == 0.0
    assert float(high) >= min(1.0, 2.0 / (m * (m - 1)))
    assert float(high) >= float(hhi_now(n, n, n, n)[1])
