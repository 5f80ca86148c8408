"""A past day: which days are taken, and rules and alerts at a moment from their steps."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.contracts.alert_transition import OPEN_STATES, AlertState
from desk.as_of.alert_steps import AlertStep, alerts_open, rules_known
from desk.as_of.known import FIRST_DAY, LAST_DAY, parse_day

START = datetime(2024, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 20).map(lambda hours: START + timedelta(hours=hours))


@given(st.dates())
def test_every_day_is_taken_or_refused_in_words(day: date) -> None:
    if FIRST_DAY <= day <= LAST_DAY:
        assert parse_day(day.isoformat()) == day
        assert day + timedelta(days=1) < date.max
    else:
        with pytest.raises(ValueError, match=f"day {day}: expected a day from 2009-01-03 to 2100-01-01"):
            parse_day(day.isoformat())


@given(st.text(max_size=60))
def test_any_text_is_a_day_or_refused_in_words(text: str) -> None:
    try:
        day = parse_day(text)
    except ValueError as error:
        assert str(error).startswith("day ") and "expected a day" in str(error)
    else:
        assert FIRST_DAY <= day <= LAST_DAY


STEP = st.builds(
    AlertStep,
    alert_id=st.sampled_from("ab"),
    sequence=st.integers(0, 6),
    rule_id=st.sampled_from("xy"),
    rule_hash=st.sampled_from(["one", "two"]),
    threshold=st.sampled_from([None, 0.7, 0.75]),
    state=st.sampled_from(get_args(AlertState)),
    undoes=st.lists(st.integers(0, 6), max_size=2).map(tuple),
    event_time=MOMENTS,
    recorded_at=MOMENTS,
)
STEPS = st.lists(STEP, max_size=12, unique_by=lambda one: (one.alert_id, one.sequence))


@given(STEPS, MOMENTS, MOMENTS)
def test_an_alert_is_as_its_last_step_that_nobody_took_back(
    steps: list[AlertStep], at: datetime, known: datetime
) -> None:
    expected = {}
    for name in ("a", "b"):
        undone = {n for one in steps if one.alert_id == name and one.event_time <= known for n in one.undoes}
        left = [one for one in steps if one.alert_id == name and one.event_time <= at and not one.undoes]
        left = [one for one in left if one.sequence not in undone]
        last = max(left, key=lambda one: one.sequence, default=None)
        if last is not None and last.state in OPEN_STATES:
            expected[name] = last.state
    assert alerts_open(steps, at, known) == expected == alerts_open(reversed(steps), at, known)


@given(STEPS, MOMENTS)
def test_a_rule_is_as_at_its_last_step_by_the_moment(steps: list[AlertStep], known: datetime) -> None:
    found = rules_known(steps, known)
    by_then = [one for one in steps if one.event_time <= known]
    assert set(found) == {one.rule_id for one in by_then}
    for rule, (text_hash, line) in found.items():
        own = [(one.event_time, one.recorded_at, one.sequence) for one in by_then if one.rule_id == rule]
        assert (text_hash, line) in {
            (one.rule_hash, one.threshold)
            for one in by_then
            if one.rule_id == rule and (one.event_time, one.recorded_at, one.sequence) == max(own)
        }
    assert found == rules_known(reversed(steps), known)
