"""Limits of a statement of the console, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from counterpoise.clickhouse.client import ClickHouse
from desk.web.console.console_schema import LIMITS

MAX_SECONDS: Final = 30
MAX_SHOWN_ROWS: Final = 1_000
MAX_EXPORTED_ROWS: Final = 1_000_000
MAX_SQL_CHARACTERS: Final = 200_000
MAX_BODY_BYTES: Final = 1 << 20
MAX_STATEMENTS: Final = 4
"""Statements of all consoles of one desk that run at once."""

SETTINGS: Final[Mapping[str, Any]] = {"max_execution_time": MAX_SECONDS}
"""Settings of each statement. Where the user may change no setting, the limits of the server apply."""


def limits_of(client: ClickHouse) -> list[str]:
    """The limits that apply to this connection, one clause each. A limit of 0 is none and is left out."""
    found = {str(name): int(float(value)) for name, value in client.query(LIMITS)}
    shown = [
        f"{MAX_SHOWN_ROWS:,} rows shown",
        f"{MAX_EXPORTED_ROWS:,} rows exported",
        f"{MAX_STATEMENTS} statements at once",
    ]
    if seconds := found.get("max_execution_time", 0):
        shown.append(f"{seconds:,} seconds")
    if size := found.get("max_memory_usage", 0):
        shown.append(f"{_gibibytes(size)} of memory")
    if size := found.get("max_result_bytes", 0):
        shown.append(f"{_gibibytes(size)} of result")
    if rows := found.get("max_result_rows", 0):
        shown.append(f"{rows:,} rows of result")
    return ["read-only", *shown]


def _gibibytes(size: int) -> str:
    return f"{size / (1 << 30):.3g} GiB"
