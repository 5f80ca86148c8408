"""What a source gave and can never become an event: it goes to the dead letters with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BadItem:
    """Something that a source gave for a block and that can never become one. `key` names it there (a height or a hash).

    `height` is the one that it claims, None where it claims none.
    """

    key: str
    reason: str
    detail: str
    payload: bytes
    height: int | None = None
