"""Migrating a running server: once, again, by many at once, after a death in the middle, and against files that changed.

A test that begins with a migrated database takes a copy of one (`migrated`); those of the migration itself migrate.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.dataset_mark import open_dataset
from counterpoise.clickhouse.epochs import claim_epoch
from counterpoise.clickhouse.migrations import migrate, pending, read_migrations
from counterpoise.clickhouse.schema import Definition, ordered_views, read_tables, read_views
from counterpoise.contracts.datasets import Dataset
from counterpoise.errors import ConfigError
from testkit.manual_clock import ManualClock
from tests.engines import ClickHouseServer
from tests.made_by_main import migrate_as_main_did
from tests.template import make_database


@pytest.fixture
def dataset(clickhouse: ClickHouseServer) -> Iterator[Dataset]:
    """A name that no database has yet."""
    found = Dataset(f"m_{secrets.token_hex(6)}", "simulated")
    yield found
    with connect(clickhouse.target, "") as server:
        server.execute("DROP DATABASE IF EXISTS {name:Identifier} SYNC", {"name": found.name})


@pytest.fixture
def migrated(clickhouse: ClickHouseServer, dataset: Dataset) -> Dataset:
    """`dataset`, as `migrate` leaves it."""
    make_database(clickhouse.target, dataset)
    return dataset


@pytest.fixture(scope="module")
def unchanged(clickhouse: ClickHouseServer) -> Iterator[Dataset]:
    """Such a dataset for the tests that leave its tables and views as they are."""
    found = Dataset(f"m_{secrets.token_hex(6)}", "simulated")
    make_database(clickhouse.target, found)
    before = schema(clickhouse, found)
    yield found
    assert schema(clickhouse, found) == before
    with connect(clickhouse.target, "") as server:
        server.execute("DROP DATABASE {name:Identifier} SYNC", {"name": found.name})


def schema(server: ClickHouseServer, dataset: Dataset) -> list[tuple[str, ...]]:
    with connect(server.target, dataset.name) as ch:
        rows = ch.query(
            "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY name"
        )
    return [(name, statement.replace(dataset.name, "x")) for name, statement in rows]


def test_migrating_twice_changes_nothing(clickhouse: ClickHouseServer, dataset: Dataset) -> None:
    tables, views = read_tables(), read_views()
    made = [f"table {table.name}" for table in tables if table.name not in {"migrations_log", "datasets_log"}]
    assert migrate(clickhouse.target, dataset) == [*made, *(f"view {view.name}" for view in views)]
    before = schema(clickhouse, dataset)
    assert migrate(clickhouse.target, dataset) == []
    assert schema(clickhouse, dataset) == before
    with connect(clickhouse.target, dataset.name) as ch:
        assert pending(ch) == []
        assert ch.query("SELECT engine FROM system.databases WHERE name = currentDatabase()") == [("Atomic",)]
        assert ch.query("SELECT name, kind FROM datasets") == [(dataset.name, "simulated")]


def test_every_statement_may_run_again(clickhouse: ClickHouseServer, unchanged: Dataset) -> None:
    before = schema(clickhouse, unchanged)
    with connect(clickhouse.target, unchanged.name) as ch:
        for statement in [t.statement for t in read_tables()] + [v.statement for v in read_views()]:
            ch.execute(statement)
        for migration in read_migrations():
            for statement in migration.statements:
                ch.execute(statement)
    assert schema(clickhouse, unchanged) == before


def test_many_may_migrate_at_once(clickhouse: ClickHouseServer, dataset: Dataset) -> None:
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def one() -> None:
        start.wait()
        try:
            migrate(clickhouse.target, dataset)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert migrate(clickhouse.target, dataset) == []
    with connect(clickhouse.target, dataset.name) as ch:
        assert ch.query("SELECT count(DISTINCT number) FROM migrations_log") == [(len(read_migrations()) + 1,)]


def test_a_death_in_the_middle_is_made_good(clickhouse: ClickHouseServer, dataset: Dataset) -> None:
    # A new database: some tables are there, nothing is noted.
    with connect(clickhouse.target, "") as server:
        server.execute(f"CREATE DATABASE {dataset.name} ENGINE = Atomic")
    with connect(clickhouse.target, dataset.name) as ch:
        for table in read_tables()[:7]:
            ch.execute(table.statement)
        assert migrate(clickhouse.target, dataset)
        assert pending(ch) == []
        # All is noted but the views.
        ch.execute("TRUNCATE TABLE views_log")
        assert migrate(clickhouse.target, dataset) == [f"view {view.name}" for view in read_views()]
        assert pending(ch) == []


def test_a_view_is_made_anew_where_its_text_differs_and_dropped_where_its_file_is_gone(
    clickhouse: ClickHouseServer, migrated: Dataset
) -> None:
    definitions = [Definition(view.name, view.statement) for view in read_views()]
    changed = ordered_views(
        [
            Definition(one.name, one.statement.replace("COMMENT 'Codes of", "COMMENT 'The codes of"))
            for one in definitions
            if one.name != "series_freshness"
        ]
    )
    expected = ["view pool_names", "view series_freshness dropped"]
    assert migrate(clickhouse.target, migrated, views=changed) == expected
    assert migrate(clickhouse.target, migrated, views=changed) == []
    with connect(clickhouse.target, migrated.name) as ch:
        assert pending(ch) == ["view pool_names", "view series_freshness"]
        assert migrate(clickhouse.target, migrated) == ["view pool_names", "view series_freshness"]
        assert pending(ch) == []


def test_a_dataset_of_before_becomes_what_a_new_one_is(clickhouse: ClickHouseServer, dataset: Dataset) -> None:
    migrate_as_main_did(clickhouse.target, dataset)
    with connect(clickhouse.target, dataset.name) as ch:
        todo = pending(ch)
        assert (
            todo[:3] == ["0011_formulas_in_each_view", "0012_comments", "0013_alert_identity"]
            and "table concentration_latest_log" in todo
        )
        assert migrate(clickhouse.target, dataset) == todo
        assert pending(ch) == [] and migrate(clickhouse.target, dataset) == []
    other = Dataset(f"{dataset.name}_new", "simulated")
    make_database(clickhouse.target, other)
    upgraded, new = schema(clickhouse, dataset), schema(clickhouse, other)
    with connect(clickhouse.target, "") as server:
        server.execute("DROP DATABASE {name:Identifier} SYNC", {"name": other.name})
    # How fine the index of a table is cannot be changed later; all else is the same.
    coarse = [
        (name, statement.replace("index_granularity = 1024", "index_granularity = 8192")) for name, statement in new
    ]
    assert [
        (name, text.replace("index_granularity = 1024", "index_granularity = 8192")) for name, text in upgraded
    ] == coarse


def test_a_dataset_from_before_that_is_refused_with_the_next_step(
    clickhouse: ClickHouseServer, dataset: Dataset
) -> None:
    migrate_as_main_did(clickhouse.target, dataset, up_to=8)
    expected = (
        rf"^database '{dataset.name}' lacks migration 0009_latest_concentration, which this version builds on: run `counterpoise "
        r"migrate` of the version that ends with 0010_asymmetry_changes, then this one$"
    )
    with pytest.raises(ConfigError, match=expected):
        migrate(clickhouse.target, dataset)
    with connect(clickhouse.target, dataset.name) as ch, pytest.raises(ConfigError, match=expected):
        pending(ch)


def test_a_new_metric_brings_its_column_and_its_newest_values(clickhouse: ClickHouseServer, migrated: Dataset) -> None:
    with connect(clickhouse.target, migrated.name) as ch:
        ch.execute("ALTER TABLE concentration_latest_log DROP COLUMN gini")
        assert pending(ch) == ["column concentration_latest_log.gini"]
        assert migrate(clickhouse.target, migrated) == ["column concentration_latest_log.gini"]
        assert pending(ch) == []


def test_a_migration_that_was_changed_is_refused(clickhouse: ClickHouseServer, unchanged: Dataset) -> None:
    whole = read_migrations()
    changed = [replace(whole[0], sha256="0" * 64), *whole[1:]]
    with pytest.raises(
        ConfigError, match=r"0011_\w+ was changed after it was applied to database .* add a new migration instead"
    ):
        migrate(clickhouse.target, unchanged, migrations=changed)


def test_a_newer_database_is_refused(clickhouse: ClickHouseServer, unchanged: Dataset) -> None:
    with pytest.raises(ConfigError, match="which this version does not know: a newer Counterpoise migrated it"):
        migrate(clickhouse.target, unchanged, migrations=read_migrations()[:-1])


def test_a_database_of_another_kind_is_refused(clickhouse: ClickHouseServer, unchanged: Dataset) -> None:
    live = Dataset(unchanged.name, "live")
    expected = (
        rf"database '{unchanged.name}' on 127.0.0.1:\d+ is marked as {unchanged.name} \(simulated\), and the settings "
        rf"name {unchanged.name} \(live\). Set COUNTERPOISE_DATASET to another name, or COUNTERPOISE_DATASET_KIND to its kind"
    )
    with pytest.raises(ConfigError, match=expected):
        migrate(clickhouse.target, live)
    with connect(clickhouse.target, unchanged.name) as ch:
        with pytest.raises(ConfigError, match=expected):
            open_dataset(ch, live)
        open_dataset(ch, unchanged, clock=ManualClock())


def test_what_is_not_migrated_is_all_pending(clickhouse: ClickHouseServer, dataset: Dataset) -> None:
    with connect(clickhouse.target, dataset.name) as ch:
        names = [f"table {table.name}" for table in read_tables()] + [f"view {view.name}" for view in read_views()]
        assert pending(ch) == names


def test_epochs_rise_and_no_two_claimants_share_one(clickhouse: ClickHouseServer, unchanged: Dataset) -> None:
    claimed: list[int] = []
    start = threading.Barrier(4)

    def claim() -> None:
        with connect(clickhouse.target, unchanged.name) as ch:
            start.wait()
            claimed.extend(claim_epoch(ch, "streams") for _ in range(5))

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 20
    with connect(clickhouse.target, unchanged.name) as ch:
        assert claim_epoch(ch, "streams") > max(claimed)
        assert claim_epoch(ch, "alerts") == 1


def test_a_claimant_that_meets_another_on_its_epoch_claims_again(
    clickhouse: ClickHouseServer, unchanged: Dataset
) -> None:
    with connect(clickhouse.target, unchanged.name) as ch, connect(clickhouse.target, unchanged.name) as rival:
        tokens = iter(["mine", "mine-again"])

        def token_after_a_rival() -> str:
            token = next(tokens)
            if token == "mine":  # between our look at the highest epoch and our insert
                rival.insert("epochs_log", {"role": ["r"], "epoch": [1], "token": ["rival"], "claimed_at": [0]})
            return token

        assert claim_epoch(ch, "r", clock=ManualClock(), new_token=token_after_a_rival) == 2
