"""The state machine: cases by hand, and what must hold for any sequence of levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alerts.machine.machine import NOWHERE, Phase, Standing, Step, advance, advance_many
from alerts.signals.levels import Level

OVER, BETWEEN, CLEAR, MAYBE, BLIND = Level.OVER, Level.BETWEEN, Level.CLEAR, Level.CLEAR_POSSIBLE, Level.BLIND

some_levels = st.lists(st.sampled_from(list(Level)), max_size=60)
holds = st.integers(0, 8)


def run(levels: Sequence[int], hold: int, first: int = 100) -> tuple[Standing, list[Step]]:
    standing, steps = NOWHERE, list[Step]()
    for offset, level in enumerate(levels):
        standing, found = advance(standing, level, first + offset, hold)
        steps.extend(found)
    return standing, steps


def brief(steps: list[Step]) -> list[tuple[int, str]]:
    return [(step.height, step.state) for step in steps]


def test_it_fires_when_every_height_from_the_breach_through_the_hold_was_over() -> None:
    # Breach at 100, hold 3: 100, 101, 102 and 103 are over, so it fires at 103.
    assert brief(run([OVER] * 4, 3)[1]) == [(100, "pending"), (103, "firing")]
    assert brief(run([OVER] * 3, 3)[1]) == [(100, "pending")]


def test_one_height_at_the_line_starts_the_hold_anew() -> None:
    assert brief(run([OVER] * 3 + [BETWEEN] + [OVER] * 4, 3)[1]) == [
        (100, "pending"),
        (103, "inactive"),
        (104, "pending"),
        (107, "firing"),
    ]


def test_firing_goes_on_between_the_lines_and_ends_below_the_clearing_line() -> None:
    assert brief(run([OVER] * 2 + [BETWEEN] * 5 + [CLEAR], 1)[1]) == [
        (100, "pending"),
        (101, "firing"),
        (107, "resolved"),
    ]


def test_without_a_hold_it_fires_at_once() -> None:
    assert brief(run([OVER, CLEAR], 0)[1]) == [(100, "firing"), (101, "resolved")]


def test_possible_is_part_of_the_episode_and_never_fires() -> None:
    standing, steps = run([MAYBE] * 50, 3)
    assert brief(steps) == [(100, "possible")]
    assert standing == Standing(Phase.POSSIBLE, 100, 100)
    _, steps = run([MAYBE, OVER, MAYBE, OVER, OVER, CLEAR], 1)
    assert brief(steps) == [
        (100, "possible"),
        (101, "pending"),
        (102, "possible"),
        (103, "pending"),
        (104, "firing"),
        (105, "resolved"),
    ]
    assert {step.start for step in steps} == {100}


def test_an_episode_ends_and_another_begins_at_the_height_that_clears_but_may_be_over() -> None:
    _, steps = run([OVER, OVER, MAYBE], 1)
    assert [(s.height, s.start, s.state) for s in steps[-2:]] == [(102, 100, "resolved"), (102, 102, "possible")]


def test_a_window_that_is_not_full_ends_what_has_not_fired_and_leaves_what_has() -> None:
    assert brief(run([OVER, BLIND], 3)[1]) == [(100, "pending"), (101, "inactive")]
    standing, steps = run([OVER, OVER, BLIND, BLIND], 1)
    assert brief(steps) == [(100, "pending"), (101, "firing")]
    assert standing.phase is Phase.FIRING


@given(some_levels, holds)
def test_many_at_once_equals_one_by_one(levels: Sequence[int], hold: int) -> None:
    assert advance_many(NOWHERE, np.array(levels, np.int8), 100, hold) == run(levels, hold)


@given(some_levels, holds, st.integers(0, 60))
def test_cutting_the_sequence_anywhere_changes_nothing(levels: Sequence[int], hold: int, cut: int) -> None:
    first, early = advance_many(NOWHERE, np.array(levels[:cut], np.int8), 100, hold)
    last, late = advance_many(first, np.array(levels[cut:], np.int8), 100 + len(levels[:cut]), hold)
    assert (last, early + late) == run(levels, hold)


@given(some_levels, holds)
def test_it_never_fires_without_its_hold_nor_resolves_without_having_fired(levels: Sequence[int], hold: int) -> None:
    _, steps = run(levels, hold)
    firing = False
    for step in steps:
        at = step.height - 100
        if step.state == "firing":
            assert not firing
            assert at >= hold
            assert all(level in (OVER, Level.HELD) for level in levels[at - hold : at + 1])
            assert levels[at] == OVER
            firing = True
        elif step.state == "resolved":
            assert firing
            assert levels[at] in (CLEAR, MAYBE)
            firing = False
        else:
            assert not firing


@given(some_levels, holds)
def test_transitions_chain_within_an_episode(levels: Sequence[int], hold: int) -> None:
    last: dict[int, str] = {}
    for step in run(levels, hold)[1]:
        assert step.previous == last.get(step.start)
        assert step.start <= step.height
        last[step.start] = step.state
