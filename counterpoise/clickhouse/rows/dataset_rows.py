"""Rows of datasets_log."""

from __future__ import annotations

from counterpoise.clickhouse.columns import Column
from counterpoise.clickhouse.rows.times import ticks_of_seconds
from counterpoise.contracts.datasets import Dataset


def dataset_columns(dataset: Dataset, created_at: float) -> dict[str, Column]:
    """The mark of one database; `created_at` in seconds since 1970."""
    return {"name": [dataset.name], "kind": [dataset.kind], "created_at": ticks_of_seconds([created_at])}
