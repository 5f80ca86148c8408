"""A message of the channel, what Slack would refuse of one, and the request that a pressed button makes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

MAX_TEXT_CHARACTERS: Final = 40_000
MAX_BLOCKS: Final = 50


@dataclass(slots=True)
class SlackMessage:
    """A message as the channel shows it now; `edits` counts how often it was changed.

    `user`: the only person who sees it; None for a message of the channel. `changed`: the workspace's number of the last change of
    it or of its thread.
    """

    ts: str
    channel: str
    text: str
    blocks: list[dict[str, Any]]
    metadata: dict[str, Any]
    thread_ts: str | None = None
    broadcast: bool = False
    edits: int = 0
    user: str | None = None
    changed: int = 0

    @property
    def key(self) -> str:
        """What its metadata names it by."""
        return str(self.metadata.get("event_payload", {}).get("key", ""))

    def as_json(self, *, with_metadata: bool) -> dict[str, Any]:
        """As Slack's history lists it."""
        found: dict[str, Any] = {"type": "message", "ts": self.ts, "text": self.text, "blocks": self.blocks}
        if self.thread_ts:
            found["thread_ts"] = self.thread_ts
        if self.broadcast:
            found["subtype"] = "thread_broadcast"
        if with_metadata and self.metadata:
            found["metadata"] = self.metadata
        return found

    def buttons(self) -> list[dict[str, Any]]:
        """The buttons under it."""
        return [one for block in self.blocks if block["type"] == "actions" for one in block["elements"]]


def pressed(
    message: SlackMessage, button: str, *, user_id: str, user_name: str, at: float, trigger_id: str = ""
) -> dict[str, Any]:
    """The `block_actions` payload that Slack sends when a person presses a button at `at` (seconds)."""
    block_id, value = next(
        (
            (str(block.get("block_id", "")), str(one.get("value", "")))
            for block in message.blocks
            if block["type"] == "actions"
            for one in block["elements"]
            if one["action_id"] == button
        ),
        ("counterpoise", ""),
    )
    return {
        "type": "block_actions",
        "trigger_id": trigger_id,
        "user": {"id": user_id, "username": user_name, "team_id": "T0LOCAL"},
        "container": {"type": "message", "channel_id": message.channel, "message_ts": message.ts},
        "actions": [
            {
                "type": "button",
                "block_id": block_id,
                "action_id": button,
                "value": value,
                "action_ts": f"{at:.6f}",
            }
        ],
    }


def commanded(text: str, *, channel: str, user_id: str, user_name: str) -> dict[str, Any]:
    """The `slash_commands` payload that Slack sends for `/counterpoise TEXT`."""
    return {
        "command": "/counterpoise",
        "text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
        "team_id": "T0LOCAL",
        "channel_id": channel,
        "user_id": user_id,
        "user_name": user_name,
    }


def refusal(arguments: dict[str, Any]) -> str | None:
    """The error code with which Slack would refuse a message; None where it takes it."""
    blocks = arguments.get("blocks") or []
    if not arguments.get("text") and not blocks:
        return "no_text"
    if len(str(arguments.get("text", ""))) > MAX_TEXT_CHARACTERS:
        return "msg_too_long"
    if not isinstance(blocks, list) or len(blocks) > MAX_BLOCKS:
        return "invalid_blocks"
    return next((refused for refused in map(_refusal_of_block, blocks) if refused), None)


def _refusal_of_block(block: dict[str, Any]) -> str | None:
    kind = block.get("type")
    text = block.get("text") or {}
    length = len(text.get("text", "")) if isinstance(text, dict) else 0
    fields = block.get("fields") or []
    elements = block.get("elements") or []
    bad = (
        kind not in ("header", "section", "context", "divider", "actions")
        or (kind == "header" and not (0 < length <= 150 and text.get("type") == "plain_text"))
        or (kind == "section" and not fields and not 0 < length <= 3_000)
        or len(fields) > 10
        or any(not 0 < len(entry.get("text", "")) <= 2_000 for entry in fields)
        or (kind == "context" and not 0 < len(elements) <= 10)
        or (kind == "actions" and not (0 < len(elements) <= 25 and all(map(_is_button, elements))))
    )
    return "invalid_blocks" if bad else None


def _is_button(element: dict[str, Any]) -> bool:
    text = element.get("text", {})
    return (
        element.get("type") == "button"
        and text.get("type") == "plain_text"
        and 0 < len(text.get("text", "")) <= 75
        and 0 < len(element.get("action_id", "")) <= 255
        and len(element.get("value", "")) <= 2_000
    )
