"""The e-detector: by hand, its promise in simulated years, and its mirror."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.detectors.tracks import ABOVE, BELOW, BLOCKS_PER_YEAR
from tests.unit.detectors.e_detector import EDetector


def test_the_state_by_hand() -> None:
    detector = EDetector(line=0.5, alternatives=(0.75,), blocks_promised=6)
    # 1.5·(0 + 1) = 1.5; 1.5·2.5 = 3.75; .5·4.75 = 2.375; 1.5·3.375 = 5.0625; 1.5·6.0625 = 9.09
    state, place = detector.advance(detector.start(), [1, 1, 0, 1])
    assert (state.tolist(), place) == ([5.0625], -1)
    state, place = detector.advance(state, [1, 1])
    assert (state.tolist(), place) == ([9.09375], 0)
    assert detector.alarms(np.array([1, 1, 0, 1, 1, 1, 1, 1, 1], np.int8)) == [4, 7]


@given(st.lists(st.integers(0, 1), max_size=60), st.integers(0, 60))
def test_a_state_that_is_read_back_goes_on_as_if_nothing_had_happened(hits: list[int], cut: int) -> None:
    detector = EDetector(blocks_promised=1e9)
    whole, _ = detector.advance(detector.start(), hits)
    first, _ = detector.advance(detector.start(), hits[:cut])
    second, _ = detector.advance(first, hits[cut:])
    assert whole.tolist() == second.tolist()


@pytest.mark.parametrize("alternatives", [ABOVE, BELOW])
def test_a_block_at_the_line_is_a_fair_game(alternatives: tuple[float, ...]) -> None:
    detector = EDetector(alternatives=alternatives)
    expected = 0.25 * detector.ratios[0] + 0.75 * detector.ratios[1]
    assert expected == pytest.approx(np.ones(4))
    # On the safe side of the line it is a losing one.
    safe = 0.74 if alternatives == ABOVE else 0.76
    assert np.all((1 - safe) * detector.ratios[0] + safe * detector.ratios[1] < 1)


def test_the_promise_holds_just_below_the_line() -> None:
    # 200 chains of a year with a promise of one year: at most 200 alarms expected, with two standard errors.
    rng = np.random.default_rng(4)
    detector = EDetector(blocks_promised=BLOCKS_PER_YEAR)
    ratios, state, alarms = detector.ratios, np.zeros((200, 4)), 0
    for _ in range(BLOCKS_PER_YEAR):
        state = ratios[(rng.random(200) < 0.749).astype(int)] * (state + 1)
        fired = state.mean(axis=1) >= detector.blocks_promised
        alarms += int(fired.sum())
        state[fired] = 0
    assert alarms <= 200 + 2 * np.sqrt(200)


def test_a_jump_is_found_and_its_end_too() -> None:
    rng = np.random.default_rng(5)
    hits = np.concatenate([rng.random(5_000) < share for share in (0.70, 0.84, 0.64)]).astype(np.int8)
    above, below = EDetector(), EDetector(alternatives=BELOW)
    fired = above.alarms(hits)[0]
    assert 5_000 < fired < 6_000
    assert 10_000 < fired + 1 + below.alarms(hits[fired + 1 :])[0] < 11_000


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"alternatives": (0.77, 0.7)}, "expected shares on one side of the line 0.75"),
        ({"alternatives": ()}, "expected shares on one side"),
        ({"alternatives": (0.75,)}, "expected shares on one side"),
        ({"blocks_promised": 0.5}, "a promise of 0.5 blocks: expected at least 1"),
    ],
)
def test_a_detector_is_checked(given_: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EDetector(**given_)  # type: ignore[arg-type]
