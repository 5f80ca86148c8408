"""Rows of migrations_log and views_log."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from counterpoise.clickhouse.columns import Column
from counterpoise.clickhouse.rows.times import ticks_of_seconds


def migration_columns(number: int, name: str, sha256: str, applied_at: float) -> dict[str, Column]:
    """One applied migration; `applied_at` in seconds since 1970."""
    return {"number": [number], "name": [name], "sha256": [sha256], "applied_at": ticks_of_seconds([applied_at])}


def view_columns(hashes: Mapping[str, str], created_at: float, version: int) -> dict[str, Column]:
    """Views by name with the hash of their text, empty where one was dropped; `created_at` in seconds since 1970."""
    rows = len(hashes)
    return {
        "name": list(hashes),
        "sha256": list(hashes.values()),
        "created_at": ticks_of_seconds([created_at] * rows),
        "version": np.full(rows, version, np.uint64),
    }
