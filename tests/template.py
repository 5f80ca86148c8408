"""A migrated database in a third of the CPU time of the migrations: a copy of the first one that this process made on that server.

The copy comes from a backup that the server holds in memory, for as long as the session lasts that made it: so the session stays
open until the server ends. `tests/contract/sql/test_template.py` holds a copy against a migrated database. Tests of migrations
themselves migrate.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from clickhouse_driver import errors as driver

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.datasets import open_dataset
from counterpoise.clickhouse.migrations import migrate
from counterpoise.contracts.datasets import Dataset
from counterpoise.errors import RetryableError
from counterpoise.settings.endpoints import ClickHouseTarget

_BACKUP: Final = "Memory('template_of_tests')"
_LOCK: Final = threading.Lock()


@dataclass(frozen=True)
class _Template:
    """The session that holds the backup, and which database that is."""

    session: ClickHouse
    name: str

    def copy_to(self, name: str) -> bool:
        """Whether it could be copied; not where the server has started anew since."""
        try:
            self.session.execute(f"RESTORE DATABASE `{self.name}` AS `{name}` FROM {_BACKUP}")
            self.session.execute(f"TRUNCATE TABLE `{name}`.datasets_log")  # the mark is each copy's own
        except (RetryableError, driver.ServerException):
            return False
        return True


_TEMPLATES: Final[dict[int, _Template]] = {}


def make_database(target: ClickHouseTarget, dataset: Dataset) -> bool:
    """A new database as `migrate` makes it: every table and view, the ledger of migrations, the dataset's mark. True for a copy."""
    with _LOCK:
        template = _TEMPLATES.get(target.port)
        copied = template is not None and template.copy_to(dataset.name)
        if not copied:
            forget_template(target.port)
            migrate(target, dataset)
            session = connect(target, "default")
            session.execute(f"BACKUP DATABASE `{dataset.name}` TO {_BACKUP}")
            _TEMPLATES[target.port] = _Template(session, dataset.name)
    if copied:
        with connect(target, dataset.name) as ch:
            open_dataset(ch, dataset)
    return copied


def forget_template(port: int) -> None:
    """Close the session on the server of this port, which ends."""
    if template := _TEMPLATES.pop(port, None):
        template.session.close()
