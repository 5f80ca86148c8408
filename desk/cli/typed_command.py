"""Commands to paste: what a command prints as the next one has the options of the root that were typed with it."""

from __future__ import annotations

import shlex
from typing import Final

_TYPED: Final[dict[str, str]] = {}


def remember(options: dict[str, str | None]) -> None:
    """Take the options of this command line, by name; None for what was not typed."""
    _TYPED.clear()
    _TYPED.update({name: value for name, value in options.items() if value is not None})


def to_paste(*words: str) -> str:
    """A command for the same dataset and state directory, as a shell takes it. An option that it has itself is not repeated.

    >>> remember({"--state-dir": "/tmp/my state", "--dataset": None})
    >>> to_paste("sql", "SELECT 1")
    "counterpoise --state-dir '/tmp/my state' sql 'SELECT 1'"
    >>> to_paste("--state-dir", "other", "status")
    'counterpoise --state-dir other status'
    >>> remember({})
    >>> to_paste("status")
    'counterpoise status'
    """
    typed = [word for option in _TYPED.items() if option[0] not in words for word in option]
    return shlex.join(["counterpoise", *typed, *words])
