"""The window that asks for a reason: Slack takes it, and what is submitted is checked as a pressed button is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.outbox.receivers.reason_window import read_submission, reason_window
from alerts.outbox.receivers.slack_buttons import Pressed
from alerts.policy import MAX_REASON
from engines.local_slack.window import is_refused, submitted

ALERT, NOW = "ab" * 8, 1_700_000_000.0
PRESSED = Pressed("id", "reason", ALERT, "C1", "1.000001", "U1", "ada", NOW)


def payload(choice: str = "acknowledge", reason: str = "known", **view: Any) -> dict[str, Any]:
    found = submitted("V1", reason_window(PRESSED), {"choice": choice, "reason": reason}, user_id="U1", user_name="ada")
    return found | {"view": found["view"] | view}


def read(found: dict[str, Any]) -> Pressed:
    pressed = read_submission(found, channels=["C1"], now=NOW)
    assert pressed is not None
    return pressed


def test_slack_takes_the_window_and_it_writes_nothing_by_itself() -> None:
    assert not is_refused(reason_window(PRESSED))
    assert PRESSED.action(NOW) is None


@pytest.mark.parametrize(
    ("choice", "kind", "target", "end"),
    [
        ("acknowledge", "acknowledge", ALERT, None),
        ("silence-4h", "silence", "", NOW + 4 * 3_600),
        ("silence-24h", "silence", "", NOW + 24 * 3_600),
        ("silence-worse", "silence", "", 0.76),
    ],
)
def test_each_choice_is_the_row_of_its_button_with_a_reason(
    choice: str, kind: str, target: str, end: float | None
) -> None:
    row = read(payload(choice, "known\n <outage>")).action(NOW, 0.76)
    assert row is not None
    assert (row.kind, row.target, row.until or row.worse_than) == (kind, target, end)
    assert (row.reason, row.author, row.via) == ("known <outage>", "ada", "slack")


@pytest.mark.parametrize(
    ("found", "refusal"),
    [
        (payload("why"), "it is no request of one of our buttons"),
        (payload(private_metadata=f"{ALERT} C2 1.000001"), "it comes from another channel"),
        (payload(private_metadata="../../etc C1 1.0"), "it is no request of one of our buttons"),
        (payload(private_metadata=None), "it is no request of one of our buttons"),
        (payload(state=[]), "it is no request of one of our buttons"),
        (payload() | {"user": None}, "it is no request of one of our buttons"),
    ],
)
def test_what_does_not_fit_is_refused_and_recorded(found: dict[str, Any], refusal: str) -> None:
    row = read(found).action(NOW, 0.76)
    assert row is not None and (row.kind, row.reason) == ("refused", refusal)


def test_a_repeated_one_has_the_same_id_and_another_window_has_not() -> None:
    assert read(payload()).id == read(payload()).id != read(payload(id="V2")).id
    assert read_submission(payload(callback_id="else"), channels=["C1"], now=NOW) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.text(st.characters(), max_size=300) | st.sampled_from(["acknowledge", ALERT]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["choice", "reason", "values", "value", "selected_option"]), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["id", "private_metadata", "state"]), VALUES), VALUES)
def test_no_submission_ends_the_listener_and_all_can_be_stored(view: dict[str, Any], user: Any) -> None:
    row = read(payload(**view) | {"user": user}).action(NOW, 0.76)
    assert row is not None
    assert "".join((row.id, row.author, row.reason, row.target)).encode()
    assert len(row.reason) <= MAX_REASON and "\n" not in row.reason
