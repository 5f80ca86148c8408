"""How a query is asked again, and a row of its answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """How to repeat a query: the command as typed, the SQL that it runs, and the value of each of its parameters."""

    command: str
    sql: str
    values: Mapping[str, str] = field(default_factory=dict)
