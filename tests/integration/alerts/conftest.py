"""A dataset of each kind with its tables and topics."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator

import pytest

from counterpoise.kafka.topics import ensure_topics
from counterpoise.settings.model import Settings
from tests.engines import ClickHouseServer, RunningKafka
from tests.template import make_database


@pytest.fixture
def replayed(settings: Settings, kafka: RunningKafka, clickhouse: ClickHouseServer) -> Settings:
    """`migrated`, for a historical dataset: everything that happens is told."""
    historical = settings.model_copy(update={"dataset_kind": "historical"})
    make_database(clickhouse.target, historical.dataset_of)
    ensure_topics(kafka.bootstrap, historical.dataset)
    return historical


@pytest.fixture(autouse=True)
def _refused_sockets(request: pytest.FixtureRequest) -> Iterator[None]:
    """kafka-python leaves sockets of refused connections to the collector, who would fail somebody else's test: close them here."""
    yield
    if "own_kafka" in request.fixturenames:
        for found in gc.get_objects():
            if type(found) is socket.socket and found.fileno() != -1 and _was_refused(found):
                found.close()


def _was_refused(found: socket.socket) -> bool:
    """A TCP socket with no address of its own that does not listen."""
    if (found.family, found.type) != (socket.AF_INET, socket.SOCK_STREAM) or found.getsockname()[0] != "0.0.0.0":  # noqa: S104
        return False
    return not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
