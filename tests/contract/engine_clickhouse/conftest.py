"""The real server as a process, and unmodified clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client

from engines.clickhouse import ClickHouseProcess, start_clickhouse

VERIFIES = [
    ("ClickHouse engine", "lock:chdb-core", "real", "native protocol and HTTP, every reader statement"),
]

PASSWORD = "correct horse"
READER_PASSWORD = "battery staple"

Connect = Callable[..., Client]


@dataclass
class Server:
    """A server with its files in `directory`; `restart` starts another on the same data."""

    directory: Path
    process: ClickHouseProcess

    @property
    def port(self) -> int:
        return self.process.port

    @property
    def http_port(self) -> int:
        return self.process.http_port

    @property
    def log(self) -> str:
        return (self.directory / "clickhouse.log").read_text()

    def client(self, **options: Any) -> Client:
        return Client("127.0.0.1", self.port, **{"password": PASSWORD, **options})

    def restart(self) -> None:
        self.process = start(self.directory)


def secret_file(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def start(directory: Path) -> ClickHouseProcess:
    return start_clickhouse(
        directory / "data",
        password_file=secret_file(directory, "password", PASSWORD),
        reader_password_file=secret_file(directory, "reader-password", READER_PASSWORD),
        log_file=directory / "clickhouse.log",
        desk_file=directory / "desk-address",
    )


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the suite; tests use tables of their own."""
    directory = tmp_path_factory.mktemp("embedded-clickhouse")
    running = Server(directory, start(directory))
    yield running
    running.process.stop()
    assert running.process.returncode() == 0, running.log
    assert "Traceback" not in running.log


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server for this test alone, which may kill and restart it."""
    running = Server(tmp_path, start(tmp_path))
    yield running
    running.process.stop()


@pytest.fixture
def connect(server: Server) -> Iterator[Connect]:
    """Clients of the shared server, disconnected afterwards."""
    opened: list[Client] = []

    def open_client(**options: Any) -> Client:
        opened.append(server.client(**options))
        return opened[-1]

    yield open_client
    for client in opened:
        client.disconnect()


@pytest.fixture
def client(connect: Connect) -> Client:
    return connect()


@pytest.fixture
def database(server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database for one test."""
    name = "".join(letter if letter.isalnum() else "_" for letter in request.node.name)[:60]
    admin = server.client()
    admin.execute(f"CREATE DATABASE `{name}`")
    yield name
    admin.execute(f"DROP DATABASE IF EXISTS `{name}` SYNC")
    admin.disconnect()
