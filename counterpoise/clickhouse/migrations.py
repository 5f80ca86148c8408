"""Bringing a database to the schema of this version: tables, numbered changes of older ones, and views.

A new database gets `sql/tables` as they are. One that has data gets the numbered files of `sql/migrations` that it lacks, in order,
each once; then tables that are new, columns of new metrics, and every view whose text differs.

ClickHouse has no transactions over DDL and no lock to hold, so safety comes from the files instead: every statement may run twice or
beside itself (`IF NOT EXISTS`, `OR REPLACE`; a test runs each twice). A process that dies in the middle, or two that migrate at once,
repeat some statements and end at the same schema. The ledger keeps the SHA-256 of each migration; one that was changed after it was
applied is refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clickhouse_driver import errors as driver

from counterpoise.clickhouse.client import ClickHouse, connect, connect_consistent
from counterpoise.clickhouse.cluster import cluster_name, on_cluster, refuse_misfit
from counterpoise.clickhouse.concentration_sql import fill_latest, newest_columns
from counterpoise.clickhouse.dataset_mark import open_dataset
from counterpoise.clickhouse.restore_record import require_whole
from counterpoise.clickhouse.rows.migration_rows import migration_columns, view_columns
from counterpoise.clickhouse.schema import View, read_tables, read_views
from counterpoise.clickhouse.sql_files import split_statements, sql_files
from counterpoise.contracts.datasets import Dataset
from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import Clock, SystemClock
from counterpoise.settings.endpoints import ClickHouseTarget

_FILE: Final = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

BASELINE_NAME: Final = "baseline"
"""The ledger's row 0: the tables were made from `sql/tables`, or from the ten files below that these replaced."""

SQUASHED: Final[dict[int, tuple[str, str]]] = {
    1: ("blocks", "4b7ecdbfe9fe5e20cfe8f17f0493be8e328a7b55feca2e7c3daac474825ad496"),
    2: ("attributions", "8b2319679bb9546689dcfea541b7e5a261bab537fccbe05ebac801619230adaa"),
    3: ("concentration", "f4f23aca8ace20155b5c986f3ca0dc74b49836c71626e6005603ee2d67c1dd86"),
    4: ("alerts", "b0aa3486428050a55ff07d341a1248fa262c0081fe01aeffc331f4e82c8f57a5"),
    5: ("operations", "9a542cad3622aad96149285ed30e58a9482d77b574434efb23d3c500b6aa3eeb"),
    6: ("views", "f40f0a5da227cd1bbe606fe85751a8e24d97cb9fef04538c6574151d29167c09"),
    7: ("market", "4a8ed1c3291be11a461044ae473720f5d6b319045ccb67efea7939205bc2c521"),
    8: ("market_views", "5eea4afc91ff11dd3ef28584dfdef4bc8ceb6de29fa630221d576915aeedaa9e"),
    9: ("latest_concentration", "3711dbe48651ac714204bda076bc7f9828d756082fc18e9be9da6a9427ccefd4"),
    10: ("asymmetry_changes", "222272e003dcadebc06c524f3da0f9f4cce9366ecbf0939da1392c7ae67b3fdc"),
}
"""Number → name and SHA-256 of the migrations that `sql/tables` replaced: what a dataset of before has in its ledger."""

_FOUNDATION: Final = ("migrations_log", "datasets_log")
"""What there is before anything else: the ledger, and the mark."""

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
    for place, migration in enumerate(found, max(SQUASHED) + 1):
        if migration.number != place:
            raise ConfigError(
                f"migration {migration.title} stands at place {place}: numbers run from {max(SQUASHED) + 1:04d} without gap or "
                "repetition"
            )
    return found


def migrate(
    target: ClickHouseTarget,
    dataset: Dataset,
    *,
    migrations: list[Migration] | None = None,
    views: list[View] | None = None,
    clock: Clock | None = None,
) -> list[str]:
    """Create the dataset's database if need be, mark it, bring it to this schema; the titles of what was done now.

    Raises ConfigError where an applied file was changed, the database is newer than this version or too old to be upgraded, or it is
    marked as another dataset, or half restored.
    """
    wanted = read_migrations() if migrations is None else migrations
    tables = {table.name: table.statement for table in read_tables()}
    now = (clock or SystemClock()).now
    with connect(target, "") as server:
        refuse_misfit(server, target.cluster, target.where)
        require_whole(server, dataset.name)
        _run(server, f"CREATE DATABASE IF NOT EXISTS `{dataset.name}` ENGINE = Atomic")
    with connect_consistent(target, dataset.name) as ch:
        for name in _FOUNDATION:
            _run(ch, tables[name])
        open_dataset(ch, dataset, clock=clock)
        applied = _applied(ch)
        _check(applied, wanted, dataset.name)
        done: list[str] = []
        for migration in wanted:
            if applied and migration.number not in applied:
                for statement in migration.statements:
                    _run(ch, statement)
                _note(ch, migration, now())
                done.append(migration.title)
        done += _make_tables(ch, tables)
        if not applied:
            for migration in wanted:  # the tables are what these lead to
                _note(ch, migration, now())
        if 0 not in applied:
            ch.insert("migrations_log", migration_columns(0, BASELINE_NAME, "", now()))
        _check(_applied(ch), wanted, dataset.name)
        new_columns = _add_metrics(ch)
        done += [f"column concentration_latest_log.{name}" for name in new_columns]
        done += _make_views(ch, read_views() if views is None else views, now)
        if applied and (0 not in applied or new_columns):
            _run(ch, fill_latest())
        return done


def pending(ch: ClickHouse, migrations: list[Migration] | None = None) -> list[str]:
    """Titles of what `migrate` would do; everything where the database has no ledger. Raises as `migrate` does."""
    wanted = read_migrations() if migrations is None else migrations
    tables, views = read_tables(), read_views()
    try:
        applied = _applied(ch)
    except ConfigError:
        return [f"table {table.name}" for table in tables] + [f"view {view.name}" for view in views]
    _check(applied, wanted, ch.database)
    missing = [migration.title for migration in wanted if applied and migration.number not in applied]
    there = _tables_there(ch)
    missing += [f"table {table.name}" for table in tables if table.name not in there]
    if "concentration_latest_log" in there:
        missing += [f"column concentration_latest_log.{name}" for name, _, _ in _metrics_missing(ch)]
    known = _views_there(ch) if "views_log" in there else {}
    return missing + [f"view {view.name}" for view in views if known.get(view.name) != view.sha256]


def _note(ch: ClickHouse, migration: Migration, at: float) -> None:
    ch.insert("migrations_log", migration_columns(migration.number, migration.name, migration.sha256, at))


def _make_tables(ch: ClickHouse, tables: dict[str, str]) -> list[str]:
    there = _tables_there(ch)
    missing = [name for name in tables if name not in there]
    for name in missing:
        _run(ch, tables[name])
    return [f"table {name}" for name in missing]


def _metrics_missing(ch: ClickHouse) -> list[tuple[str, str, str]]:
    rows = ch.query(
        "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'concentration_latest_log'"
    )
    there = {name for (name,) in rows}
    return [column for column in newest_columns() if column[0] not in there]


def _add_metrics(ch: ClickHouse) -> list[str]:
    """A metric is a file of its own and no migration: its column comes with it."""
    missing = _metrics_missing(ch)
    names = [name for name, _, _ in newest_columns()]
    for name, kind, comment in missing:
        after = names[names.index(name) - 1]
        _run(
            ch,
            f"ALTER TABLE concentration_latest_log ADD COLUMN IF NOT EXISTS {name} {kind} COMMENT '{comment}' AFTER {after}",
        )
    return [name for name, _, _ in missing]


def _make_views(ch: ClickHouse, views: list[View], now: Callable[[], float]) -> list[str]:
    """Create what differs, drop what no file states any more, and note both in one insert at the end: after a death, again."""
    known = _views_there(ch)
    changed = [view for view in views if known.get(view.name) != view.sha256]
    for view in changed:
        _run(ch, view.statement)
    dropped = sorted(name for name, sha256 in known.items() if sha256 and name not in {view.name for view in views})
    for name in dropped:
        _run(ch, f"DROP VIEW IF EXISTS {name}")
    if changed or dropped:
        rows = {view.name: view.sha256 for view in changed} | dict.fromkeys(dropped, "")
        [(highest,)] = ch.query("SELECT max(version) FROM views_log")
        ch.insert("views_log", view_columns(rows, now(), int(highest) + 1))
    return [*(f"view {view.name}" for view in changed), *(f"view {name} dropped" for name in dropped)]


def _tables_there(ch: ClickHouse) -> set[str]:
    return {name for (name,) in ch.query("SELECT name FROM system.tables WHERE database = currentDatabase()")}


def _views_there(ch: ClickHouse) -> dict[str, str]:
    """Name → hash of the views that were created, and are there."""
    there = _tables_there(ch)
    rows = ch.query("SELECT name, sha256 FROM views_log FINAL")
    return {name: sha256 for name, sha256 in rows if name in there}


def _applied(ch: ClickHouse) -> dict[int, tuple[str, str]]:
    rows = ch.query("SELECT DISTINCT number, name, sha256 FROM migrations_log ORDER BY number")
    applied: dict[int, tuple[str, str]] = {}
    for number, name, sha256 in rows:
        if number in applied:
            raise ConfigError(
                f"database {ch.database!r} has two different migrations of number {number:04d} ({applied[number][0]} and {name}). "
                "Two versions of Counterpoise migrated it at once. Keep one of them and start from a new database"
            )
        applied[number] = (name, sha256)
    return applied


def _check(applied: dict[int, tuple[str, str]], wanted: list[Migration], database: str) -> None:
    known = SQUASHED | {migration.number: (migration.name, migration.sha256) for migration in wanted}
    known[0] = (BASELINE_NAME, "")
    for number, (name, sha256) in applied.items():
        if number not in known:
            raise ConfigError(
                f"database {database!r} has migration {number:04d}_{name}, which this version does not know: a newer Counterpoise "
                "migrated it; install that version, or restore a backup of before (docs/runbook.md)"
            )
        if known[number][1] != sha256:
            raise ConfigError(
                f"migration {number:04d}_{known[number][0]} was changed after it was applied to database {database!r} (applied "
                f"{sha256[:12]}…, now {known[number][1][:12]}…): restore the file and add a new migration instead"
            )
    if applied and 0 not in applied and (missing := [number for number in SQUASHED if number not in applied]):
        raise ConfigError(
            f"database {database!r} lacks migration {missing[0]:04d}_{SQUASHED[missing[0]][0]}, which this version builds on: run "
            f"`counterpoise migrate` of the version that ends with {max(SQUASHED):04d}_{SQUASHED[max(SQUASHED)][0]}, then this one"
        )


def _run(ch: ClickHouse, statement: str) -> None:
    """Run one statement, on a cluster everywhere; once more where another process was at the same one."""
    statement = on_cluster(statement, cluster_name(ch.target.cluster))
    try:
        ch.execute(statement)
    except driver.ServerException as error:
        if error.code not in _COLLISIONS:
            raise
        ch.execute(statement)
