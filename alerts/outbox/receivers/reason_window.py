"""The window that asks for the reason of an acknowledgement or a silence, and what a submitted one asks for. Pure.

Slack keeps the window's metadata, which name the alert and its message. What is submitted is checked as a pressed button is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from alerts.outbox.receivers.slack_buttons import (
    ALERT_ID,
    BLOCK_ID,
    FOREIGN_CHANNEL,
    LABELS,
    NOT_OURS,
    UNTIL_WORSE,
    Button,
    Pressed,
)
from alerts.outbox.receivers.slack_payload import mapping, person_of, request_id, text
from alerts.policy import MAX_REASON
from counterpoise.visible import one_line

_CHOICES: Final[tuple[Button, ...]] = ("acknowledge", "silence-4h", "silence-24h", UNTIL_WORSE)
_CHOICE, _REASON = "choice", "reason"


def reason_window(pressed: Pressed) -> dict[str, Any]:
    """The window for the alert under whose message the button was pressed."""
    options = [{"text": _plain(LABELS[one]), "value": one} for one in _CHOICES]
    return {
        "type": "modal",
        "callback_id": BLOCK_ID,
        "private_metadata": f"{pressed.alert_id} {pressed.channel} {pressed.message_ts}",
        "title": _plain("With a reason"),
        "submit": _plain("Send"),
        "close": _plain("Cancel"),
        "blocks": [
            {
                "type": "input",
                "block_id": _CHOICE,
                "label": _plain(f"Alert {pressed.alert_id[:8]}"),
                "element": {
                    "type": "radio_buttons",
                    "action_id": _CHOICE,
                    "options": options,
                    "initial_option": options[0],
                },
            },
            {
                "type": "input",
                "block_id": _REASON,
                "label": _plain("Reason"),
                "element": {"type": "plain_text_input", "action_id": _REASON, "max_length": MAX_REASON},
            },
        ],
    }


def read_submission(payload: Mapping[str, Any], *, channels: Collection[str], now: float) -> Pressed | None:
    """What a submitted window asks for, as the button of its choice with a reason; None for a window that is none of ours."""
    view, user = mapping(payload.get("view")), mapping(payload.get("user"))
    if payload.get("type") != "view_submission" or view.get("callback_id") != BLOCK_ID:
        return None
    values = mapping(mapping(view.get("state")).get("values"))
    choice = text(mapping(_field(values, _CHOICE).get("selected_option")).get("value"))
    reason = one_line(text(_field(values, _REASON).get("value")), MAX_REASON)
    alert_id, channel, message_ts = [*text(view.get("private_metadata")).split(" "), "", "", ""][:3]
    user_id, refusal = text(user.get("id")), ""
    if choice not in _CHOICES or not ALERT_ID.fullmatch(alert_id) or not user_id:
        refusal = NOT_OURS
    elif channel not in channels:
        refusal = FOREIGN_CHANNEL
    return Pressed(
        id=request_id("window", text(view.get("id")), choice, reason, alert_id, channel, message_ts, user_id, refusal),
        button=choice[:40],
        alert_id=alert_id if ALERT_ID.fullmatch(alert_id) else "",
        channel=channel,
        message_ts=message_ts,
        user=user_id[:40],
        user_name=person_of(user),
        at=now,
        refusal=refusal,
        reason=reason,
    )


def _field(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return mapping(mapping(values.get(name)).get(name))


def _plain(words: str) -> dict[str, str]:
    return {"type": "plain_text", "text": words}
