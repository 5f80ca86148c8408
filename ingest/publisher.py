"""The way into Kafka: blocks in envelopes, dead letters, nothing dropped, and notice taken when the broker lost its memory."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from counterpoise.contracts.base import Contract
from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.dead_letters import MAX_PAYLOAD_BYTES, DeadLetter, letter_id
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.topic_schemas import headers_of
from counterpoise.contracts.topics import BLOCKS, DEAD_LETTERS, Topic
from counterpoise.errors import RetryableError
from counterpoise.kafka.broker_memory import BrokerMemory
from counterpoise.kafka.clients import make_producer, require_broker
from counterpoise.kafka.own_partitions import require_own_partitions
from counterpoise.kafka.topic_setup import ensure_topics
from counterpoise.runtime.crash_points import crash_point
from counterpoise.runtime.retry import Waiter
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import KafkaTarget
from counterpoise.settings.model import Settings
from ingest.bad_item import BadItem

TARGET_MESSAGE_BYTES = 1024 * 1024
MAX_IN_FLIGHT_BYTES = 8 * 1024 * 1024
KEPT_DEAD_LETTERS = 1_000
_ACK_WAIT_SECONDS = 1.0
_CHECK_INTERVAL_SECONDS = 3.0
_SEEN_BAD_ITEMS = 10_000

log = structlog.get_logger("ingest")


@dataclass(slots=True)
class _Message:
    topic: Topic
    key: bytes
    value: bytes
    events: int
    future: Any = None


class Publisher:
    """Idempotent, acks=all, in order. Used by one thread.

    A message is kept until the broker acknowledged it, and sent again through a new producer where that fails, however long it
    takes; the wait is in the status. At most MAX_IN_FLIGHT_BYTES wait for an acknowledgement.
    """

    def __init__(self, settings: Settings, target: KafkaTarget, waiter: Waiter, status: ServiceStatus) -> None:
        self._target = target
        self._dataset = settings.dataset
        self._kafka = settings.kafka
        self._events_per_message = settings.ingest.events_per_message
        self._waiter = waiter
        self._status = status
        self._name = f"{status.snapshot()['service']}@{socket.gethostname()}:{os.getpid()}"[:200]
        topics = tuple(topic.full_name(settings.dataset) for topic in (BLOCKS, DEAD_LETTERS))
        self._memory = BrokerMemory(target, topics)
        self._producer: KafkaProducer | None = None
        self._in_flight: deque[_Message] = deque()
        self._in_flight_bytes = 0
        self._checked_at = waiter.clock.monotonic()
        self._letters: deque[_Message] = deque(maxlen=KEPT_DEAD_LETTERS)
        self._bad_seen: dict[str, None] = {}
        self.blocks_sent = 0
        self.messages_sent = 0
        self.bytes_sent = 0
        self.dead_letters_sent = 0

    def open(self) -> None:
        """Make the topics and connect; waits for the broker. ConfigError where a topic has another shape, or holds
        unread messages of a chain outside the chain's own partition.
        """
        self._waiter.until_done("kafka", self._connect)
        self._waiter.until_done("kafka", self._note_topics)
        self._waiter.until_done("kafka", lambda: require_own_partitions(self._target, self._dataset))

    def send(self, events: Sequence[BlockEvent]) -> None:
        """Publish blocks of one chain, in order. Returns when they are on their way; `flush` makes sure that they arrived."""
        size = self._events_per_message
        for start in range(0, len(events), size):
            self.send_events(BLOCKS, BLOCK_KIND, events[0].chain, events[start : start + size])

    def send_events(self, topic: Topic, kind: str, key: str, events: Sequence[Contract]) -> None:
        """Publish events of one key as one message, or as several where they are large together; as `send` for the rest."""
        sent_at_ms = int(self._waiter.clock.now() * 1000)
        value = encode(events, kind=kind, dataset=self._dataset, producer=self._name, sent_at_ms=sent_at_ms)
        if len(value) > TARGET_MESSAGE_BYTES and len(events) > 1:
            half = len(events) // 2
            self.send_events(topic, kind, key, events[:half])
            self.send_events(topic, kind, key, events[half:])
            return
        self._enqueue(_Message(topic, key.encode(), value, len(events)))

    def dead_letter(self, item: BadItem, origin: str) -> None:
        """Publish what cannot be a block, once a process for each payload; `origin` is the source's name."""
        digest = hashlib.sha256(item.payload).hexdigest()
        if digest in self._bad_seen:
            return
        self._bad_seen[digest] = None
        if len(self._bad_seen) > _SEEN_BAD_ITEMS:
            del self._bad_seen[next(iter(self._bad_seen))]
        letter = dead_letter_of(item, origin, int(self._waiter.clock.now() * 1000))
        log.warning("dead letter", source=origin, key=item.key, reason=item.reason, detail=item.detail)
        message = _Message(DEAD_LETTERS, b"ingest", letter.model_dump_json().encode(), 0)
        self._letters.append(message)
        self._enqueue(message)
        self.dead_letters_sent += 1
        self._status.count("dead_letters")

    def flush(self) -> None:
        """Return when the broker acknowledged all that was sent."""
        while self._in_flight:
            self._await_oldest()

    def lost_memory(self, *, now: bool = False) -> bool:
        """Whether the broker no longer has what it once acknowledged; True once for each loss.

        Seen from an offset that went back, or, asked at most every few seconds (`now`: at once), from the topics themselves. The
        topics exist again afterwards and dead letters are sent again; the blocks are the caller's to send again.
        """
        if not self._memory.went_back and not self._is_lost(now):
            return False
        self._waiter.until_done("kafka", self._note_topics)
        for letter in tuple(self._letters):
            self._enqueue(_Message(letter.topic, letter.key, letter.value, 0))
        self._status.count("broker_losses")
        return True

    def close(self) -> None:
        """Give the rest a moment to arrive, then let go. Nothing is lost by what does not: its blocks are fetched again."""
        self._memory.close()
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close(timeout=1.0)
        except KafkaError:
            _discard(producer)

    def _enqueue(self, message: _Message) -> None:
        while self._in_flight and self._in_flight_bytes + len(message.value) > MAX_IN_FLIGHT_BYTES:
            self._await_oldest()
        self._in_flight.append(message)
        self._in_flight_bytes += len(message.value)
        self._hand_over(message)
        while self._in_flight and self._in_flight[0].future is not None and self._in_flight[0].future.is_done:
            self._await_oldest()

    def _hand_over(self, message: _Message) -> None:
        """Give a message to the producer; where it will not take it, recovery sends everything again."""
        if self._producer is None:
            self._recover("no connection")
            return
        try:
            message.future = self._sent(self._producer, message)
        except KafkaError as error:
            self._recover(_line(error))

    def _sent(self, producer: KafkaProducer, message: _Message) -> Any:
        """The future of a message that the producer took."""
        return producer.send(
            message.topic.full_name(self._dataset),
            key=message.key,
            value=message.value,
            headers=list(headers_of(message.topic)),
        )

    def _await_oldest(self) -> None:
        """Take the oldest message off, once it is acknowledged."""
        message = self._in_flight[0]
        while True:
            self._waiter.check()
            try:
                metadata = message.future.get(timeout=_ACK_WAIT_SECONDS)
                break
            except KafkaTimeoutError as error:
                if not message.future.is_done:
                    try:
                        require_broker(self._target)
                        self._status.waiting("kafka", "the broker does not acknowledge")
                        continue
                    except RetryableError:
                        pass
                self._recover(_line(error))
            except KafkaError as error:
                self._recover(_line(error))
        self._in_flight.popleft()
        self._in_flight_bytes -= len(message.value)
        self._memory.acknowledged(metadata.topic, metadata.partition, metadata.offset)
        self.bytes_sent += len(message.value)
        if not message.events:
            self._status.working()
        else:
            self.blocks_sent += message.events
            self.messages_sent += 1
            self._status.progress(message.events)
            crash_point("ingest-after-publish")

    def _recover(self, reason: str) -> None:
        """Replace the producer and send all that is unacknowledged again, in order; waits for the broker."""
        log.warning("kafka did not take a message, sending again", reason=reason, messages=len(self._in_flight))
        self._status.waiting("kafka", reason)
        self._waiter.until_done("kafka", self._reconnect_and_resend)
        self._status.working()

    def _reconnect_and_resend(self) -> None:
        producer = self._connect()
        try:
            for message in self._in_flight:
                message.future = self._sent(producer, message)
        except KafkaError as error:
            raise RetryableError(f"Kafka at {self._target.bootstrap}: {_line(error)}") from error

    def _connect(self) -> KafkaProducer:
        old, self._producer = self._producer, None
        if old is not None:
            _discard(old)
        self._make_topics()
        producer = make_producer(
            self._target,
            "counterpoise-ingest",
            request_timeout_ms=5_000,
            delivery_timeout_ms=15_000,
            max_block_ms=5_000,
            allow_auto_create_topics=False,
        )
        self._producer = producer
        return producer

    def _make_topics(self) -> None:
        ensure_topics(self._target, self._dataset, self._kafka.replication_factor, partitions=self._kafka.partitions)

    def _is_lost(self, now: bool) -> bool:
        """Ask the broker, at most every few seconds."""
        monotonic = self._waiter.clock.monotonic()
        if not now and monotonic - self._checked_at < _CHECK_INTERVAL_SECONDS:
            return False
        self._checked_at = monotonic
        return self._memory.is_owed and self._waiter.until_done("kafka", self._memory.is_lost)

    def _note_topics(self) -> None:
        """Remember which topics these are; what was seen of earlier ones is void."""
        self._make_topics()
        self._memory.start_over()


def _discard(producer: KafkaProducer) -> None:
    """Close without waiting for messages: they are kept here and sent again by the next producer.

    kafka-python's close() first waits for every message and raises where the broker is gone; its sender is made to fail them.
    """
    producer._sender.force_close()
    try:
        producer.close(timeout=5.0)
    except KafkaError as error:
        log.debug("a discarded producer did not close", error=_line(error))


def dead_letter_of(item: BadItem, origin: str, seen_at_ms: int) -> DeadLetter:
    """The letter for something that a source gave; equal payloads of one source are one letter."""
    digest = hashlib.sha256(item.payload).hexdigest()
    topic = f"source:{origin}"
    return DeadLetter(
        letter_id=letter_id(topic, -1, -1, digest, -1),
        service="ingest",
        reason=item.reason[:64],
        detail=item.detail[:2_000],
        topic=topic,
        partition=-1,
        offset=-1,
        index=-1,
        key=item.key[:512],
        payload=base64.b64encode(item.payload[:MAX_PAYLOAD_BYTES]).decode(),
        payload_bytes=len(item.payload),
        payload_sha256=digest,
        seen_at_ms=seen_at_ms,
    )


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
