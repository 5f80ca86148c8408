"""SASL and client certificates against Apache Kafka itself (`make test-kafka`): every client, and every wrong way in."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePattern, ResourceType

from counterpoise.contracts.topics import BLOCKS, TOPICS
from counterpoise.errors import ConfigError
from counterpoise.kafka.broker_memory import BrokerMemory
from counterpoise.kafka.clients import admin_client, make_consumer, make_producer, require_broker
from counterpoise.kafka.lag import group_id, read_lag, total_lag
from counterpoise.kafka.topic_setup import delete_topics, ensure_topics
from counterpoise.settings.endpoints import KafkaTarget, kafka_target
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.engine_sections import KafkaSettings
from testkit.apache_kafka import ApacheKafka, ApacheKafkaUnavailableError, fetch_jars, start_apache_kafka
from testkit.certificates import Authority
from testkit.kafka_listeners import SecuredListeners, unsecured_token
from tests.engines import kafka_engine
from tests.waiting import PATIENCE_SECONDS

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(kafka_engine() != "apache", reason="the embedded broker has no SASL"),
]

USER = "counterpoise"
SECRET = "S3cret-of-this-test"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@pytest.fixture(scope="module")
def listeners(authority: Authority) -> SecuredListeners:
    return SecuredListeners(authority, {USER: SECRET, "limited": SECRET, "other": SECRET})


@pytest.fixture(scope="module")
def node(listeners: SecuredListeners, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    try:
        fetch_jars()
    except ApacheKafkaUnavailableError as reason:
        pytest.skip(str(reason))
    made = start_apache_kafka(tmp_path_factory.mktemp("secured") / "node", secured=listeners)
    yield made
    made.stop()


def target(port: int, protocol: str, **kafka: Any) -> KafkaTarget:
    login = {"user": USER, "password": SECRET} if protocol.startswith("SASL") else {}
    address = {"bootstrap_servers": f"127.0.0.1:{port}", "security_protocol": protocol}
    return kafka_target(Settings.load(kafka=address | login | kafka))


def go_round(at: KafkaTarget, dataset: str, *, last: KafkaTarget | None = None) -> None:
    """Topics, producer, consumer in a group, lag, the broker's memory: each client of the product."""
    assert len(ensure_topics(at, dataset)) == len(TOPICS)
    topic, group = BLOCKS.full_name(dataset), group_id(dataset, "streams")
    memory = BrokerMemory(at, (topic,))
    assert not memory.is_lost()
    memory.close()
    producer = make_producer(at, "test")
    for number in range(20):
        producer.send(topic, str(number).encode(), key=b"bitcoin").get(PATIENCE_SECONDS)
    producer.close()
    assert total_lag(read_lag(at, dataset, ("streams",)), group) == 20
    consumer = make_consumer(at, (topic,), client_id="test", group_id=group, kafka=KafkaSettings())
    found: list[bytes] = []
    while len(found) < 20:
        found += [record.value for records in consumer.poll(timeout_ms=1_000).values() for record in records]
    consumer.commit()
    consumer.close()
    assert found == [str(number).encode() for number in range(20)]
    assert total_lag(read_lag(at, dataset, ("streams",)), group) == 0
    delete_topics(last or at, dataset)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_whole_round_over_sasl_ssl(node: ApacheKafka, listeners: SecuredListeners, mechanism: str) -> None:
    ca = listeners.authority.ca_file
    at = target(listeners.sasl_ssl_port, "SASL_SSL", ca_file=ca, sasl_mechanism=mechanism)
    go_round(at, f"sasl_{mechanism.replace('-', '_').lower()}")


def test_the_whole_round_with_a_client_certificate(node: ApacheKafka, listeners: SecuredListeners) -> None:
    certificate, key = listeners.authority.certificate("counterpoise", file="kafka-client")
    files = {"ca_file": listeners.authority.ca_file, "certificate_file": certificate, "key_file": key}
    go_round(target(listeners.mutual_port, "SSL", **files), "mutual")


def test_the_whole_round_over_sasl_plaintext(node: ApacheKafka, listeners: SecuredListeners) -> None:
    go_round(target(listeners.sasl_plaintext_port, "SASL_PLAINTEXT"), "sasl_open")


def token(user: str = USER, lifetime_seconds: float = 3_600) -> str:
    now = time.time()
    return unsecured_token({"sub": user, "iat": now - 60, "exp": now + lifetime_seconds})


def bearer(listeners: SecuredListeners, file: Path) -> KafkaTarget:
    ca = listeners.authority.ca_file
    login = {"user": None, "password": None, "sasl_mechanism": "OAUTHBEARER", "token_file": file}
    return target(listeners.sasl_ssl_port, "SASL_SSL", ca_file=ca, **login)


def test_the_whole_round_with_a_token(node: ApacheKafka, listeners: SecuredListeners, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(token())
    go_round(bearer(listeners, file), "sasl_token")
    ca = listeners.authority.ca_file
    with pytest.raises(ConfigError, match=r"does not allow this to the user of the token in '.*token'"):
        file.write_text(token("other"))
        with admin_client(bearer(listeners, file)) as admin:
            admin.list_group_offsets([group_id("sasl_token", "streams")])
    password = target(listeners.sasl_ssl_port, "SASL_SSL", ca_file=ca)
    require_broker(password)


def test_a_connected_client_logs_in_again_with_the_renewed_token(
    node: ApacheKafka, listeners: SecuredListeners, tmp_path: Path
) -> None:
    """The broker ends a session with its token. The first one is of no use any more when the node is back."""
    file = tmp_path / "token"
    file.write_text(token(lifetime_seconds=20))
    at = bearer(listeners, file)
    ensure_topics(at, "renewed")
    producer = make_producer(at, "test")
    topic = BLOCKS.full_name("renewed")
    producer.send(topic, b"1", key=b"bitcoin").get(PATIENCE_SECONDS)
    node.kill()
    file.write_text("not-a-token-of-this-broker")
    node.restart()
    with pytest.raises(ConfigError, match="it refuses the token in"):
        require_broker(at)
    pending = producer.send(topic, b"2", key=b"bitcoin")
    file.write_text(token())
    pending.get(PATIENCE_SECONDS)
    producer.close()
    delete_topics(at, "renewed")


@pytest.mark.parametrize(
    "written", ["opaque", unsecured_token({"sub": USER}), unsecured_token({"iat": 1, "exp": 2**40})]
)
def test_a_refused_token_is_a_mistake_in_the_settings(
    node: ApacheKafka, listeners: SecuredListeners, tmp_path: Path, written: str
) -> None:
    file = tmp_path / "token"
    file.write_text(written)
    with pytest.raises(ConfigError) as caught:
        make_producer(bearer(listeners, file), "test")
    where = f"Kafka at 127.0.0.1:{listeners.sasl_ssl_port}"
    assert str(caught.value) == (
        f"{where}: it refuses the token in {str(file)!r} (OAUTHBEARER): check COUNTERPOISE_KAFKA__TOKEN_FILE"
    )


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("wrong", [{"password": "Wr0ng-of-this-test"}, {"user": "nobody"}], ids=["password", "user"])
def test_a_wrong_login_is_a_mistake_in_the_settings(
    node: ApacheKafka, listeners: SecuredListeners, mechanism: str, wrong: dict[str, str]
) -> None:
    ca = listeners.authority.ca_file
    at = target(listeners.sasl_ssl_port, "SASL_SSL", ca_file=ca, sasl_mechanism=mechanism, **wrong)

    def consume() -> object:
        return make_consumer(at, (), client_id="test", group_id=None, kafka=KafkaSettings())

    for call in (lambda: require_broker(at), lambda: make_producer(at, "test"), consume, lambda: read_lag(at, "x")):
        with pytest.raises(ConfigError) as caught:
            call()
        said = str(caught.value)
        assert said == (
            f"Kafka at {at.bootstrap}: it refuses user {wrong.get('user', USER)!r} with this password ({mechanism}): check "
            "COUNTERPOISE_KAFKA__USER, COUNTERPOISE_KAFKA__PASSWORD_FILE and COUNTERPOISE_KAFKA__SASL_MECHANISM"
        )


def test_each_protocol_on_each_listener(node: ApacheKafka, listeners: SecuredListeners) -> None:
    """All sixteen pairs: the four that fit are let in, and every other is told which protocol the port has."""
    certificate, key = listeners.authority.certificate("counterpoise", file="kafka-client-2")
    tls = {"ca_file": listeners.authority.ca_file, "certificate_file": certificate, "key_file": key}
    ports = {
        "PLAINTEXT": node.port,
        "SSL": listeners.mutual_port,
        "SASL_PLAINTEXT": listeners.sasl_plaintext_port,
        "SASL_SSL": listeners.sasl_ssl_port,
    }
    for own, port in ports.items():
        for protocol in ports:
            at = target(port, protocol, **(tls if protocol.endswith("SSL") else {}))
            if protocol == own:
                require_broker(at)
                continue
            with pytest.raises(ConfigError) as caught:
                require_broker(at)
            assert f"127.0.0.1:{port}: this port is {own}" in str(caught.value), (own, protocol)
            assert f"set COUNTERPOISE_KAFKA__SECURITY_PROTOCOL to {own}, or" in str(caught.value)


def test_no_client_certificate(node: ApacheKafka, listeners: SecuredListeners) -> None:
    with pytest.raises(ConfigError, match="no client certificate is set"):
        require_broker(target(listeners.mutual_port, "SSL", ca_file=listeners.authority.ca_file))


def test_a_service_that_starts_without_a_login_learns_the_protocol(
    node: ApacheKafka, listeners: SecuredListeners, tmp_path: Path
) -> None:
    """No `doctor` looked first: the client's own timeout is explained."""
    at = target(listeners.sasl_plaintext_port, "PLAINTEXT")
    with pytest.raises(ConfigError, match="this port is SASL_PLAINTEXT"), admin_client(at):
        pass


def test_a_node_that_comes_back_takes_the_same_login(node: ApacheKafka, listeners: SecuredListeners) -> None:
    at = target(listeners.sasl_ssl_port, "SASL_SSL", ca_file=listeners.authority.ca_file)
    ensure_topics(at, "again")
    node.kill()
    node.restart()
    assert ensure_topics(at, "again") == ()
    delete_topics(at, "again")


def test_the_acls_of_the_docs_are_enough_and_needed(node: ApacheKafka, listeners: SecuredListeners) -> None:
    """docs/security.md: the operations that its commands grant, by prefix, to one user. Nobody else may do anything."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "security.md").read_text(encoding="utf-8")
    commands = re.findall(r"kafka-acls\.sh (.*?--resource-pattern-type prefixed)", page, re.DOTALL)
    wanted = []
    for command in commands:
        [(kind, name)] = re.findall(r"--(topic|group) (\S+)", command)
        assert name == "counterpoise." and "User:counterpoise" in command
        pattern = ResourcePattern(ResourceType[kind.upper()], "limits.", ACLResourcePatternType.PREFIXED)
        for operation in re.findall(r"--operation (\w+)", command):
            allowed = (ACLOperation[operation.upper()], ACLPermissionType.ALLOW)
            wanted.append(ACL("User:limited", "*", *allowed, pattern))
    assert len(wanted) == 6
    with admin_client(node.target) as admin:
        made = admin.create_acls(wanted)
        assert len(made["succeeded"]) == len(wanted) and not made["failed"]
    ca = listeners.authority.ca_file
    limited, other = (
        target(listeners.sasl_ssl_port, "SASL_SSL", ca_file=ca, user=user) for user in ("limited", "other")
    )
    with pytest.raises(ConfigError, match="Kafka does not allow this user to create topic limits"):
        ensure_topics(other, "limits")
    go_round(limited, "limits", last=node.target)
    with pytest.raises(ConfigError, match="Kafka does not allow this user to create topic elsewhere"):
        ensure_topics(limited, "elsewhere")
    said = r"does not allow this to user 'other' .*: grant the ACLs of docs/security\.md"
    with pytest.raises(ConfigError, match=said), admin_client(other) as admin:
        admin.list_group_offsets([group_id("limits", "streams")])
