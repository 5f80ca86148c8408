"""kafka-python clients with the settings that nothing here may vary: idempotent, acknowledged by all, offsets committed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaConfigurationError, KafkaError

from counterpoise.contracts.topics import TOPICS
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.kafka.partition import KeyPartitioner
from counterpoise.kafka.probe import any_broker_answers, split_address
from counterpoise.settings.model import KafkaSettings

MAX_MESSAGE_BYTES: Final = max(topic.max_message_bytes for topic in TOPICS)
_BOOTSTRAP_TIMEOUT_MS = 10_000
_REQUEST_TIMEOUT_MS = 15_000


def require_broker(bootstrap: str) -> None:
    """Return where a broker answers. ConfigError for an address that is none, RetryableError for silence; within seconds."""
    try:
        addresses = [split_address(part) for part in bootstrap.split(",") if part.strip()]
    except ValueError:
        addresses = []
    if not addresses:
        raise ConfigError(
            f"Kafka's address {bootstrap!r} is not host:port[,host:port…]: see COUNTERPOISE_KAFKA__BOOTSTRAP_SERVERS"
        )
    if not any_broker_answers(bootstrap):
        raise RetryableError(f"Kafka at {bootstrap} does not answer")


@contextmanager
def admin_client(bootstrap: str) -> Iterator[KafkaAdminClient]:
    """An admin client; what the broker's absence or haste raises comes out as RetryableError, a bad address as ConfigError."""
    require_broker(bootstrap)
    with _retryable(bootstrap):
        client = KafkaAdminClient(
            bootstrap_servers=bootstrap,
            client_id="counterpoise-admin",
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
            bootstrap_timeout_ms=_BOOTSTRAP_TIMEOUT_MS,
        )
        try:
            yield client
        finally:
            client.close()


def make_producer(bootstrap: str, client_id: str, **more: Any) -> KafkaProducer:
    """An idempotent producer, acks=all, lz4, no batching delay; keys go where `partition_of` puts them. `more` are kafka-python's
    own settings.

    RetryableError where no broker answers: a producer made then would only fail later.
    """
    require_broker(bootstrap)
    with _retryable(bootstrap):
        settings: dict[str, Any] = {
            "acks": "all",
            "enable_idempotence": True,
            "compression_type": "lz4",
            "linger_ms": 0,
            "partitioner": KeyPartitioner(),
            "max_request_size": MAX_MESSAGE_BYTES,
            "bootstrap_timeout_ms": _BOOTSTRAP_TIMEOUT_MS,
            "metrics_enabled": False,
        }
        return KafkaProducer(bootstrap_servers=bootstrap, client_id=client_id, **(settings | more))


def make_consumer(
    bootstrap: str, topics: tuple[str, ...], *, client_id: str, group_id: str | None, kafka: KafkaSettings, **more: Any
) -> KafkaConsumer:
    """A consumer that starts at the earliest message and commits only explicitly; a request never creates a topic."""
    require_broker(bootstrap)
    with _retryable(bootstrap):
        settings: dict[str, Any] = {
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            "allow_auto_create_topics": False,
            "session_timeout_ms": int(kafka.session_timeout_seconds * 1000),
            "heartbeat_interval_ms": int(kafka.heartbeat_interval_seconds * 1000),
            "fetch_max_wait_ms": kafka.fetch_max_wait_ms,
            "max_partition_fetch_bytes": MAX_MESSAGE_BYTES,
            "bootstrap_timeout_ms": _BOOTSTRAP_TIMEOUT_MS,
            "metrics_enabled": False,
        }
        return KafkaConsumer(
            *topics, bootstrap_servers=bootstrap, client_id=client_id, group_id=group_id, **(settings | more)
        )


@contextmanager
def open_consumer(bootstrap: str, client_id: str) -> Iterator[KafkaConsumer]:
    """A consumer outside any group, for one look; it commits nothing and makes no topic. Errors come out as from `admin_client`."""
    require_broker(bootstrap)
    with _retryable(bootstrap):
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            client_id=client_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            fetch_max_wait_ms=20,
            max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
            bootstrap_timeout_ms=_BOOTSTRAP_TIMEOUT_MS,
            metrics_enabled=False,
        )
        try:
            yield consumer
        finally:
            consumer.close()


@contextmanager
def _retryable(bootstrap: str) -> Iterator[None]:
    try:
        yield
    except KafkaConfigurationError as error:
        raise ConfigError(f"Kafka client: {error}") from None
    except KafkaError as error:
        raise RetryableError(f"Kafka at {bootstrap}: {error}") from error
