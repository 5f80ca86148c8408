"""What an undisturbed run of the same blocks leaves, computed once a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from counterpoise.testing.slack_server import SlackServer
from tests.e2e.chaos.reference import SHORT, Reference, undisturbed_run
from tests.engines import ClickHouseServer, RunningKafka


@pytest.fixture(scope="session")
def undisturbed(
    kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reference]:
    """SHORT, with nobody disturbing. Its dataset stays for the session, so that a difference can be looked at."""
    with undisturbed_run(kafka, clickhouse, tmp_path_factory.mktemp("undisturbed"), SHORT) as reference:
        yield reference


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer() as server:
        yield server
