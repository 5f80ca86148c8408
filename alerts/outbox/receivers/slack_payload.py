"""Parts of a request of Slack's, whatever stands in it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any


def mapping(value: object) -> Mapping[str, Any]:
    """An object of the request; empty where something else stands."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """A text that can be stored; empty for what is none. JSON may have half a character, which UTF-8 has not.

    >>> text("ada"), text(["ada"]), text("a\\ud800")
    ('ada', '', 'a?')
    """
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def one_line(value: object, limit: int) -> str:
    """A person's text in one line of at most `limit` characters."""
    return " ".join(text(value).split())[:limit]


def request_id(*parts: str) -> str:
    """16 hexadecimal digits of a request's content: a repeated request has the same."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]
