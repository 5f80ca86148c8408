"""The session's engines as the stream tests take them; each test has a dataset of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import ClickHouseServer, RunningKafka
from tests.integration.streams.line import Engines, Line, line_on
from tests.integration.streams.script import SEED, Part, script
from tests.integration.streams.undisturbed import run_undisturbed


@pytest.fixture(scope="session")
def engines(kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory) -> Engines:
    """Shared engines: leave them running."""
    return Engines(kafka, clickhouse, tmp_path_factory.mktemp("streams"))


@pytest.fixture
def own_engines(own_kafka: RunningKafka, own_clickhouse: ClickHouseServer, tmp_path: Path) -> Engines:
    """Engines that the test may kill and restart."""
    return Engines(own_kafka, own_clickhouse, tmp_path / "lines")


@pytest.fixture
def own_clickhouse_engines(kafka: RunningKafka, own_clickhouse: ClickHouseServer, tmp_path: Path) -> Engines:
    """The session's broker, and a ClickHouse that the test may kill, freeze and restart."""
    return Engines(kafka, own_clickhouse, tmp_path / "lines")


@pytest.fixture
def line(engines: Engines) -> Iterator[Line]:
    """A dataset on the shared engines."""
    with line_on(engines) as found:
        yield found


@pytest.fixture(scope="session")
def parts() -> list[Part]:
    print(f"seed {SEED}")
    return script(SEED)


@pytest.fixture(scope="session")
def undisturbed(engines: Engines, parts: list[Part]) -> Iterator[Line]:
    """The reference: the same messages, one worker, no kill."""
    with run_undisturbed(engines, parts) as line:
        yield line
