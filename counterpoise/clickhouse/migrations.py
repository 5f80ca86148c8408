"""Bringing a database to the schema of this version: numbered SQL files, applied in order, each once.

ClickHouse has no transactions over DDL and no lock to hold, so safety comes from the files instead: every statement of a migration
may run twice or beside itself (`IF NOT EXISTS`, `OR REPLACE`; a test runs each twice). A process that dies in the middle, or two that
migrate at once, repeat some statements and end at the same schema. The ledger keeps the SHA-256 of each file, and a file
that was changed after it was applied is refused: migrations are immutable.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clickhouse_driver import errors as driver

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.datasets import open_dataset
from counterpoise.clickhouse.rows.migration_rows import migration_columns
from counterpoise.clickhouse.sql_files import split_statements, sql_files
from counterpoise.contracts.datasets import Dataset
from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import Clock, SystemClock
from counterpoise.settings.endpoints import ClickHouseTarget

_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

FOUNDATION: Final = (
    """
CREATE TABLE IF NOT EXISTS migrations_log
(
    number UInt32 COMMENT 'Number of the migration',
    name String COMMENT 'Name of its file, without the number',
    sha256 String COMMENT 'SHA-256 of its file, hexadecimal',
    applied_at DateTime64(3, 'UTC') COMMENT 'When it was applied'
)
ENGINE = ReplacingMergeTree
ORDER BY (number, sha256)
COMMENT 'Migrations that were applied to this database; internal. Two different files of one number would both show'
""",
    """
CREATE TABLE IF NOT EXISTS datasets_log
(
    name String COMMENT 'Name of the dataset: of this database and of its topics',
    kind LowCardinality(String) COMMENT 'live, historical or simulated',
    created_at DateTime64(3, 'UTC') COMMENT 'When the mark was set'
)
ENGINE = ReplacingMergeTree
ORDER BY (name, kind)
COMMENT 'What this database holds: the chain as it happens, real blocks replayed, or drawn from figures. Read the view datasets'
""",
)
"""What there is before the first migration: the ledger, and the mark. Ordered by the whole row, so that two that differ both show."""

_COLLISIONS: Final = frozenset({57, 82, 218})
"""TABLE_ALREADY_EXISTS, DATABASE_ALREADY_EXISTS, TABLE_IS_DROPPED: another process does the same just now."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number and name, the SHA-256 of its text, its statements."""

    number: int
    name: str
    sha256: str
    statements: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"{self.number:04d}_{self.name}"


def read_migrations(files: list[Path] | None = None) -> list[Migration]:
    """The migrations that the package carries (or `files`), by number; ConfigError for a name or number that does not fit."""
    found: list[Migration] = []
    for path in sql_files("migrations") if files is None else files:
        match = _FILE.fullmatch(path.name)
        if not match:
            raise ConfigError(f"{path}: a migration is named NNNN_lower_case.sql")
        text = path.read_text(encoding="utf-8")
        found.append(
            Migration(int(match[1]), match[2], hashlib.sha256(text.encode()).hexdigest(), tuple(split_statements(text)))
        )
    found.sort(key=lambda migration: migration.number)
    for place, migration in enumerate(found, 1):
        if migration.number != place:
            raise ConfigError(
                f"migration {migration.title} stands at place {place}: numbers run from 0001 without gap or repetition"
            )
    return found


def migrate(
    target: ClickHouseTarget, dataset: Dataset, *, migrations: list[Migration] | None = None, clock: Clock | None = None
) -> list[str]:
    """Create the dataset's database if need be, mark it, apply what is missing; the titles of what was applied now.

    Raises ConfigError where an applied file was changed, the database is newer than this version, or it is marked as another dataset.
    """
    wanted = read_migrations() if migrations is None else migrations
    now = (clock or SystemClock()).now
    with connect(target, "") as server:
        server.execute(f"CREATE DATABASE IF NOT EXISTS `{dataset.name}` ENGINE = Atomic")
    with connect(target, dataset.name) as ch:
        for statement in FOUNDATION:
            _run(ch, statement)
        open_dataset(ch, dataset, clock=clock)
        applied = _applied(ch)
        _check(applied, wanted, dataset.name)
        missing = [migration for migration in wanted if migration.number not in applied]
        for migration in missing:
            for statement in migration.statements:
                _run(ch, statement)
            ch.insert("migrations_log", migration_columns(migration.number, migration.name, migration.sha256, now()))
        _check(_applied(ch), wanted, dataset.name)
        return [migration.title for migration in missing]


def pending(ch: ClickHouse, migrations: list[Migration] | None = None) -> list[str]:
    """Titles of the migrations that the database still lacks; all of them where it has no ledger. Raises as `migrate` does."""
    wanted = read_migrations() if migrations is None else migrations
    try:
        applied = _applied(ch)
    except ConfigError:
        return [migration.title for migration in wanted]
    _check(applied, wanted, ch.database)
    return [migration.title for migration in wanted if migration.number not in applied]


def _applied(ch: ClickHouse) -> dict[int, tuple[str, str]]:
    rows = ch.query("SELECT DISTINCT number, name, sha256 FROM migrations_log ORDER BY number")
    applied: dict[int, tuple[str, str]] = {}
    for number, name, sha256 in rows:
        if number in applied:
            raise ConfigError(
                f"database {ch.database!r} has two different migrations of number {number:04d} ({applied[number][0]} and {name}): "
                "two versions of Counterpoise migrated it at once; keep one of them and start from a new database"
            )
        applied[number] = (name, sha256)
    return applied


def _check(applied: dict[int, tuple[str, str]], wanted: list[Migration], database: str) -> None:
    known = {migration.number: migration for migration in wanted}
    for number, (name, sha256) in applied.items():
        if number not in known:
            raise ConfigError(
                f"database {database!r} has migration {number:04d}_{name}, which this version does not know: a newer Counterpoise "
                "migrated it; install that version"
            )
        if known[number].sha256 != sha256:
            raise ConfigError(
                f"migration {known[number].title} was changed after it was applied to database {database!r} (applied {sha256[:12]}…, "
                f"now {known[number].sha256[:12]}…): restore the file and add a new migration instead"
            )


def _run(ch: ClickHouse, statement: str) -> None:
    """Run one statement; once more where another process was at the same one."""
    try:
        ch.execute(statement)
    except driver.ServerException as error:
        if error.code not in _COLLISIONS:
            raise
        ch.execute(statement)
