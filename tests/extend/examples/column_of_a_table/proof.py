"""A dataset of before and a new one end with the same columns."""

from __future__ import annotations

from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.migrations import migrate
from counterpoise.clickhouse.sql_files import sql_files
from counterpoise.contracts.datasets import Dataset
from tests.extend.proving import Upgraded

COLUMNS = """
SELECT name, type, comment FROM system.columns
WHERE database = currentDatabase() AND table = 'alert_mutes_log' ORDER BY position
"""


def test_old_and_new_datasets_agree(upgraded: Upgraded) -> None:
    newest = max(path.stem for path in sql_files("migrations"))
    assert upgraded.done == [newest] and newest.endswith("_mute_tickets")
    fresh = f"{upgraded.ch.database}_new"
    try:
        migrate(upgraded.ch.target, Dataset(fresh, "simulated"))
        with connect(upgraded.ch.target, fresh) as ch:
            columns = ch.query(COLUMNS)
    finally:
        upgraded.ch.execute(f"DROP DATABASE IF EXISTS `{fresh}` SYNC")
    assert columns == upgraded.ch.query(COLUMNS)
    assert [name for name, _, _ in columns] == ["rule_id", "until", "author", "reason", "muted_at", "ticket", "version"]
