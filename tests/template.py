"""A migrated database in a third of the CPU time of the migrations: a copy of the first one that this process made on that server.

The copy comes from a backup that the server holds in memory, for as long as the session lasts that made it: so the session stays
open until the server ends. `tests/contract/sql/test_template.py` holds a copy against a migrated database. Tests of migrations
themselves migrate.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from clickhouse_driver import errors as driver

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.dataset_mark import open_dataset
from counterpoise.clickhouse.migrations import migrate
from counterpoise.contracts.datasets import Dataset
from counterpoise.errors import RetryableError
from counterpoise.settings.endpoints import ClickHouseTarget

_BACKUP: Final = "Memory('template_of_tests')"
_LOCK: Final = threading.RLock()


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


_TEMPLATES: Final[dict[tuple[int, str], _Template]] = {}
"""By the server's port, and what they hold."""


def make_database(target: ClickHouseTarget, dataset: Dataset) -> bool:
    """A new database as `migrate` makes it: every table and view, the ledger of migrations, the dataset's mark. True for a copy."""
    return _make(target, dataset, "", _nothing)


def make_filled_database(
    target: ClickHouseTarget, dataset: Dataset, what: str, fill: Callable[[ClickHouse], None]
) -> bool:
    """The same with what `fill` writes, under the name `what`; the rows are copied too from the second time on."""
    return _make(target, dataset, what, fill)


def forget_template(port: int) -> None:
    """Close the sessions on the server of this port, which ends."""
    for key in [key for key in _TEMPLATES if key[0] == port]:
        _TEMPLATES.pop(key).session.close()


def _nothing(_: ClickHouse) -> None:
    pass


def _make(target: ClickHouseTarget, dataset: Dataset, what: str, fill: Callable[[ClickHouse], None]) -> bool:
    with _LOCK:
        template = _TEMPLATES.get((target.port, what))
        copied = template is not None and template.copy_to(dataset.name)
        if not copied:
            if what:
                _make(target, dataset, "", _nothing)
                with connect(target, dataset.name) as ch:
                    fill(ch)
            else:
                forget_template(target.port)
                with connect(target, "default") as server:  # else its rows would be in every copy
                    assert (dataset.name,) not in server.query("SHOW DATABASES"), f"{dataset.name} is there already"
                migrate(target, dataset)
            session = connect(target, "default")
            session.execute(f"BACKUP DATABASE `{dataset.name}` TO {_BACKUP}")
            _TEMPLATES[target.port, what] = _Template(session, dataset.name)
    if copied:
        with connect(target, dataset.name) as ch:
            open_dataset(ch, dataset)
    return copied
