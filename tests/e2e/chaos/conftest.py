"""What an undisturbed run of the same blocks leaves, computed once a session."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from testkit.slack_server import SlackServer
from tests.e2e.chaos.reference import SHORT, Undisturbed, undisturbed_run
from tests.engines import ClickHouseServer, RunningKafka


@pytest.fixture(scope="session")
def undisturbed(
    kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Undisturbed]:
    """SHORT, with nobody disturbing, beside the first test that asks for it. Its dataset stays for the session, so that a difference
    can be looked at.
    """
    directory = tmp_path_factory.mktemp("undisturbed")
    with ExitStack() as stack, ThreadPoolExecutor(1, "undisturbed") as beside:
        run = undisturbed_run(kafka, clickhouse, directory, SHORT)
        yield Undisturbed(beside.submit(stack.enter_context, run))


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer() as server:
        yield server
