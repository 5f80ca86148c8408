"""The buttons of an alert's message in Slack, and what a pressed one asks for. Pure.

Slack sends a request to any one connection, and sends it again where no answer came. A request's id follows from its content, so a
repeated one asks for nothing new. What does not fit is refused, with a reason that is stored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

from alerts.policy import Action, Verdict

Button = Literal["acknowledge", "silence-4h", "silence-24h", "why"] | Verdict
_LABELS: Final[dict[Button, str]] = {
    "acknowledge": "Acknowledge",
    "silence-4h": "Silence 4 h",
    "silence-24h": "Silence 24 h",
    "why": "Why",
    "useful": "Useful",
    "noise": "Noise",
}
_HOURS: Final[dict[Button, int]] = {"silence-4h": 4, "silence-24h": 24}
BLOCK_ID: Final = "counterpoise"
STALE_SECONDS: Final = 300.0
"""A request that is older is refused: the alert may have changed since somebody pressed the button."""

_ALERT_ID: Final = re.compile(r"[0-9a-f]{16}")


def buttons_block(alert_id: str, *, acknowledged: bool) -> dict[str, Any]:
    """The buttons under an alert that fires; one that is acknowledged has no button for it."""
    shown = [button for button in _LABELS if not (acknowledged and button == "acknowledge")]
    return {
        "type": "actions",
        "block_id": BLOCK_ID,
        "elements": [
            {
                "type": "button",
                "action_id": button,
                "value": alert_id,
                "text": {"type": "plain_text", "text": _LABELS[button]},
            }
            for button in shown
        ],
    }


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button under the message `message_ts` of `channel`, pressed by `user` at `at` (seconds).

    `refusal`: why nothing is done; empty where it fits so far.
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

    @property
    def is_verdict(self) -> bool:
        """Whether the person calls the alert useful or noise, which changes no message."""
        return self.button in get_args(Verdict)

    def action(self, now: float) -> Action | None:
        """The row that it asks for; None for a question. A refused one is recorded too."""
        author = self.user_name or self.user
        if self.refusal:
            return Action(self.id, "refused", now, author, self.refusal, self.alert_id, via="slack")
        if self.button == "acknowledge":
            return Action(self.id, "acknowledge", now, author, target=self.alert_id, via="slack")
        if self.is_verdict:
            return Action(self.id, cast(Verdict, self.button), now, author, target=self.alert_id, via="slack")
        hours = _HOURS.get(self.button)  # type: ignore[call-overload]
        if hours is None:
            return None
        until = now + hours * 3_600.0
        return Action(self.id, "silence", now, author, matchers={"alert": self.alert_id}, until=until, via="slack")


def read_pressed(payload: Mapping[str, Any], *, channels: Collection[str], now: float) -> Pressed | None:
    """The pressed button of a request of Slack's; None for a request that is about none of ours.

    It is refused where the channel is not ours, the request is old, or its content is not what our buttons send.
    """
    first = _first(payload)
    if payload.get("type") != "block_actions" or first.get("block_id") != BLOCK_ID:
        return None
    button, value, at = (str(first.get(name) or "") for name in ("action_id", "value", "action_ts"))
    container, user = _mapping(payload.get("container")), _mapping(payload.get("user"))
    channel, message_ts = str(container.get("channel_id") or ""), str(container.get("message_ts") or "")
    user_id = str(user.get("id") or "")
    pressed_at = float(at) if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", at) else 0.0
    refusal = ""
    if button not in _LABELS or not _ALERT_ID.fullmatch(value) or not user_id:
        refusal = "it is no request of one of our buttons"
    elif channel not in channels:
        refusal = "it comes from another channel"
    elif not now - STALE_SECONDS <= pressed_at <= now + STALE_SECONDS:
        refusal = "it is too old"
    content = "\0".join((button, value, channel, message_ts, user_id, at, refusal))
    return Pressed(
        id=hashlib.sha256(content.encode()).hexdigest()[:16],
        button=button[:40],
        alert_id=value if _ALERT_ID.fullmatch(value) else "",
        channel=channel,
        message_ts=message_ts,
        user=user_id[:40],
        user_name=" ".join(str(user.get("username") or user.get("name") or "").split())[:80],
        at=pressed_at,
        refusal=refusal,
    )


def _first(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    actions = payload.get("actions")
    return _mapping(actions[0]) if isinstance(actions, list) and actions else {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
