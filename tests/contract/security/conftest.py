"""The embedded engines behind TLS: one broker and one ClickHouse for each file, with a front that requires nothing of clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.kafka import KafkaProcess, start_kafka
from testkit.certificates import Authority
from testkit.ports import reserved_port
from testkit.tls_front import TlsFront


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the clients trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaProcess]:
    """The embedded broker, which sends its clients to `front`."""
    folder = tmp_path_factory.mktemp("tls-broker")
    made = start_kafka(port=reserved_port(), log_file=folder / "kafka.log", advertised_port=reserved_port())
    yield made
    made.stop()


@pytest.fixture(scope="module")
def front(broker: KafkaProcess, authority: Authority) -> Iterator[TlsFront]:
    """TLS before the broker; it takes clients without a certificate."""
    with TlsFront(broker.port, authority.server_context(), port=broker.advertised_port) as made:
        yield made


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder for the files of one test."""
    return tmp_path
