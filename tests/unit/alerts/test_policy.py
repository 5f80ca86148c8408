"""Acknowledgements, silences and repeats: what people ask for, in any order, and what follows."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.policy import WEEK_SECONDS, Action, Actions, SilenceSubject, is_outgrown, is_over, repeats_due, silences

LABELS = {"rule": "top4-share", "chain": "bitcoin", "alert": "ab"}
SUBJECT = SilenceSubject(LABELS, is_open=True, fired_at=100.0, value=0.76)
HOUR = 3_600.0


def silence(**values: object) -> Action:
    return replace(Action("s", "silence", 200.0, "ada", matchers={"rule": "top4-*"}), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "subject", "now", "holds"),
    [
        (silence(until=300.0), SUBJECT, 299.9, True),
        (silence(until=300.0), SUBJECT, 300.0, False),
        (silence(until=300.0, matchers={"rule": "top4-*", "chain": "litecoin"}), SUBJECT, 250.0, False),
        (silence(until=300.0, matchers={"owner": "*"}), SUBJECT, 250.0, False),
        (silence(until_resolved=True), SUBJECT, 1e9, True),
        (silence(until_resolved=True), replace(SUBJECT, is_open=False), 250.0, False),  # its end is told
        (silence(until_resolved=True), replace(SUBJECT, fired_at=201.0), 250.0, False),  # the next alert is told
        (silence(until_resolved=True), replace(SUBJECT, fired_at=None), 250.0, False),
        (silence(worse_than=0.77), SUBJECT, 250.0, True),
        (silence(worse_than=0.77), replace(SUBJECT, value=0.77), 250.0, True),
        (silence(worse_than=0.77), replace(SUBJECT, value=0.7701), 250.0, False),
        (silence(worse_than=0.77), replace(SUBJECT, value=None), 250.0, True),
        (silence(worse_than=2.0), replace(SUBJECT, value=1.0, rises=False), 250.0, False),
        (silence(worse_than=2.0), replace(SUBJECT, value=3.0, rises=False), 250.0, True),
        (silence(worse_than=0.77, until=240.0), SUBJECT, 250.0, False),
    ],
)
def test_a_silence_holds_as_long_as_it_was_asked_to(
    one: Action, subject: SilenceSubject, now: float, holds: bool
) -> None:
    assert silences(one, subject, now) is holds


def test_a_silence_that_was_outgrown_is_named_and_one_that_ended_is_not() -> None:
    rows = [silence(worse_than=0.75), silence(id="t", until=240.0, worse_than=0.5), silence(id="u", worse_than=0.9)]
    found = Actions.of(rows)
    assert found.outgrown(SUBJECT, 250.0) == rows[0]
    assert found.silence_of(SUBJECT, 250.0) == rows[2]
    ended = Actions.of([*rows, Action("e", "unsilence", 210.0, target="s")])
    assert ended.outgrown(SUBJECT, 250.0) is None and ended.ended["s"].id == "e"
    assert found.needs_value(LABELS, 250.0) and not found.needs_value({"rule": "no-block"}, 250.0)


ids = st.sampled_from(["a", "b", "c", "d"])
rows = st.builds(
    Action,
    id=st.uuids().map(str),
    kind=st.sampled_from(["acknowledge", "silence", "unsilence"]),
    at=st.floats(0, 1_000),
    target=ids,
    matchers=st.dictionaries(st.sampled_from(list(LABELS)), st.sampled_from(["*", "ab", "bitcoin"])),
    until=st.none() | st.floats(0, 1_000),
    until_resolved=st.booleans(),
    worse_than=st.none() | st.floats(0, 1),
)
subjects = st.builds(
    SilenceSubject,
    labels=st.just(LABELS),
    is_open=st.booleans(),
    fired_at=st.none() | st.floats(0, 1_000),
    value=st.none() | st.floats(0, 1),
    rises=st.booleans(),
)


@given(st.lists(rows, max_size=8), subjects, st.floats(0, 1_000), st.randoms(use_true_random=False))
def test_the_order_and_the_number_of_the_rows_do_not_matter(
    every: list[Action], subject: SilenceSubject, now: float, rng: random.Random
) -> None:
    again = every + every[: len(every) // 2]
    rng.shuffle(again)
    first, second = Actions.of(every), Actions.of(again)
    assert first == second
    assert first.silence_of(subject, now) == second.silence_of(subject, now)


@given(st.lists(rows, max_size=8), subjects, st.floats(0, 1_000))
def test_a_further_silence_silences_no_less_and_an_end_no_more(
    every: list[Action], subject: SilenceSubject, now: float
) -> None:
    before = Actions.of(every)
    more = Actions.of([*every, silence(id="new", until=2_000.0, matchers={})])
    assert more.silence_of(subject, now) is not None
    for one in before.silences:
        fewer = Actions.of([*every, Action(f"end-{one.id}", "unsilence", 1e9, target=one.id)])
        assert one not in fewer.silences
        if before.silence_of(subject, now) is None:
            assert fewer.silence_of(subject, now) is None


@given(st.lists(rows, max_size=8), subjects, st.floats(0, 1_000))
def test_an_alert_is_silenced_or_has_outgrown_its_silence_never_both_by_one(
    every: list[Action], subject: SilenceSubject, now: float
) -> None:
    found = Actions.of(every)
    outgrown = found.outgrown(subject, now)
    assert outgrown is None or not silences(outgrown, subject, now)
    calm = replace(subject, value=None)
    assert found.outgrown(calm, now) is None
    if outgrown is not None:
        assert found.silence_of(calm, now) is not None


@given(st.lists(rows, max_size=8))
def test_the_first_acknowledgement_of_an_alert_counts(every: list[Action]) -> None:
    for alert, found in Actions.of(every).acknowledgements.items():
        assert found.at == min(row.at for row in every if row.kind == "acknowledge" and row.target == alert)


@given(st.integers(0, 400 * 86_400), st.integers(60, 604_800))
def test_repeats_come_later_and_later_and_at_least_weekly(elapsed: int, first: int) -> None:
    count, due = repeats_due(elapsed, first)
    assert due <= elapsed and (count == 0) == (elapsed < first)
    following, after = repeats_due(elapsed + WEEK_SECONDS, first)
    assert following > count and after > due
    assert repeats_due(due, first) == (count, due), "when it is due it is counted, and stays the same until the next"


def test_the_pauses_of_repeats_double_up_to_a_week() -> None:
    times = [at for at in range(0, 40 * 24) if repeats_due(at * HOUR, HOUR)[1] == at * HOUR and at]
    assert times[:9] == [1, 3, 7, 15, 31, 63, 127, 255, 423]
    assert {later - earlier for earlier, later in pairwise(times[8:])} == {168}


@pytest.mark.parametrize(
    ("one", "subjects", "over", "outgrown"),
    [
        (silence(until=200.0), [SUBJECT], True, False),
        (silence(until=201.0), [], False, False),
        (silence(until_resolved=True), [SUBJECT], False, False),
        (silence(until_resolved=True), [], True, False),
        (silence(until_resolved=True), [replace(SUBJECT, fired_at=201.0)], True, False),
        (silence(worse_than=0.77), [SUBJECT], False, False),
        (silence(worse_than=0.75), [SUBJECT], False, True),
        (silence(worse_than=0.75), [SUBJECT, replace(SUBJECT, value=0.74)], False, False),
        (silence(worse_than=0.75), [], False, False),
    ],
)
def test_a_silence_is_over_where_it_can_hold_nothing_back(
    one: Action, subjects: list[SilenceSubject], over: bool, outgrown: bool
) -> None:
    assert (is_over(one, subjects, 200.0), is_outgrown(one, subjects, 200.0)) == (over, outgrown)
