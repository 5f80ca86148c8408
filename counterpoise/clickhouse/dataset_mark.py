"""The mark on a database that says what kind of data it holds, so that a demo never lands in the live history."""

from __future__ import annotations

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.restore_record import require_whole
from counterpoise.clickhouse.rows.dataset_rows import dataset_columns
from counterpoise.contracts.datasets import Dataset
from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import Clock, SystemClock


def open_dataset(ch: ClickHouse, dataset: Dataset, *, clock: Clock | None = None) -> None:
    """Mark a database that has no mark with `dataset`; ConfigError where it is marked as something else, or half restored.

    Two processes that mark one database differently at the same moment both fail.
    """
    require_whole(ch, dataset.name)
    if not _kinds(ch, dataset):
        ch.insert("datasets_log", dataset_columns(dataset, (clock or SystemClock()).now()))
        _kinds(ch, dataset)


def _kinds(ch: ClickHouse, dataset: Dataset) -> list[str]:
    marks = ch.query("SELECT DISTINCT name, kind FROM datasets_log ORDER BY name, kind")
    others = [f"{name} ({kind})" for name, kind in marks if (name, kind) != (dataset.name, dataset.kind)]
    if others:
        raise ConfigError(
            f"database {ch.database!r} on {ch.server} is marked as {', '.join(others)}, and the "
            f"settings name {dataset.name} ({dataset.kind}). Set COUNTERPOISE_DATASET to another name, or "
            "COUNTERPOISE_DATASET_KIND to its kind (--dataset, --dataset-kind)"
        )
    return [kind for _, kind in marks]
