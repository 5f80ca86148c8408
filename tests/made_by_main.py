"""A dataset as the last version before the schema was squashed made it: its ten migrations, kept as they were."""

from __future__ import annotations

import hashlib
from pathlib import Path

from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.rows.dataset_rows import dataset_columns
from counterpoise.clickhouse.rows.migration_rows import migration_columns
from counterpoise.clickhouse.schema import read_tables
from counterpoise.clickhouse.sql_files import split_statements
from counterpoise.contracts.datasets import Dataset
from counterpoise.settings.endpoints import ClickHouseTarget

FILES = sorted((Path(__file__).parent / "contract" / "sql" / "made_by_main").glob("*.sql"))


def migrate_as_main_did(target: ClickHouseTarget, dataset: Dataset, *, up_to: int = len(FILES)) -> None:
    """Make the database with the first `up_to` of them."""
    foundation = {table.name: table.statement for table in read_tables()}
    with connect(target, "") as server:
        server.execute(f"CREATE DATABASE IF NOT EXISTS `{dataset.name}` ENGINE = Atomic")
    with connect(target, dataset.name) as ch:
        for name in ("migrations_log", "datasets_log"):
            ch.execute(foundation[name])
        ch.insert("datasets_log", dataset_columns(dataset, 0.0))
        for path in FILES[:up_to]:
            for statement in split_statements(path.read_text(encoding="utf-8")):
                ch.execute(statement)
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            ch.insert("migrations_log", migration_columns(int(path.name[:4]), path.stem[5:], sha256, 0.0))
