"""A column as the engine describes it."""

from __future__ import annotations

from typing import NamedTuple


class Described(NamedTuple):
    """A column as DESCRIBE TABLE lists it. `default_kind` is "", DEFAULT, MATERIALIZED, ALIAS or EPHEMERAL; `default` follows it."""

    name: str
    type: str
    default_kind: str
    default: str = ""
