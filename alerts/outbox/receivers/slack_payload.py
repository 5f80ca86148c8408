"""Parts of a request of Slack's, whatever stands in it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from alerts.policy import MAX_AUTHOR
from counterpoise.visible import one_line


def mapping(value: object) -> Mapping[str, Any]:
    """An object of the request; empty where something else stands."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """A text that can be stored; empty for what is none. JSON may have half a character, which UTF-8 has not.

    >>> text("ada"), text(["ada"]), text("a\\ud800")
    ('ada', '', 'a?')
    """
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def person_of(payload: Mapping[str, Any]) -> str:
    """The name of who asks, as a row has it. A button's payload calls it otherwise than a command's."""
    return one_line(text(payload.get("username") or payload.get("user_name") or payload.get("name")), MAX_AUTHOR)


def request_id(*parts: str) -> str:
    """16 hexadecimal digits of a request's content: a repeated request has the same."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]
