"""A migrated database in half the time of the migrations: a copy of one that the server holds as a backup in memory.

`tests/contract/sql/test_template.py` holds the copy against a migrated database. Tests of migrations themselves migrate.
"""

from __future__ import annotations

from typing import Final

from clickhouse_driver import errors as driver

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.datasets import open_dataset
from counterpoise.clickhouse.migrations import migrate
from counterpoise.contracts.datasets import Dataset
from counterpoise.settings.endpoints import ClickHouseTarget

_TEMPLATE: Final = "template_of_tests"
_BACKUP_NOT_FOUND: Final = 599


def make_database(target: ClickHouseTarget, dataset: Dataset) -> None:
    """A new database as `migrate` makes it: every table, view and dictionary, the ledger of migrations, the dataset's mark.

    A server that was restarted has forgotten its backup; then the template is migrated anew.
    """
    with connect(target, "default") as server:
        try:
            _restore(server, dataset.name)
        except driver.ServerException as error:
            if error.code != _BACKUP_NOT_FOUND:
                raise
            _back_up_a_migrated_database(server)
            _restore(server, dataset.name)
    with connect(target, dataset.name) as ch:
        open_dataset(ch, dataset)


def _restore(server: ClickHouse, name: str) -> None:
    server.execute(f"RESTORE DATABASE `{_TEMPLATE}` AS `{name}` FROM Memory('{_TEMPLATE}')")


def _back_up_a_migrated_database(server: ClickHouse) -> None:
    migrate(server.target, Dataset(_TEMPLATE, "simulated"))
    server.execute(f"TRUNCATE TABLE `{_TEMPLATE}`.datasets_log")  # the mark is each copy's own
    server.execute(f"BACKUP DATABASE `{_TEMPLATE}` TO Memory('{_TEMPLATE}')")
    server.execute(f"DROP DATABASE `{_TEMPLATE}` SYNC")
