"""Migrating a running server: once, again, by many at once, after a death in the middle, and against files that changed."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.datasets import open_dataset
from counterpoise.clickhouse.epochs import claim_epoch
from counterpoise.clickhouse.migrations import migrate, pending, read_migrations
from counterpoise.contracts.datasets import Dataset
from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import ManualClock
from tests.engines import ClickHouseServer


@pytest.fixture
def dataset(clickhouse: ClickHouseServer) -> Iterator[Dataset]:
    """A name that no database has yet."""
    found = Dataset(f"m_{secrets.token_hex(6)}", "simulated")
    yield found
    with connect(clickhouse.target, "") as server:
        server.execute("DROP DATABASE IF EXISTS {name:Identifier} SYNC", {"name": found.name})


def schema(server: ClickHouseServer, dataset: Dataset) -> list[tuple[str, ...]]:
    with connect(server.target, dataset.name) as ch:
        rows = ch.query(
            "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY name"
        )
    return [(name, statement.replace(dataset.name, "x")) for name, statement in rows]


def test_migrating_twice_changes_nothing(clickhouse: ClickHouseServer, dataset: Dataset) -> None:
    titles = [migration.title for migration in read_migrations()]
    assert migrate(clickhouse.target, dataset) == titles
    before = schema(clickhouse, dataset)
    assert migrate(clickhouse.target, dataset) == []
    assert schema(clickhouse, dataset) == before
    with connect(clickhouse.target, dataset.name) as ch:
        assert pending(ch) == []
        assert ch.query("SELECT engine FROM system.databases WHERE name = currentDatabase()") == [("Atomic",)]
        assert ch.query("SELECT name, kind FROM datasets") == [(dataset.name, "simulated")]


def test_every_statement_may_run_again(clickhouse: ClickHouseServer, dataset: Dataset) -> None:
    migrate(clickhouse.target, dataset)
    before = schema(clickhouse, dataset)
    with connect(clickhouse.target, dataset.name) as ch:
        for migration in read_migrations():
            for statement in migration.statements:
                ch.execute(statement)
    assert schema(clickhouse, dataset) == before


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
        assert ch.query("SELECT count(DISTINCT number) FROM migrations_log") == [(len(read_migrations()),)]


def test_a_death_in_the_middle_is_made_good(clickhouse: ClickHouseServer, dataset: Dataset) -> None:
    whole = read_migrations()
    # Two statements of the second migration ran, and nothing was noted of it.
    migrate(clickhouse.target, dataset, migrations=whole[:1])
    with connect(clickhouse.target, dataset.name) as ch:
        for statement in whole[1].statements[:2]:
            ch.execute(statement)
    assert migrate(clickhouse.target, dataset) == [migration.title for migration in whole[1:]]
    with connect(clickhouse.target, dataset.name) as ch:
        assert pending(ch) == []


def test_a_migration_that_was_changed_is_refused(clickhouse: ClickHouseServer, dataset: Dataset) -> None:
    migrate(clickhouse.target, dataset)
    whole = read_migrations()
    changed = [replace(whole[0], sha256="0" * 64), *whole[1:]]
    with pytest.raises(
        ConfigError, match=r"0001_blocks was changed after it was applied to database .* add a new migration instead"
    ):
        migrate(clickhouse.target, dataset, migrations=changed)


def test_a_newer_database_is_refused(clickhouse: ClickHouseServer, dataset: Dataset) -> None:
    migrate(clickhouse.target, dataset)
    with pytest.raises(ConfigError, match="which this version does not know: a newer Counterpoise migrated it"):
        migrate(clickhouse.target, dataset, migrations=read_migrations()[:-1])


def test_a_database_of_another_kind_is_refused(clickhouse: ClickHouseServer, dataset: Dataset) -> None:
    migrate(clickhouse.target, dataset)
    live = Dataset(dataset.name, "live")
    expected = (
        rf"database '{dataset.name}' on 127.0.0.1:\d+ is marked as {dataset.name} \(simulated\), but this process was told "
        rf"that it is {dataset.name} \(live\): set COUNTERPOISE_DATASET to another name, or COUNTERPOISE_DATASET_KIND to what it is"
    )
    with pytest.raises(ConfigError, match=expected):
        migrate(clickhouse.target, live)
    with connect(clickhouse.target, dataset.name) as ch:
        with pytest.raises(ConfigError, match=expected):
            open_dataset(ch, live)
        open_dataset(ch, dataset, clock=ManualClock())


def test_what_is_not_migrated_is_all_pending(clickhouse: ClickHouseServer, dataset: Dataset) -> None:
    with connect(clickhouse.target, dataset.name) as ch:
        assert pending(ch) == [migration.title for migration in read_migrations()]


def test_epochs_rise_and_no_two_claimants_share_one(clickhouse: ClickHouseServer, dataset: Dataset) -> None:
    migrate(clickhouse.target, dataset)
    claimed: list[int] = []
    start = threading.Barrier(4)

    def claim() -> None:
        with connect(clickhouse.target, dataset.name) as ch:
            start.wait()
            claimed.extend(claim_epoch(ch, "streams") for _ in range(5))

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 20
    with connect(clickhouse.target, dataset.name) as ch:
        assert claim_epoch(ch, "streams") > max(claimed)
        assert claim_epoch(ch, "alerts") == 1


def test_a_claimant_that_meets_another_on_its_epoch_claims_again(
    clickhouse: ClickHouseServer, dataset: Dataset
) -> None:
    migrate(clickhouse.target, dataset)
    with connect(clickhouse.target, dataset.name) as ch, connect(clickhouse.target, dataset.name) as rival:
        tokens = iter(["mine", "mine-again"])

        def token_after_a_rival() -> str:
            token = next(tokens)
            if token == "mine":  # between our look at the highest epoch and our insert
                rival.insert("epochs_log", {"role": ["r"], "epoch": [1], "token": ["rival"], "claimed_at": [0]})
            return token

        assert claim_epoch(ch, "r", clock=ManualClock(), new_token=token_after_a_rival) == 2
