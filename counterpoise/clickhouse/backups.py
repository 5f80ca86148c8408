"""Backups of a dataset: the server copies the database into its folder of backups, and reads it back from there.

The server does both beside its other work and is asked how far it has come, so no limit of time ends them. A backup holds each table
as it was at one moment, and the tables at moments of one run of the command: what a crash could leave, which a start completes.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from clickhouse_driver import errors as driver

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.cluster import cluster_name
from counterpoise.clickhouse.epochs import claim_epoch, claimed_epochs
from counterpoise.clickhouse.error_codes import classify, first_line
from counterpoise.clickhouse.restore_record import TABLE, RestoreRecord, beside, read_record, require_whole
from counterpoise.clickhouse.rows.dataset_rows import dataset_columns
from counterpoise.contracts.datasets import Dataset
from counterpoise.errors import ConfigError, CounterpoiseError, RetryableError
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.crash_points import crash_point

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", re.ASCII)
_CODE: Final = re.compile(r"Code: (\d+)\.")

_EXISTS: Final = 598
_NOT_FOUND: Final = 599
_BAD_ARGUMENTS: Final = 36

_POLL_SECONDS: Final = 0.2

Progress = Callable[[int, int], None]
"""Is called with files and bytes so far."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What the server has written, or read."""

    name: str
    files: int
    bytes: int


def back_up(server: ClickHouse, dataset: str, name: str, progress: Progress | None = None) -> Backup:
    """Write the database of a dataset into the server's folder of backups, under a name that is new there.

    ConfigError for a name that is taken or is none, a database that is not there, and a server that allows no backups. RetryableError
    where its disk is full. A backup that failed is not there.
    """
    _refuse_cluster(server)
    require_whole(server, dataset)
    return _run(server, f"BACKUP DATABASE `{dataset}` TO File('{checked_name(name)}')", name, progress)


def restore(
    server: ClickHouse,
    dataset: Dataset,
    name: str,
    *,
    of: str,
    set_aside: str | None = None,
    progress: Progress | None = None,
    on_record: Callable[[RestoreRecord], None] = lambda record: None,
) -> Backup:
    """Read the database `of` from a backup into the database of `dataset`, which must hold no table.

    With `set_aside`, one that is there is renamed to that first. Where the restore fails, what it made is dropped, and the old
    database has its name again. A restore that was stopped before is undone first, once the server has ended it. `on_record` gets the
    record of this one before anything changes. A copy under another name is marked as `dataset`. The epochs of all writers are
    claimed anew, because a service that started during the backup wrote under one that the backup may lack. Errors as of `back_up`.
    """
    _refuse_cluster(server)
    _checked_database(of)
    checked_name(name)
    undo_restore(server, dataset.name, progress)
    there = bool(tables_of(server, dataset.name))
    if there and set_aside is None:
        raise ConfigError(
            f"database {dataset.name!r} on {server.server} holds tables, and a restore replaces none: rename it with "
            f"--set-aside, or restore beside it with --dataset OTHER --of {of}"
        )
    record = RestoreRecord(name, of, dataset.name, set_aside or "" if there else "", dataset.kind)
    on_record(record)
    try:
        done = _fill(server, record, progress)
        with connect(server.target, dataset.name) as restored:
            if of != dataset.name:
                restored.execute("TRUNCATE TABLE datasets_log")
                crash_point("restore-after-truncate")
                restored.insert("datasets_log", dataset_columns(dataset, SystemClock().now()))
            crash_point("restore-after-mark")
            for role in claimed_epochs(restored, ""):
                claim_epoch(restored, role)
            crash_point("restore-after-epochs")
            restored.execute(f"DROP TABLE {TABLE} SYNC")
    except CounterpoiseError as error:
        try:
            undo_restore(server, dataset.name, progress)
        except CounterpoiseError:
            raise RetryableError(f"{error}. When the server answers: {record.state}") from None
        raise
    crash_point("restore-after-end")
    return done


def _fill(server: ClickHouse, record: RestoreRecord, progress: Progress | None) -> Backup:
    """The database with what the backup holds, and with the record."""
    new = beside(record.dataset)
    server.execute(f"CREATE DATABASE `{new}` ENGINE = Atomic")
    crash_point("restore-after-create")
    server.execute(record.statement(new))
    crash_point("restore-after-record")
    if record.kept:
        server.execute(f"RENAME DATABASE `{record.dataset}` TO `{record.kept}`")
    else:
        server.execute(f"DROP DATABASE IF EXISTS `{record.dataset}` SYNC")  # holds no table
    crash_point("restore-after-aside")
    server.execute(f"RENAME DATABASE `{new}` TO `{record.dataset}`")
    crash_point("restore-after-rename")
    # An administrator's database may have a comment, which the one that was just made lacks.
    statement = (
        f"RESTORE DATABASE `{record.of}` AS `{record.dataset}` FROM File('{record.backup}') "
        "SETTINGS allow_different_database_def = 1"
    )
    done = _run(server, statement, record.backup, progress, "restore-after-start")
    crash_point("restore-after-read")
    return done


def undo_restore(server: ClickHouse, dataset: str, progress: Progress | None = None) -> None:
    """Give the database of before its name again, where a restore is not over. What that restore made is dropped, and nothing else.

    It waits until the server has ended the restore. Stopped at any place, it does the rest when it is called again.
    """
    new = beside(dataset)
    record = read_record(server, dataset, dataset, new)
    if record is None:
        _make_free(server, new)
        return
    _await_end(server, record.backup, progress)
    if read_record(server, dataset, dataset):
        _make_free(server, new)
        server.execute(f"RENAME DATABASE `{dataset}` TO `{new}`")
        crash_point("restore-undo-after-rename")
    if record.kept and _exists(server, record.kept) and not _exists(server, dataset):
        server.execute(f"RENAME DATABASE `{record.kept}` TO `{dataset}`")
        crash_point("restore-undo-after-return")
    server.execute(f"DROP DATABASE `{new}` SYNC")


def _make_free(server: ClickHouse, database: str) -> None:
    """Drop a database that holds nothing. ConfigError where it holds something, which is somebody's."""
    if tables_of(server, database):
        raise ConfigError(
            f"database {database!r} on {server.server} holds tables, and a restore needs its name: rename it"
        )
    server.execute(f"DROP DATABASE IF EXISTS `{database}` SYNC")


def _exists(server: ClickHouse, database: str) -> bool:
    return bool(server.query("SELECT 1 FROM system.databases WHERE name = {name:String}", {"name": database}))


def _await_end(server: ClickHouse, name: str, progress: Progress | None) -> None:
    """Wait while the server reads the backup: a restore goes on there when the command that began it is gone."""
    pause = threading.Event()
    while rows := server.query(
        "SELECT num_files, total_size FROM system.backups WHERE status = 'RESTORING' AND name = {name:String}",
        {"name": f"File('{name}')"},
    ):
        if progress is not None:
            progress(int(rows[0][0]), int(rows[0][1]))
        pause.wait(_POLL_SECONDS)


def checked_name(name: str) -> str:
    """The name of a backup; ConfigError where it could be a path or a statement."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise ConfigError(f"{name!r} is no name of a backup: expected letters, digits, '.', '_' and '-', and no folder")
    return name


def _checked_database(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]+", name, re.ASCII):
        raise ConfigError(f"{name!r} is no name of a dataset: expected letters, digits and '_'")
    return name


def tables_of(server: ClickHouse, database: str) -> list[str]:
    """Tables and views of a database; none where it is not there."""
    rows = server.query(
        "SELECT name FROM system.tables WHERE database = {database:String} ORDER BY name", {"database": database}
    )
    return [str(table) for (table,) in rows]


def _refuse_cluster(server: ClickHouse) -> None:
    if cluster_name(server.target.cluster):
        raise ConfigError(
            f"the database is on cluster {server.target.cluster!r}, whose servers have no folder in common: use BACKUP … ON "
            "CLUSTER with a disk of all servers (https://clickhouse.com/docs/operations/backup)"
        )


def _run(
    server: ClickHouse, statement: str, name: str, progress: Progress | None, started: str = "backup-after-start"
) -> Backup:
    """Start it on the server, and ask until it is done; `started` names the crash point behind its start."""
    pause = threading.Event()
    try:
        [(identity, _)] = server.query(f"{statement} ASYNC")
    except driver.ServerException as error:
        raise _as_ours(error, name, server) from None
    crash_point(started)
    while True:
        rows = server.query(
            "SELECT toString(status), error, num_files, total_size FROM system.backups WHERE id = {id:String}",
            {"id": identity},
        )
        if not rows:
            raise RetryableError(f"ClickHouse {server.server} started anew amid it: run the command again")
        [(status, failure, files, size)] = rows
        if status in ("BACKUP_CREATED", "RESTORED"):
            return Backup(name, int(files), int(size))
        if failure or status.endswith(("_FAILED", "_CANCELLED")):
            code = _CODE.search(failure)
            text = failure.partition("DB::Exception: ")[2] or failure or status
            raise _as_ours(driver.ServerException(text, int(code[1]) if code else 0), name, server)
        if progress is not None:
            progress(int(files), int(size))
        pause.wait(_POLL_SECONDS)


def _as_ours(error: driver.ServerException, name: str, server: ClickHouse) -> CounterpoiseError:
    said = first_line(error).removesuffix(",").rstrip()
    if error.code == _EXISTS:
        return ConfigError(f"backup {name!r} exists already on {server.server}: choose another name")
    if error.code == _NOT_FOUND:
        return ConfigError(
            f"there is no backup {name!r} on {server.server}: a backup is a folder in the server's folder of backups"
        )
    if error.code == _BAD_ARGUMENTS and "allowed_path" in said:
        return ConfigError(
            f"ClickHouse {server.server} allows no backups: set backups.allowed_path in its configuration"
        )
    return classify(error, server.server) or ConfigError(
        f"backup {name!r} on {server.server}: {said} (code {error.code}); nothing was changed"
    )
