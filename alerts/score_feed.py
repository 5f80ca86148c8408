"""scores.v1 as the alerter reads it: all partitions, from now on.

Offsets are committed for people and the supervisor to see the lag; nothing rests on them, because ClickHouse stores every score
before its message exists. A broker that is down, or that forgot everything, only costs delay.
"""

from __future__ import annotations

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from counterpoise.contracts.envelope import decode
from counterpoise.contracts.scores import SCORE_KIND, ScoreEvent
from counterpoise.contracts.topics import SCORES
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.kafka.clients import make_consumer, require_broker
from counterpoise.kafka.lag import group_id
from counterpoise.kafka.topic_setup import ensure_topics
from counterpoise.runtime.clock import Clock
from counterpoise.settings.endpoints import KafkaTarget, kafka_target
from counterpoise.settings.model import Settings

log = structlog.get_logger(__name__)

PROBE_SECONDS = 5.0


def _log_failure(_: object, answer: object) -> None:
    if isinstance(answer, Exception):
        log.warning("cannot commit offsets", error=str(answer))


class ScoreFeed:
    """Not safe to share between threads. `trouble` is the reason why no message can arrive now; None without one."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._target: KafkaTarget | None = None
        self._consumer: KafkaConsumer | None = None
        self._next_probe = 0.0
        self._read = False
        self.trouble: str | None = "not connected yet"
        self.bad_messages = 0

    def poll(self, timeout_seconds: float) -> list[ScoreEvent]:
        """Events since the last call, waiting at most that long for the first; none while the broker is down."""
        if self._consumer is None and not self._connect():
            self._clock.sleep(min(timeout_seconds, 0.5))
            return []
        assert self._consumer is not None  # noqa: S101 - connected just above
        try:
            found = self._consumer.poll(timeout_ms=max(1, int(timeout_seconds * 1000)))
        except KafkaError as error:
            self.lose(f"Kafka: {error}")
            return []
        events: list[ScoreEvent] = []
        for records in found.values():
            for record in records:
                decoded = decode(record.value, ScoreEvent, kind=SCORE_KIND, dataset=self._settings.dataset)
                events.extend(decoded.events)
                for bad in decoded.bad:
                    self.bad_messages += 1
                    log.error(
                        "score message does not decode", reason=bad.reason, detail=bad.detail, offset=record.offset
                    )
        self._read = self._read or bool(found)
        if not found:
            self._probe_broker()
        return events

    def commit(self) -> None:
        """Note how far we have come, without waiting for the answer: the next messages would wait for it."""
        if self._consumer is None or not self._read:
            return
        try:
            self._consumer.commit_async(callback=_log_failure)
            self._read = False
        except KafkaError as error:
            log.warning("cannot commit offsets", error=str(error))

    def lose(self, reason: str) -> None:
        """Give the connection up; the next poll makes a new one."""
        self.trouble = reason
        self._next_probe = self._clock.monotonic() + 0.5
        self.close()

    def close(self) -> None:
        """Leave."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            consumer.close(autocommit=False)

    def _connect(self) -> bool:
        if self._clock.monotonic() < self._next_probe:
            return False
        self._next_probe = self._clock.monotonic() + 1.0
        settings = self._settings
        try:
            target = self._address()
            ensure_topics(
                target,
                settings.dataset,
                settings.kafka.replication_factor,
                partitions=settings.kafka.partitions,
            )
            consumer = make_consumer(
                target,
                (),
                client_id="counterpoise-alerts",
                group_id=group_id(settings.dataset, "alerts"),
                kafka=settings.kafka,
            )
            topic = SCORES.full_name(settings.dataset)
            partitions = [TopicPartition(topic, number) for number in range(settings.kafka.partitions)]
            consumer.assign(partitions)
            consumer.seek_to_end(*partitions)
            for partition in partitions:
                consumer.position(partition)  # the end as it is now: what comes later is ours
        except (RetryableError, KafkaError) as error:
            self.trouble = str(error)
            return False
        self._consumer = consumer
        self._read = True
        self.trouble = None
        self._next_probe = self._clock.monotonic() + PROBE_SECONDS
        return True

    def _address(self) -> KafkaTarget:
        """Where Kafka is. Embedded engines that were stopped on purpose leave no address: the last one holds until they are back."""
        try:
            self._target = kafka_target(self._settings)
        except ConfigError:
            if self._target is None:
                raise
        return self._target

    def _probe_broker(self) -> None:
        """A client of a dead broker receives nothing and no error: check now and then whether it answers."""
        if self._clock.monotonic() < self._next_probe:
            return
        self._next_probe = self._clock.monotonic() + PROBE_SECONDS
        try:
            require_broker(self._address())
        except RetryableError as error:
            self.lose(str(error))
