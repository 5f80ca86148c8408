"""The API over the sample dataset on the embedded engine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from counterpoise.clickhouse.client import ClickHouse, connect
from desk.web.api.api_app import build_api
from desk.web.api.reader import Reader
from tests.engines import ClickHouseServer
from tests.integration.sql.conftest import new_sample


@pytest.fixture(scope="module")
def written(clickhouse: ClickHouseServer) -> Iterator[ClickHouse]:
    """The sample, as its writer sees it."""
    with new_sample(clickhouse) as ch:
        yield ch


@pytest.fixture(scope="module")
def reader(clickhouse: ClickHouseServer, written: ClickHouse) -> Iterator[Reader]:
    """The API's reader, as the read-only user."""
    found = Reader(lambda: connect(clickhouse.reader_target, written.database))
    yield found
    found.close()


@pytest.fixture(scope="module")
def app(reader: Reader, written: ClickHouse) -> FastAPI:
    return build_api(reader, dataset=written.database, dataset_kind="simulated")


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application on a free port of loopback; its address."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=5))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=60)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def address(app: FastAPI) -> Iterator[str]:
    with served(app) as url:
        yield url


@pytest.fixture(scope="module")
def api(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client
