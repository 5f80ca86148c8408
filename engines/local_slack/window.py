"""A window that an app opens for one person: what Slack would refuse of it, and the request that a submitted one makes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

TRIGGER_SECONDS: Final = 3.0
"""For this long a pressed button may open a window, once."""

MAX_TITLE: Final = 24
MAX_METADATA: Final = 3_000
_ELEMENTS: Final = ("radio_buttons", "plain_text_input")


def is_refused(view: object) -> bool:
    """Whether Slack would refuse it. Of blocks the workspace has inputs with radio buttons or a line of text."""
    if not isinstance(view, dict) or view.get("type") != "modal" or not view.get("submit"):
        return True
    title = str((view.get("title") or {}).get("text", ""))
    if not 0 < len(title) <= MAX_TITLE or len(str(view.get("private_metadata", ""))) > MAX_METADATA:
        return True
    blocks = view.get("blocks") or []
    return not blocks or any(
        block.get("type") != "input"
        or not block.get("label")
        or (block.get("element") or {}).get("type") not in _ELEMENTS
        for block in blocks
    )


def submitted(
    view_id: str, view: Mapping[str, Any], values: Mapping[str, str], *, user_id: str, user_name: str
) -> dict[str, Any]:
    """The `view_submission` payload that Slack sends; `values` are by the blocks' ids."""
    state: dict[str, Any] = {}
    for block in view["blocks"]:
        name, element = str(block["block_id"]), block["element"]
        value = values.get(name, "")
        if element["type"] == "radio_buttons":
            chosen = next((one for one in element["options"] if one["value"] == value), None)
            filled: dict[str, Any] = {"type": "radio_buttons", "selected_option": chosen}
        else:
            filled = {"type": "plain_text_input", "value": value or None}
        state[name] = {element["action_id"]: filled}
    kept = {name: view.get(name) for name in ("type", "callback_id", "private_metadata")}
    return {
        "type": "view_submission",
        "user": {"id": user_id, "username": user_name, "team_id": "T0LOCAL"},
        "view": {"id": view_id, **kept, "state": {"values": state}},
    }
