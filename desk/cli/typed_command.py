"""Commands to paste: what a command prints as the next one has the options of the root that were typed with it."""

from __future__ import annotations

import shlex
from typing import Final

_TYPED: Final[list[str]] = []


def remember(options: dict[str, str | None]) -> None:
    """Take the options of this command line, by name; None for what was not typed."""
    _TYPED[:] = [word for name, value in options.items() if value is not None for word in (name, value)]


def to_paste(*words: str) -> str:
    """A command for the same dataset and state directory, as a shell takes it.

    >>> remember({"--state-dir": "/tmp/my state", "--dataset": None})
    >>> to_paste("sql", "SELECT 1")
    "counterpoise --state-dir '/tmp/my state' sql 'SELECT 1'"
    >>> remember({})
    >>> to_paste("status")
    'counterpoise status'
    """
    return shlex.join(["counterpoise", *_TYPED, *words])
