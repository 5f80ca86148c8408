"""The buttons of an alert's message in Slack, and what a pressed one asks for. Pure.

Slack sends a request to any one connection, and sends it again where no answer came. A request's id follows from its content, so a
repeated one asks for nothing new. What does not fit is refused, with a reason that is stored.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast, get_args

from alerts.outbox.receivers.slack_payload import mapping, person_of, request_id, text
from alerts.policy import SHORT_SILENCES, Action, Verdict

Button = Literal["acknowledge", "silence-4h", "silence-24h", "silence-worse", "reason", "why"] | Verdict
LABELS: Final[dict[Button, str]] = {
    "acknowledge": "Acknowledge",
    "silence-4h": "Silence 4 h",
    "silence-24h": "Silence 24 h",
    "silence-worse": "Silence until worse",
    "reason": "With a reason…",
    "why": "Why",
    "useful": "Useful",
    "noise": "Noise",
}
BLOCK_ID: Final = "counterpoise"
STALE_SECONDS: Final = 300.0
"""A request that is older is refused: the alert may have changed since somebody pressed the button."""

ALERT_ID: Final = re.compile(r"[0-9a-f]{16}")


UNTIL_WORSE: Final[Button] = "silence-worse"
WITH_REASON: Final[Button] = "reason"
"""It opens a window that asks for a reason."""

NOT_OURS: Final = "it is no request of one of our buttons"
FOREIGN_CHANNEL: Final = "it comes from another channel"
NO_VALUE: Final = "its rule has no value at the newest block"


def buttons_block(alert_id: str, *, acknowledged: bool, has_value: bool) -> dict[str, Any]:
    """The buttons under an alert that fires; one that is acknowledged has no button for it. `has_value`: whether its rule has a
    value at every height, which can get worse."""
    left_out = ({"acknowledge"} if acknowledged else set()) | (set() if has_value else {UNTIL_WORSE})
    shown = [button for button in LABELS if button not in left_out]
    return {
        "type": "actions",
        "block_id": BLOCK_ID,
        "elements": [
            {
                "type": "button",
                "action_id": button,
                "value": alert_id,
                "text": {"type": "plain_text", "text": LABELS[button]},
            }
            for button in shown
        ],
    }


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button under the message `message_ts` of `channel`, pressed by `user` at `at` (seconds).

    `refusal`: why nothing is done; empty where it fits so far. `reason` is the person's, from a window; `trigger_id` opens one.
    """

    id: str
    button: str
    alert_id: str
    channel: str
    message_ts: str
    user: str
    user_name: str
    at: float
    refusal: str = ""
    reason: str = ""
    trigger_id: str = field(default="", repr=False)

    @property
    def is_verdict(self) -> bool:
        """Whether the person calls the alert useful or noise, which changes no message."""
        return self.button in get_args(Verdict)

    @property
    def not_done(self) -> str:
        """What becomes of it while the database does not answer."""
        return "Not answered" if self.button == "why" else "Not stored"

    @property
    def again(self) -> str:
        """What the person may do then."""
        return "Press the button again later."

    def action(self, now: float, value: float | None = None) -> Action | None:
        """The row that it asks for; None for a question. A refused one is recorded too.

        `value` is that of the alert's rule at the newest block: a silence until worse holds up to it, and is refused without it.
        """
        author = self.user_name or self.user
        if self.refusal:
            return Action(self.id, "refused", now, author, self.refusal, self.alert_id, via="slack")
        if self.button == "acknowledge":
            return Action(self.id, "acknowledge", now, author, self.reason, self.alert_id, via="slack")
        if self.is_verdict:
            return Action(self.id, cast(Verdict, self.button), now, author, target=self.alert_id, via="slack")
        if self.button == UNTIL_WORSE:
            if value is None or not math.isfinite(value):
                return Action(self.id, "refused", now, author, NO_VALUE, self.alert_id, via="slack")
            return self._silence(now, worse_than=value)
        hours = SHORT_SILENCES.get(self.button)
        if hours is None:
            return None
        return self._silence(now, until=now + hours * 3_600.0)

    def _silence(self, now: float, *, until: float | None = None, worse_than: float | None = None) -> Action:
        return Action(
            self.id,
            "silence",
            now,
            self.user_name or self.user,
            self.reason,
            matchers={"alert": self.alert_id},
            until=until,
            worse_than=worse_than,
            via="slack",
        )


def read_pressed(payload: Mapping[str, Any], *, channels: Collection[str], now: float) -> Pressed | None:
    """The pressed button of a request of Slack's; None for a request that is about none of ours.

    It is refused where the channel is not ours, the request is old, or its content is not what our buttons send.
    """
    first = _first(payload)
    if payload.get("type") != "block_actions" or first.get("block_id") != BLOCK_ID:
        return None
    button, value, at = (text(first.get(name)) for name in ("action_id", "value", "action_ts"))
    container, user = mapping(payload.get("container")), mapping(payload.get("user"))
    channel, message_ts, user_id = (
        text(container.get("channel_id")),
        text(container.get("message_ts")),
        text(user.get("id")),
    )
    pressed_at = float(at) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", at) else 0.0
    refusal = ""
    if button not in LABELS or not ALERT_ID.fullmatch(value) or not user_id:
        refusal = NOT_OURS
    elif channel not in channels:
        refusal = FOREIGN_CHANNEL
    elif not now - STALE_SECONDS <= pressed_at <= now + STALE_SECONDS:
        refusal = "it is too old"
    return Pressed(
        id=request_id(button, value, channel, message_ts, user_id, at, refusal),
        button=button[:40],
        alert_id=value if ALERT_ID.fullmatch(value) else "",
        channel=channel,
        message_ts=message_ts,
        user=user_id[:40],
        user_name=person_of(user),
        at=pressed_at,
        refusal=refusal,
        trigger_id=text(payload.get("trigger_id")),
    )


def _first(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    actions = payload.get("actions")
    return mapping(actions[0]) if isinstance(actions, list) and actions else {}
