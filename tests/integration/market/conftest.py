"""Servers and sources that are closed after the test."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from huggingface_hub import close_session

from counterpoise.testing.market_server import MarketServer
from ingest.sources.bounded_http import BoundedHttp


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """kafka-python leaves the socket of a refused connection to the garbage collector (kafka/net/inet.py, 3.0.12)."""
    for item in items:
        if "own_kafka" in getattr(item, "fixturenames", ()) and "integration/market" in item.nodeid:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))


@pytest.fixture(autouse=True)
def close_refused_sockets(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close them here, where they are expected, so that they do not fail somebody else's test."""
    yield
    if "own_kafka" in request.fixturenames:
        for found in gc.get_objects():
            if type(found) is socket.socket and found.fileno() != -1 and _was_refused(found):
                found.close()


def _was_refused(found: socket.socket) -> bool:
    """A TCP socket that is bound to nothing and connected to nothing, and does not listen."""
    if found.type != socket.SOCK_STREAM or found.family != socket.AF_INET or found.getsockname()[0] != "0.0.0.0":  # noqa: S104
        return False
    return not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


@pytest.fixture
def server() -> Iterator[MarketServer]:
    with MarketServer() as running:
        yield running


@pytest.fixture(autouse=True)
def closed_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connections of sources that a test made are closed, also where it failed."""
    with ExitStack() as stack:
        original = BoundedHttp.__init__

        def remembered(self: BoundedHttp, *args: Any, **more: Any) -> None:
            original(self, *args, **more)
            stack.callback(self.close)

        monkeypatch.setattr(BoundedHttp, "__init__", remembered)
        stack.callback(close_session)
        yield
