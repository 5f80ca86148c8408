"""What people see in Slack. The one place that knows where the Slack-shaped server is."""

from __future__ import annotations

from typing import Any

from testkit.slack_server import CHANNEL, TOKEN, SlackServer

__all__ = ["CHANNEL", "TOKEN", "SlackServer", "shown_by"]


def shown_by(slack: SlackServer) -> list[dict[str, Any]]:
    """The channel in its order; a thread is named by the key of its root."""
    keys = {message.ts: message.key for message in slack.messages}
    return [
        {
            "key": message.key,
            "thread": keys.get(message.thread_ts or ""),
            "broadcast": message.broadcast,
            "text": message.text,
            "blocks": [_without_status(block) for block in message.blocks if not _explains(block)],
        }
        for message in slack.messages
    ]


def _explains(block: dict[str, Any]) -> bool:
    """An explanation is left out of an alert where ClickHouse does not answer in a second."""
    text = block.get("text", {}).get("text", "")
    return str(text).startswith(("*Both views*", "*What moved it*"))


def _without_status(block: dict[str, Any]) -> dict[str, Any]:
    """`provisional` or `final` depends on how far the tip was when the message was sent."""
    fields = block.get("fields")
    if not fields:
        return block
    return {**block, "fields": [entry for entry in fields if not entry["text"].startswith("*Status*")]}
