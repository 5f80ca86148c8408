"""Databases with the sample in them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.contracts.datasets import Dataset
from tests.engines import ClickHouseServer
from tests.integration.sql.sample import insert_all
from tests.template import make_database, make_filled_database


@contextmanager
def new_database(server: ClickHouseServer) -> Iterator[ClickHouse]:
    name = f"v_{secrets.token_hex(6)}"
    make_database(server.target, Dataset(name, "simulated"))
    with _dropped_at_the_end(server, name) as ch:
        yield ch


@contextmanager
def new_sample(server: ClickHouseServer) -> Iterator[ClickHouse]:
    """A database with the sample."""
    name = f"v_{secrets.token_hex(6)}"
    make_filled_database(server.target, Dataset(name, "simulated"), "sample", lambda ch: insert_all(ch, 100))
    with _dropped_at_the_end(server, name) as ch:
        yield ch


@contextmanager
def _dropped_at_the_end(server: ClickHouseServer, name: str) -> Iterator[ClickHouse]:
    with connect(server.target, name) as ch:
        yield ch
        ch.execute("DROP DATABASE {name:Identifier} SYNC", {"name": name})


@pytest.fixture
def empty(clickhouse: ClickHouseServer) -> Iterator[ClickHouse]:
    """A database with tables and nothing in them."""
    with new_database(clickhouse) as ch:
        yield ch


@pytest.fixture(scope="session")
def sample(clickhouse: ClickHouseServer) -> Iterator[ClickHouse]:
    """The sample, for tests that only read."""
    with new_sample(clickhouse) as ch:
        yield ch


@pytest.fixture
def own_sample(clickhouse: ClickHouseServer) -> Iterator[ClickHouse]:
    """The sample, for a test that writes."""
    with new_sample(clickhouse) as ch:
        yield ch
