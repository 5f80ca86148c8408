"""Rows of migrations_log."""

from __future__ import annotations

from counterpoise.clickhouse.columns import Column
from counterpoise.clickhouse.rows.times import ticks_of_seconds


def migration_columns(number: int, name: str, sha256: str, applied_at: float) -> dict[str, Column]:
    """One applied migration; `applied_at` in seconds since 1970."""
    return {"number": [number], "name": [name], "sha256": [sha256], "applied_at": ticks_of_seconds([applied_at])}
