"""The stream service on Apache Kafka with SASL_SSL and with client certificates (`make test-kafka`): a kill and a rebalance."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from counterpoise.settings.endpoints import KafkaTarget
from counterpoise.settings.security import KAFKA_PREFIX, KafkaSecurity, Tls
from testkit.apache_kafka import ApacheKafka, ApacheKafkaUnavailableError, fetch_jars, start_apache_kafka
from testkit.certificates import Authority
from testkit.kafka_listeners import SecuredListeners, unsecured_token
from tests.engines import ClickHouseServer, kafka_engine
from tests.integration.security.leaks import assert_hidden
from tests.integration.streams.blocks import branch
from tests.integration.streams.line import Engines, line_on

VERIFIES = [
    (
        "Apache Kafka with TLS, SCRAM, mTLS, OAUTHBEARER",
        "4.4.0",
        "real",
        "a short line of services (`make test-kafka`)",
    ),
]

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(kafka_engine() != "apache", reason="the embedded broker has no SASL"),
]

BLOCKS = 600
USER, SECRET = "counterpoise", "S3cret-of-the-line"


@dataclass
class SecuredNode:
    """One listener of a node, as its clients see it."""

    node: ApacheKafka
    target: KafkaTarget
    environment: dict[str, str]

    @property
    def bootstrap(self) -> str:
        return self.target.bootstrap

    @property
    def port(self) -> int:
        return int(self.bootstrap.rpartition(":")[2])

    @property
    def pid(self) -> int:
        return self.node.pid

    def is_alive(self) -> bool:
        return self.node.is_alive()

    def kill(self) -> None:
        self.node.kill()

    def restart(self) -> None:
        self.node.restart()

    def stop(self) -> None:
        self.node.stop()


@dataclass(frozen=True)
class NodeEngines(Engines):
    """Processes get the settings of the listener too."""

    @property
    def environment(self) -> dict[str, str]:
        assert isinstance(self.kafka, SecuredNode)
        return super().environment | self.kafka.environment


@pytest.fixture(scope="module")
def node(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ApacheKafka, SecuredListeners]]:
    try:
        fetch_jars()
    except ApacheKafkaUnavailableError as reason:
        pytest.skip(str(reason))
    listeners = SecuredListeners(authority, {USER: SECRET})
    made = start_apache_kafka(tmp_path_factory.mktemp("secured-line") / "node", secured=listeners)
    yield made, listeners
    made.stop()


def engines_on(
    kind: str, node: tuple[ApacheKafka, SecuredListeners], clickhouse: ClickHouseServer, folder: Path
) -> NodeEngines:
    apache, listeners = node
    ca = listeners.authority.ca_file
    if kind == "client certificate":
        certificate, key = listeners.authority.certificate("counterpoise", file="line-client")
        security = KafkaSecurity("SSL", tls=Tls(KAFKA_PREFIX, ca, certificate, key))
        port, named = listeners.mutual_port, {"CERTIFICATE_FILE": str(certificate), "KEY_FILE": str(key)}
    elif kind == "OAUTHBEARER":
        file = folder / "token"
        file.write_text(token())
        security = KafkaSecurity("SASL_SSL", kind, tls=Tls(KAFKA_PREFIX, ca), token_file=file)
        port, named = listeners.sasl_ssl_port, {"TOKEN_FILE": str(file), "SASL_MECHANISM": kind}
    else:
        password = folder / "password"
        password.write_text(SECRET + "\n")
        security = KafkaSecurity("SASL_SSL", kind, USER, SecretStr(SECRET), Tls(KAFKA_PREFIX, ca))
        port = listeners.sasl_ssl_port
        named = {"USER": USER, "PASSWORD_FILE": str(password), "SASL_MECHANISM": kind}
    named |= {"SECURITY_PROTOCOL": security.protocol, "CA_FILE": str(ca)}
    environment = {f"{KAFKA_PREFIX}{name}": value for name, value in named.items()}
    return NodeEngines(
        SecuredNode(apache, KafkaTarget(f"127.0.0.1:{port}", security), environment), clickhouse, folder / "lines"
    )


def token(lifetime_seconds: float = 3_600) -> str:
    now = time.time()
    return unsecured_token({"sub": USER, "iat": now - 60, "exp": now + lifetime_seconds})


@pytest.mark.parametrize("kind", ["SCRAM-SHA-512", "PLAIN", "client certificate", "OAUTHBEARER"])
def test_every_block_arrives_through_a_kill_and_a_rebalance(
    kind: str, node: tuple[ApacheKafka, SecuredListeners], clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    blocks = branch(BLOCKS)
    debug = {"COUNTERPOISE_LOG_LEVEL": "debug"}
    with line_on(engines_on(kind, node, clickhouse, tmp_path), "secured") as line:
        first = line.start(name="first", settings=debug)
        second = line.start(name="second", settings=debug)
        line.send(blocks[:300], events_per_message=10)
        line.wait_for("SELECT count() > 50 FROM blocks", 1)
        first.kill()
        line.send(blocks[300:], events_per_message=10)
        line.drain()
        assert line.ch.query("SELECT count(), uniqExact(hash) FROM blocks") == [(BLOCKS, BLOCKS)]
        assert second.stop() == 0, second.tail()
        for worker in (first, second):
            assert_hidden(worker.log(), SECRET)
            if kind == "OAUTHBEARER":
                assert_hidden(worker.log(), (tmp_path / "token").read_text())


def test_a_token_is_renewed_while_the_service_runs_and_its_loss_ends_it_in_one_line(
    node: tuple[ApacheKafka, SecuredListeners], clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    apache, _ = node
    engines = engines_on("OAUTHBEARER", node, clickhouse, tmp_path)
    file = tmp_path / "token"
    first = token(lifetime_seconds=7_200)
    file.write_text(first)
    blocks = branch(60)
    with line_on(engines, "renewed") as line:
        worker = line.start()
        line.send(blocks[:30])
        line.wait_for("SELECT count() FROM blocks", 30)
        file.write_text(token())
        line.forget_producer()  # kafka-python leaves the TLS socket open that a broker dies on
        apache.kill()
        apache.restart()
        line.send(blocks[30:])
        line.wait_for("SELECT count() FROM blocks", 60)
        held = file.read_text()
        line.forget_producer()
        file.write_text(token(lifetime_seconds=-1))
        apache.kill()
        apache.restart()
        assert worker.wait() == 2, worker.tail()
        said = [text for text in worker.log().splitlines() if "whose token has expired at" in text]
        assert any("stopped" in text and f"COUNTERPOISE_KAFKA__TOKEN_FILE names {str(file)!r}" in text for text in said)
        assert "Traceback" not in worker.log()
        assert_hidden(worker.log(), first, held)
        file.write_text(held)  # the test's own clients end with it


def test_a_wrong_password_ends_the_service_in_one_line(
    node: tuple[ApacheKafka, SecuredListeners], clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    with line_on(engines_on("SCRAM-SHA-512", node, clickhouse, tmp_path), "secured") as line:
        file = tmp_path / "wrong"
        file.write_text("Wr0ng-of-the-line")
        wrong = {f"{KAFKA_PREFIX}PASSWORD_FILE": str(file), "COUNTERPOISE_LOG_LEVEL": "debug"}
        worker = line.start(name="wrong", settings=wrong)
        assert worker.wait() == 2, worker.tail()
        said = [
            text for text in worker.log().splitlines() if "it refuses user 'counterpoise' with this password" in text
        ]
        assert len(said) == 1 and "check COUNTERPOISE_KAFKA__USER, COUNTERPOISE_KAFKA__PASSWORD_FILE" in said[0]
        assert "Traceback" not in worker.log()
        assert_hidden(worker.log(), "Wr0ng-of-the-line")
