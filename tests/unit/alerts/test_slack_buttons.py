"""What a pressed button asks for: forged, foreign and stale requests are refused, and a repeated one asks for nothing new."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.outbox.receivers.slack_buttons import BLOCK_ID, buttons_block, read_pressed
from alerts.policy import SilenceSubject, silences

ALERT, NOW = "ab" * 8, 1_700_000_000.0


def request(**changed: Any) -> dict[str, Any]:
    action = {"block_id": BLOCK_ID, "action_id": "acknowledge", "value": ALERT, "action_ts": f"{NOW:.6f}"}
    return {
        "type": "block_actions",
        "user": {"id": "U1", "username": "ada"},
        "container": {"channel_id": "C1", "message_ts": "1.000001"},
        "actions": [action | changed.pop("action", {})],
    } | changed


def test_each_button_asks_for_its_row() -> None:
    block = buttons_block(ALERT, acknowledged=False, has_value=True)
    rows = {}
    for element in block["elements"]:
        pressed = read_pressed(
            request(action={"action_id": element["action_id"], "value": element["value"]}), channels=["C1"], now=NOW
        )
        assert pressed is not None and pressed.refusal == ""
        rows[element["action_id"]] = pressed.action(NOW, 0.76)
    assert rows.pop("why") is None and rows.pop("reason") is None
    asked = {name: row for name, row in rows.items() if row is not None}
    assert {name: (row.kind, row.target, row.matchers, row.until or row.worse_than) for name, row in asked.items()} == {
        "acknowledge": ("acknowledge", ALERT, {}, None),
        "silence-4h": ("silence", "", {"alert": ALERT}, NOW + 4 * 3_600),
        "silence-24h": ("silence", "", {"alert": ALERT}, NOW + 24 * 3_600),
        "silence-worse": ("silence", "", {"alert": ALERT}, 0.76),
        "useful": ("useful", ALERT, {}, None),
        "noise": ("noise", ALERT, {}, None),
    }
    assert {(row.author, row.via) for row in asked.values()} == {("ada", "slack")}
    assert "acknowledge" not in str(buttons_block(ALERT, acknowledged=True, has_value=True))
    assert "silence-worse" not in str(buttons_block(ALERT, acknowledged=False, has_value=False))


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_silence_until_worse_needs_a_value_and_never_holds_without_an_end(value: float | None) -> None:
    pressed = read_pressed(request(action={"action_id": "silence-worse"}), channels=["C1"], now=NOW)
    assert pressed is not None and pressed.refusal == ""
    row = pressed.action(NOW, value)
    assert row is not None and (row.kind, row.reason) == ("refused", "its rule has no value at the newest block")


@given(st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_a_silence_until_worse_ends_by_the_direction_of_the_rule(pressed_at: float, now: float, rises: bool) -> None:
    pressed = read_pressed(request(action={"action_id": "silence-worse"}), channels=["C1"], now=NOW)
    assert pressed is not None
    row = pressed.action(NOW, pressed_at)
    assert row is not None
    subject = SilenceSubject({"alert": ALERT}, is_open=True, fired_at=NOW - 60, value=now, rises=rises)
    is_worse = now > pressed_at if rises else now < pressed_at
    assert silences(row, subject, NOW + 10 * 366 * 86_400) == (not is_worse)


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"action": {"value": "../../etc"}}, "it is no request of one of our buttons"),
        ({"action": {"action_id": "drop-tables"}}, "it is no request of one of our buttons"),
        ({"user": {}}, "it is no request of one of our buttons"),
        ({"container": {"channel_id": "C2", "message_ts": "1.0"}}, "it comes from another channel"),
        ({"action": {"action_ts": f"{NOW - 301:.6f}"}}, "it is too old"),
        ({"action": {"action_ts": f"{NOW + 301:.6f}"}}, "it is too old"),
        ({"action": {"action_ts": "now"}}, "it is too old"),
    ],
)
def test_what_does_not_fit_is_refused_and_recorded(changed: dict[str, Any], refusal: str) -> None:
    pressed = read_pressed(request(**changed), channels=["C1"], now=NOW)
    assert pressed is not None and pressed.refusal == refusal
    row = pressed.action(NOW)
    assert row is not None and (row.kind, row.reason) == ("refused", refusal)


def test_a_repeated_request_has_the_same_id_and_another_has_not() -> None:
    def of(**changed: Any) -> str:
        pressed = read_pressed(request(**changed), channels=["C1"], now=NOW)
        assert pressed is not None
        return pressed.id

    assert of() == of()
    others = [of(action={"action_ts": f"{NOW + 1:.6f}"}), of(user={"id": "U2"}), of(action={"action_id": "silence-4h"})]
    assert len({of(), *others}) == 4


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*request(), "id"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(request())), values))
def test_no_request_ends_the_listener(parts: dict[str, Any]) -> None:
    pressed = read_pressed(request() | parts, channels=["C1"], now=NOW)
    assert pressed is None or pressed.action(NOW) is not None or pressed.button in ("why", "reason")


@pytest.mark.parametrize("part", ["value", "action_ts", "action_id"])
def test_half_a_character_is_refused_and_can_be_stored(part: str) -> None:
    user = {"id": "U\ud800", "username": "a\udfff"}
    pressed = read_pressed(request(action={part: "\ud800"}, user=user), channels=["C1"], now=NOW)
    assert pressed is not None and pressed.refusal
    row = pressed.action(NOW)
    assert row is not None and (row.kind, row.author) == ("refused", "a?")
    assert str(row).encode()
