"""Kafka clients over real TLS: they work where they should, and say in one line why where they do not."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition

from counterpoise.contracts.topics import BLOCKS, TOPICS
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.kafka.broker_memory import BrokerMemory
from counterpoise.kafka.clients import admin_client, make_consumer, make_producer, require_broker
from counterpoise.kafka.lag import group_id, read_lag, total_lag
from counterpoise.kafka.topic_setup import delete_topics, ensure_topics
from counterpoise.settings.endpoints import KafkaTarget, kafka_target
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.engine_sections import KafkaSettings
from engines.kafka import KafkaProcess
from testkit.certificates import Authority
from testkit.ports import reserved_port
from testkit.tls_front import TlsFront
from tests.waiting import PATIENCE_SECONDS


def target_at(port: int, *, host: str = "127.0.0.1", **kafka: Any) -> KafkaTarget:
    settings = {"security_protocol": "SSL", "bootstrap_servers": f"{host}:{port}"} | kafka
    return kafka_target(Settings.load(kafka=settings))


def of_old(context: ssl.SSLContext) -> ssl.SSLContext:
    """A server that offers nothing newer than TLS 1.1."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def test_the_whole_round_over_tls(front: TlsFront, authority: Authority) -> None:
    """Topics, producer, consumer in a group, lag and the check of the broker's memory: each client of the product."""
    target, dataset = target_at(front.port, ca_file=authority.ca_file), "tls"
    assert len(ensure_topics(target, dataset)) == len(TOPICS)
    require_broker(target)
    topic, group = BLOCKS.full_name(dataset), group_id(dataset, "streams")
    memory = BrokerMemory(target, (topic,))
    assert not memory.is_lost()
    producer = make_producer(target, "test")
    sent = [producer.send(topic, str(number).encode(), key=b"bitcoin").get(PATIENCE_SECONDS) for number in range(20)]
    producer.close()
    memory.acknowledged(sent[-1].topic, sent[-1].partition, sent[-1].offset)
    assert not memory.is_lost()
    memory.close()
    assert total_lag(read_lag(target, dataset, ("streams",)), group) == 20
    consumer = make_consumer(target, (), client_id="test", group_id=group, kafka=KafkaSettings())
    consumer.assign([TopicPartition(topic, sent[-1].partition)])
    found: list[bytes] = []
    while len(found) < 20:
        found += [record.value for records in consumer.poll(timeout_ms=1_000).values() for record in records]
    consumer.commit()
    consumer.close()
    assert found == [str(number).encode() for number in range(20)]
    assert total_lag(read_lag(target, dataset, ("streams",)), group) == 0
    delete_topics(target, dataset)


def test_a_broker_that_requires_a_client_certificate(
    broker: KafkaProcess, authority: Authority, front: TlsFront
) -> None:
    certificate, key = authority.certificate("counterpoise", file="client")
    with TlsFront(broker.port, authority.server_context(file="mutual", clients=authority)) as mutual:
        named: dict[str, Any] = {"ca_file": authority.ca_file, "certificate_file": certificate, "key_file": key}
        require_broker(target_at(mutual.port, **named))
        assert mutual.handshakes == 1
        both = certificate.with_name("both.pem")
        both.write_bytes(certificate.read_bytes() + key.read_bytes())
        require_broker(target_at(mutual.port, ca_file=authority.ca_file, certificate_file=both))
    assert front.port != mutual.port


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda own, other: own.server_context(expired=True, file="expired"),
            "Kafka at 127.0.0.1:{port}: its certificate has expired: renew it on the server, or set this machine's clock",
        ),
        (
            lambda own, other: own.server_context(future=True, file="future"),
            "Kafka at 127.0.0.1:{port}: its certificate is not valid yet: set this machine's clock, or the server's certificate",
        ),
        (
            lambda own, other: own.context_of(*own.rsa_certificate(file="client-only", for_servers=False)),
            "Kafka at 127.0.0.1:{port}: its certificate is not for servers: have one made with the extended key usage serverAuth",
        ),
        (
            lambda own, other: own.context_of(*own.rsa_certificate(file="weak", bits=1024)),
            "Kafka at 127.0.0.1:{port}: its certificate has a key or a signature that is too weak (EE certificate key too weak): "
            "have a stronger one made",
        ),
        (
            lambda own, other: of_old(own.server_context(file="old")),
            "Kafka at 127.0.0.1:{port}: it offers no version or cipher in common (protocol version): have it offer TLS 1.2 or "
            "newer",
        ),
        (
            lambda own, other: other.server_context(),
            "Kafka at 127.0.0.1:{port}: its certificate is not signed by COUNTERPOISE_KAFKA__CA_FILE '{ca}': set "
            "COUNTERPOISE_KAFKA__CA_FILE to the CA that signed it, or have it send the certificates between the two",
        ),
        (
            lambda own, other: own.server_context("kafka.internal", file="named"),
            "Kafka at 127.0.0.1:{port}: its certificate is not for '127.0.0.1': connect to a name that it has, or have "
            "'127.0.0.1' added to it",
        ),
        (
            lambda own, other: own.server_context(file="strict", clients=other),
            "Kafka at 127.0.0.1:{port}: no client certificate is set (certificate required): set "
            "COUNTERPOISE_KAFKA__CERTIFICATE_FILE and COUNTERPOISE_KAFKA__KEY_FILE to a valid one that it trusts",
        ),
    ],
    ids=[
        "expired",
        "not yet valid",
        "other purpose",
        "weak",
        "old",
        "untrusted",
        "other host",
        "no client certificate",
    ],
)
def test_what_is_wrong_with_a_certificate(
    broker: KafkaProcess,
    authority: Authority,
    stranger: Authority,
    make: Callable[[Authority, Authority], ssl.SSLContext],
    said: str,
) -> None:
    with TlsFront(broker.port, make(authority, stranger)) as front:
        target = target_at(front.port, ca_file=authority.ca_file)
        for call in (require_broker, lambda kafka: make_producer(kafka, "test")):
            with pytest.raises(ConfigError) as caught:
                call(target)
            assert str(caught.value) == said.format(port=front.port, ca=authority.ca_file)


@pytest.mark.parametrize("kind", ["unknown", "expired"])
def test_a_client_certificate_that_the_broker_refuses(
    broker: KafkaProcess, authority: Authority, stranger: Authority, kind: str
) -> None:
    issuer = stranger if kind == "unknown" else authority
    certificate, key = issuer.certificate("counterpoise", file=f"client-{kind}", expired=kind == "expired")
    with TlsFront(broker.port, authority.server_context(file="strict2", clients=authority)) as front:
        target = target_at(front.port, ca_file=authority.ca_file, certificate_file=certificate, key_file=key)
        with pytest.raises(ConfigError) as caught:
            require_broker(target)
    reason = "unknown ca" if kind == "unknown" else "certificate expired"
    assert str(caught.value) == (
        f"Kafka at 127.0.0.1:{front.port}: it refuses {certificate} ({reason}): set COUNTERPOISE_KAFKA__CERTIFICATE_FILE and "
        "COUNTERPOISE_KAFKA__KEY_FILE to a valid one that it trusts"
    )


def test_a_hostname_is_compared_unless_a_setting_says_otherwise(broker: KafkaProcess, authority: Authority) -> None:
    with TlsFront(broker.port, authority.server_context("kafka.internal", file="named2")) as front:
        require_broker(target_at(front.port, ca_file=authority.ca_file, verify_hostname=False))
    with TlsFront(broker.port, authority.server_context("localhost", file="named3")) as front:
        require_broker(target_at(front.port, host="localhost", ca_file=authority.ca_file))


def test_plaintext_to_a_port_with_tls(front: TlsFront) -> None:
    with pytest.raises(ConfigError) as caught:
        require_broker(target_at(front.port, security_protocol="PLAINTEXT"))
    assert str(caught.value) == (
        f"Kafka at 127.0.0.1:{front.port}: this port is SSL, and COUNTERPOISE_KAFKA__SECURITY_PROTOCOL is PLAINTEXT: set "
        "COUNTERPOISE_KAFKA__SECURITY_PROTOCOL to SSL, or connect to another port"
    )


def test_plaintext_to_a_port_that_requires_a_client_certificate(broker: KafkaProcess, authority: Authority) -> None:
    with (
        TlsFront(broker.port, authority.server_context(file="mutual2", clients=authority)) as front,
        pytest.raises(ConfigError, match="this port is SSL, and COUNTERPOISE_KAFKA__SECURITY_PROTOCOL is PLAINTEXT"),
    ):
        require_broker(target_at(front.port, security_protocol="PLAINTEXT"))


def test_tls_to_a_port_without(broker: KafkaProcess, authority: Authority) -> None:
    with pytest.raises(ConfigError) as caught:
        require_broker(target_at(broker.port, ca_file=authority.ca_file))
    assert str(caught.value) == (
        f"Kafka at 127.0.0.1:{broker.port}: this port is PLAINTEXT, and COUNTERPOISE_KAFKA__SECURITY_PROTOCOL is SSL: set "
        "COUNTERPOISE_KAFKA__SECURITY_PROTOCOL to PLAINTEXT, or connect to another port"
    )


def test_a_port_where_nothing_listens_is_waited_for(authority: Authority) -> None:
    with pytest.raises(RetryableError, match="does not answer"):
        require_broker(target_at(reserved_port(), ca_file=authority.ca_file))


def test_a_tls_front_without_a_broker_behind_it_is_waited_for(authority: Authority) -> None:
    """As behind a load balancer while the broker starts: that is no mistake in the settings."""
    with TlsFront(reserved_port(), authority.server_context(file="alone")) as front:
        with pytest.raises(RetryableError, match="does not answer"):
            require_broker(target_at(front.port, ca_file=authority.ca_file))
        with pytest.raises(RetryableError, match="does not answer"):
            require_broker(target_at(front.port, security_protocol="PLAINTEXT"))


def test_one_good_broker_is_enough(front: TlsFront, broker: KafkaProcess, authority: Authority) -> None:
    target = target_at(
        0, bootstrap_servers=f"127.0.0.1:{broker.port},127.0.0.1:{front.port}", ca_file=authority.ca_file
    )
    require_broker(target)


def test_a_renewed_ca_is_used_without_a_restart(
    broker: KafkaProcess, authority: Authority, stranger: Authority, files: Path
) -> None:
    """Files are read at each new client: a target outlives them."""
    ca = files / "ca.pem"
    ca.write_bytes(authority.ca_file.read_bytes())
    with TlsFront(broker.port, stranger.server_context(file="renewed")) as front:
        target = target_at(front.port, ca_file=ca)
        with pytest.raises(ConfigError, match="is not signed by"):
            require_broker(target)
        ca.write_bytes(stranger.ca_file.read_bytes())
        require_broker(target)


def test_an_admin_client_closes_what_it_opened(front: TlsFront, authority: Authority) -> None:
    with admin_client(target_at(front.port, ca_file=authority.ca_file)) as admin:
        assert admin.describe_cluster()["brokers"]
