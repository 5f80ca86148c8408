"""The record of a restore that is not over: a table in the database that it fills, so that every later command sees where it stopped.

The table is dropped last. Its comment names the backup and the database of before. While it is there, no service starts and
`counterpoise migrate` changes nothing.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from typing import Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.contracts.datasets import DatasetKind
from counterpoise.errors import ConfigError

TABLE: Final = "restore_not_over"
"""Its name in the database."""


@dataclass(frozen=True, slots=True)
class RestoreRecord:
    """What a restore does: the backup, the database in it, the database that it fills, the one of before ("" for none), and the kind
    of the dataset."""

    backup: str
    of: str
    dataset: str
    kept: str
    kind: DatasetKind

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the command that does all of it again."""
        kind = () if self.kind == "live" else ("--dataset-kind", self.kind)
        of = () if self.of == self.dataset else ("--of", self.of)
        aside = ("--set-aside",) if self.kept else ()
        return ("--dataset", self.dataset, *kind, "restore", self.backup, *of, *aside)

    @property
    def command(self) -> str:
        """The command that does all of it again, on a machine where no other option is needed."""
        return shlex.join(["counterpoise", *self.words])

    @property
    def state(self) -> str:
        """What there is, and the next command: one sentence for whoever meets a restore that stopped."""
        return self.state_with(self.command)

    def state_with(self, command: str) -> str:
        """The same with a command that does all of it again."""
        old = f"the database of before is kept as {self.kept}" if self.kept else "there was none before"
        return (
            f"database {self.dataset!r} is not whole: the restore of backup {self.backup!r} is not over, and {old}. "
            f"Run `{command}` again"
        )

    def statement(self, database: str) -> str:
        """Makes the table in `database`."""
        text = json.dumps(asdict(self))  # names only: no quote, no backslash
        return f"CREATE TABLE `{database}`.{TABLE} (at DateTime) ENGINE = MergeTree ORDER BY at COMMENT '{text}'"


def beside(dataset: str) -> str:
    """The database that is one step of a restore away from being, or having been, that of the dataset."""
    return f"{dataset}_restoring"


def read_record(server: ClickHouse, dataset: str, *databases: str) -> RestoreRecord | None:
    """The record of a restore of the dataset, in the first of these databases that has one."""
    rows = server.query(
        "SELECT comment FROM system.tables WHERE name = {table:String} AND database IN {databases:Array(String)} "
        "ORDER BY indexOf({databases:Array(String)}, database)",
        {"table": TABLE, "databases": list(databases)},
    )
    found = [RestoreRecord(**json.loads(comment)) for (comment,) in rows]
    return next((record for record in found if record.dataset == dataset), None)


def require_whole(server: ClickHouse, dataset: str) -> None:
    """ConfigError with the next command where a restore into the dataset's database is not over."""
    if record := read_record(server, dataset, dataset, beside(dataset)):
        raise ConfigError(record.state)
