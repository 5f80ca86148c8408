"""A message whose try had no answer and that was then left out, and steps that were written anew: what random stories had found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.outbox.sent import in_sequence
from tests.unit.alerts.slack_world import transition_of
from tests.unit.alerts.test_interleavings import tell_all
from tests.unit.alerts.test_people import FIRST, HOUR, Desk, entry

STORIES = (18_469, 26_482, 29_762, 34_197)
"""Each showed a fault: of the checker, a second picture, a second root, two late messages of an alert that was silenced then."""


@pytest.mark.parametrize("story", STORIES)
def test_a_story_that_showed_a_fault(story: int) -> None:
    tell_all(range(story, story + 1))


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("tries", [1, 2, 3])
def test_tries_that_slack_accepts_late_leave_one_message_though_a_silence_came_between(
    tries: int, *, restarts: bool
) -> None:
    desk = Desk(fires=False)
    # The search before each further try has an answer, and finds nothing: what Slack accepted shows 200 s later.
    desk.slack.plan = ["late", *(["", "late"] * (tries - 1))]
    desk.alerter.record([entry(FIRST, 1, "firing")])
    desk.alerter.work(0.0)
    while desk.slack.plan:
        desk.alerter.work(1.0)
    assert len(desk.slack.late) == tries and not desk.slack.messages
    desk.ask("silence", matchers={}, until=desk.clock.at + 2 * HOUR)
    desk.alerter.work(30.0)
    assert [row.status for row in desk.rows.read() if row.action == "post"] == ["skipped"]
    if restarts:
        desk.begin()
    desk.pass_hours(1)
    assert desk.keys == ["1:post"]
    [row] = [row for row in desk.rows.read() if row.action == "post"]
    [stands] = desk.slack.messages
    assert (row.status, row.message_ts) == ("sent", stands)
    desk.alerter.record([entry(FIRST, 2, "resolved")])
    desk.pass_hours(4)
    [root] = [message for message in desk.slack.messages.values() if message.thread is None]
    assert root.text.startswith("🟢"), "it shows what became of the alert"


def test_a_first_step_that_was_written_anew_is_still_the_first() -> None:
    """After a reorganisation and the way back: the row of the first firing is the newest one."""
    desk = Desk()
    later = [
        entry(FIRST, 2, "resolved"),
        entry(FIRST, 3, "retracted"),
        replace(entry(FIRST, 4, "firing"), reason="restated"),
    ]
    desk.alerter.record(later)
    desk.alerter.work(60.0)
    desk.alerter.record([entry(FIRST, 1, "firing")])
    assert [row.sequence for row in desk.rows.transitions()] == [2, 3, 4, 1]
    desk.begin()
    desk.pass_hours(2)
    [root] = [message for message in desk.slack.messages.values() if message.thread is None]
    assert root.key == f"{FIRST}:1:post" and root.text.startswith("🔴")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), unique=True, max_size=12))
def test_rows_are_put_in_sequence_within_their_alerts_alone(keys: list[tuple[str, int]]) -> None:
    rows = [transition_of(entry(name * 16, sequence, "firing"), 1.0) for name, sequence in keys]
    found = in_sequence(rows)
    assert [row.alert_id for row in found] == [row.alert_id for row in rows]
    assert sorted((row.alert_id, row.sequence) for row in found) == sorted((row.alert_id, row.sequence) for row in rows)
    for name in "abc":
        sequences = [row.sequence for row in found if row.alert_id == name * 16]
        assert sequences == sorted(sequences)
