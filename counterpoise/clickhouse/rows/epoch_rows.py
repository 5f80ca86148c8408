"""Rows of epochs_log."""

from __future__ import annotations

from counterpoise.clickhouse.columns import Column
from counterpoise.clickhouse.rows.times import ticks_of_seconds


def epoch_columns(role: str, epoch: int, token: str, claimed_at: float) -> dict[str, Column]:
    """One claim; `claimed_at` in seconds since 1970."""
    return {"role": [role], "epoch": [epoch], "token": [token], "claimed_at": ticks_of_seconds([claimed_at])}
