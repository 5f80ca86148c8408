"""Every kafka-python client of the product, with the settings that nothing here may vary: idempotent, acknowledged by all, offsets
committed by hand, and with the security of the target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import (
    AuthorizationError,
    KafkaConfigurationError,
    KafkaError,
    SaslAuthenticationFailedError,
)

from counterpoise.contracts.topics import TOPICS
from counterpoise.errors import ConfigError, CounterpoiseError, RetryableError
from counterpoise.kafka.client_arguments import client_arguments
from counterpoise.kafka.listener import find_listener, mismatch
from counterpoise.kafka.login import login_fault, refusal
from counterpoise.kafka.partition import KeyPartitioner
from counterpoise.runtime.tls import client_context, handshake_fault
from counterpoise.settings.endpoints import KafkaTarget
from counterpoise.settings.sections.engine_sections import KafkaSettings
from counterpoise.settings.security import KAFKA_PREFIX
from counterpoise.urls import split_address

MAX_MESSAGE_BYTES: Final = max(topic.max_message_bytes for topic in TOPICS)
_BOOTSTRAP_TIMEOUT_MS = 10_000
_REQUEST_TIMEOUT_MS = 15_000


def security_arguments(target: KafkaTarget) -> dict[str, Any]:
    """`client_arguments` with the target's files read now. ConfigError for a file that cannot be used.

    A token is read here to be checked only: each login reads it again.
    """
    tls = target.security.tls
    arguments = client_arguments(target.security, None if tls is None else client_context(tls))
    if "sasl_oauth_token_provider" in arguments:
        arguments["sasl_oauth_token_provider"].token()
    return arguments


def require_broker(target: KafkaTarget) -> None:
    """Return where a broker lets a client in; within seconds.

    ConfigError for an address that is none, a certificate or a password that does not fit, or a port of another protocol.
    RetryableError for silence.
    """
    addresses = _addresses(target.bootstrap)
    arguments = security_arguments(target)
    fault: ConfigError | None = None
    for host, port in addresses:
        try:
            why = login_fault(target.security, arguments, host, port)
        except ConnectionRefusedError:
            continue
        except OSError as error:
            why = _silence_explained(target, host, port, error)
        else:
            if why is None:
                return
        if why is not None:
            fault = fault or ConfigError(f"Kafka at {host}:{port}: {why}")
    raise fault or RetryableError(f"Kafka at {target.bootstrap} does not answer")


@contextmanager
def admin_client(target: KafkaTarget) -> Iterator[KafkaAdminClient]:
    """An admin client; what the broker's absence or haste raises comes out as RetryableError, a bad address as ConfigError."""
    require_broker(target)
    with translated(target):
        client = make_admin(target, "counterpoise-admin")
        try:
            yield client
        finally:
            client.close()


def make_admin(target: KafkaTarget, client_id: str, **more: Any) -> KafkaAdminClient:
    """An admin client to be closed by the caller, who translates its errors (`translated`)."""
    settings: dict[str, Any] = {
        "request_timeout_ms": _REQUEST_TIMEOUT_MS,
        "bootstrap_timeout_ms": _BOOTSTRAP_TIMEOUT_MS,
    }
    return KafkaAdminClient(
        bootstrap_servers=target.bootstrap, client_id=client_id, **security_arguments(target), **(settings | more)
    )


def make_producer(target: KafkaTarget, client_id: str, **more: Any) -> KafkaProducer:
    """An idempotent producer, acks=all, no batching delay; keys go where `partition_of` puts them. `more` are kafka-python's
    own settings.

    RetryableError where no broker answers: a producer made then would only fail later.
    """
    require_broker(target)
    with translated(target):
        settings: dict[str, Any] = {
            "acks": "all",
            "enable_idempotence": True,
            "compression_type": None if target.compression == "none" else target.compression,
            "linger_ms": 0,
            "partitioner": KeyPartitioner(),
            "max_request_size": MAX_MESSAGE_BYTES,
            "bootstrap_timeout_ms": _BOOTSTRAP_TIMEOUT_MS,
            "metrics_enabled": False,
        }
        return KafkaProducer(
            bootstrap_servers=target.bootstrap, client_id=client_id, **security_arguments(target), **(settings | more)
        )


def make_consumer(
    target: KafkaTarget,
    topics: tuple[str, ...],
    *,
    client_id: str,
    group_id: str | None,
    kafka: KafkaSettings,
    **more: Any,
) -> KafkaConsumer:
    """A consumer that starts at the earliest message and commits only explicitly; a request never creates a topic."""
    settings: dict[str, Any] = {
        "auto_offset_reset": "earliest",
        "allow_auto_create_topics": False,
        "session_timeout_ms": int(kafka.session_timeout_seconds * 1000),
        "heartbeat_interval_ms": int(kafka.heartbeat_interval_seconds * 1000),
        "fetch_max_wait_ms": kafka.fetch_max_wait_ms,
        "max_partition_fetch_bytes": MAX_MESSAGE_BYTES,
    }
    return _consumer(target, topics, client_id, {"group_id": group_id, **settings, **more})


@contextmanager
def open_consumer(target: KafkaTarget, client_id: str, **more: Any) -> Iterator[KafkaConsumer]:
    """A consumer outside any group, for one look; it commits nothing and makes no topic. Errors come out as from `admin_client`."""
    settings: dict[str, Any] = {
        "auto_offset_reset": "earliest",
        "allow_auto_create_topics": False,
        "fetch_max_wait_ms": 20,
        "max_partition_fetch_bytes": MAX_MESSAGE_BYTES,
    }
    with translated(target):
        consumer = _consumer(target, (), client_id, settings | more)
        try:
            yield consumer
        finally:
            consumer.close()


@contextmanager
def translated(target: KafkaTarget) -> Iterator[None]:
    """Raise Kafka's errors as ours: ConfigError for what waiting does not help, RetryableError for the rest."""
    try:
        yield
    except KafkaError as error:
        raise _translation(target, error) from error


def _consumer(target: KafkaTarget, topics: tuple[str, ...], client_id: str, settings: dict[str, Any]) -> KafkaConsumer:
    require_broker(target)
    with translated(target):
        return KafkaConsumer(
            *topics,
            bootstrap_servers=target.bootstrap,
            client_id=client_id,
            enable_auto_commit=False,
            bootstrap_timeout_ms=_BOOTSTRAP_TIMEOUT_MS,
            metrics_enabled=False,
            **security_arguments(target),
            **settings,
        )


def _addresses(bootstrap: str) -> list[tuple[str, int]]:
    try:
        found = [split_address(part) for part in bootstrap.split(",") if part.strip()]
    except ValueError:
        found = []
    if not found:
        raise ConfigError(
            f"Kafka's address {bootstrap!r} is not host:port[,host:port…]: see {KAFKA_PREFIX}BOOTSTRAP_SERVERS"
        )
    return found


def _silence_explained(target: KafkaTarget, host: str, port: int, error: OSError) -> str | None:
    """What no waiting helps: a certificate, or a port that speaks otherwise. None where the broker may just be starting."""
    tls = target.security.tls
    why = None if tls is None else handshake_fault(tls, host, port, error)
    if why is not None:
        return why
    listener = find_listener(host, port)
    return None if listener is None else mismatch(target.security, listener)


def _translation(target: KafkaTarget, error: KafkaError) -> CounterpoiseError:
    security, where = target.security, f"Kafka at {target.bootstrap}"
    if isinstance(error, KafkaConfigurationError):
        return ConfigError(f"Kafka client: {error}")
    if isinstance(error, SaslAuthenticationFailedError):
        return ConfigError(f"{where}: {refusal(security)}")
    if isinstance(error, AuthorizationError):
        who = "an anonymous client" if security.mechanism is None else f"user {security.user!r}"
        if security.token_file is not None:
            who = f"the user of the token in {str(security.token_file)!r}"
        return ConfigError(f"{where} does not allow this to {who} ({error}): grant the ACLs of docs/security.md")
    return RetryableError(f"{where}: {error}")
