"""The fixtures of tests/contract/security, for whole services."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from counterpoise.settings.endpoints import KafkaTarget
from counterpoise.settings.security import KAFKA_PREFIX, KafkaSecurity, Tls
from engines.kafka import KafkaProcess
from testkit.certificates import Authority
from testkit.ports import reserved_port
from testkit.tls_front import TlsFront
from tests.contract.security.conftest import authority, broker, stranger
from tests.engines import ClickHouseServer
from tests.integration.streams.line import Engines

__all__ = ["authority", "broker", "secured", "stranger"]


@dataclass
class SecuredKafka:
    """The embedded broker as its clients see it: behind TLS that requires a certificate."""

    process: KafkaProcess
    front: TlsFront
    target: KafkaTarget

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.front.port}"

    @property
    def port(self) -> int:
        return self.front.port

    @property
    def pid(self) -> int:
        return self.process.pid

    def is_alive(self) -> bool:
        return self.process.is_alive()

    def kill(self) -> None:
        self.process.kill()

    def restart(self) -> None:
        self.process.restart()

    def stop(self) -> None:
        self.process.stop()


@dataclass(frozen=True)
class SecuredEngines(Engines):
    """Processes reach both engines over TLS with a client certificate; the test's own ClickHouse client goes straight in."""

    clickhouse_front: TlsFront
    files: dict[str, Path]

    @property
    def environment(self) -> dict[str, str]:
        named = {
            f"COUNTERPOISE_{engine}__{name.upper()}": str(file)
            for engine in ("KAFKA", "CLICKHOUSE")
            for name, file in self.files.items()
        }
        return (
            super().environment
            | named
            | {
                "COUNTERPOISE_KAFKA__SECURITY_PROTOCOL": "SSL",
                "COUNTERPOISE_CLICKHOUSE__SECURE": "true",
                "COUNTERPOISE_CLICKHOUSE__PORT": str(self.clickhouse_front.port),
            }
        )


@pytest.fixture(scope="module")
def secured(
    broker: KafkaProcess,
    clickhouse: ClickHouseServer,
    authority: Authority,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SecuredEngines]:
    """Both engines behind TLS that requires a client certificate."""
    certificate, key = authority.certificate("counterpoise", file="service")
    files = {"ca_file": authority.ca_file, "certificate_file": certificate, "key_file": key}
    security = KafkaSecurity("SSL", tls=Tls(KAFKA_PREFIX, authority.ca_file, certificate, key))
    context = authority.server_context(file="engines", clients=authority)
    with (
        TlsFront(broker.port, context, port=broker.advertised_port) as kafka_front,
        TlsFront(clickhouse.port, context, port=reserved_port()) as clickhouse_front,
    ):
        kafka = SecuredKafka(broker, kafka_front, KafkaTarget(f"127.0.0.1:{kafka_front.port}", security))
        yield SecuredEngines(kafka, clickhouse, tmp_path_factory.mktemp("secured"), clickhouse_front, files)
