"""The database that tests start from is the database that `migrate` makes."""

from __future__ import annotations

import secrets

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.migrations import migrate, pending
from counterpoise.contracts.datasets import Dataset
from tests.engines import ClickHouseServer
from tests.template import make_database

SCHEMA = (
    "SELECT name, engine, replaceAll(create_table_query, currentDatabase(), '') FROM system.tables "
    "WHERE database = currentDatabase() ORDER BY name",
    "SELECT table, position, name, type, default_expression, comment FROM system.columns WHERE database = currentDatabase() "
    "ORDER BY table, position",
    "SELECT name, status, key.names, replaceAll(source, currentDatabase(), '') FROM system.dictionaries "
    "WHERE database = currentDatabase() ORDER BY name",
    "SELECT * EXCEPT applied_at FROM migrations_log ORDER BY number",
)


def schema(ch: ClickHouse) -> list[list[tuple[object, ...]]]:
    return [ch.query(query) for query in SCHEMA]


def test_a_copy_is_what_migrations_make(clickhouse: ClickHouseServer) -> None:
    name = f"t_{secrets.token_hex(6)}"
    first, migrated, copy = (Dataset(f"{name}_{which}", "live") for which in ("f", "m", "c"))
    migrate(clickhouse.target, migrated)
    make_database(clickhouse.target, first)  # may be the one that the others are copies of
    assert make_database(clickhouse.target, copy), "it was migrated too, which takes three times as long"
    with connect(clickhouse.target, migrated.name) as one, connect(clickhouse.target, copy.name) as other:
        for made, copied in zip(schema(one), schema(other), strict=True):
            assert copied == made
        assert pending(other) == []
        assert migrate(clickhouse.target, copy) == [], "it carries its own mark, and nothing is missing"
        for database in (first, migrated, copy):
            one.execute(f"DROP DATABASE `{database.name}` SYNC")
