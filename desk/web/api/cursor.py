"""Cursors: the place after which the next page begins, as opaque text that fits one request only. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from desk.web.api.api_errors import ApiError

PATTERN: Final = r"[A-Za-z0-9_-]{1,400}"


def _fingerprint(path: str, parameters: Mapping[str, Any]) -> str:
    kept = {name: str(value) for name, value in parameters.items() if name not in ("cursor", "limit", "format")}
    return hashlib.sha256(json.dumps([path, kept], sort_keys=True).encode()).hexdigest()[:16]


def write_cursor(path: str, parameters: Mapping[str, Any], place: list[int | str]) -> str:
    """The cursor of a place in the answer to this request. `limit` and `format` may change from page to page."""
    text = json.dumps([_fingerprint(path, parameters), *place], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(path: str, parameters: Mapping[str, Any], kinds: tuple[type, ...]) -> list[Any] | None:
    """The place that the request's cursor names; None without one. ApiError 422 where it is damaged or of another request."""
    given = parameters.get("cursor")
    if given is None:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(str(given) + "=" * (-len(given) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        found = None
    well_made = isinstance(found, list) and len(found) == len(kinds) + 1
    if not well_made or [type(part) for part in found[1:]] != list(kinds):
        raise ApiError(422, "bad-cursor", "cursor: expected the `next` of an earlier answer", parameter="cursor")
    if found[0] != _fingerprint(path, parameters):
        raise ApiError(
            422,
            "other-cursor",
            "cursor: it belongs to a request with other parameters; only limit and format may change",
            parameter="cursor",
        )
    place: list[Any] = found[1:]
    if any(isinstance(part, int) and not 0 <= part < 1 << 53 for part in place):
        raise ApiError(422, "bad-cursor", "cursor: expected the `next` of an earlier answer", parameter="cursor")
    return place
