"""Is every unread block message where the rule of `partition_of` puts its chain?

Before chains had numbers, a chain's partition was murmur2 of its name. A worker takes such a message for one with a wrong key, and
makes a dead letter of each of its blocks; so a service that starts refuses while any is unread.
"""

from __future__ import annotations

from typing import Final

from kafka import TopicPartition

from counterpoise.contracts.topics import BLOCKS
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.kafka.clients import open_consumer
from counterpoise.kafka.lag import read_lag
from counterpoise.kafka.partition import hashed_partition, partition_of
from counterpoise.settings.endpoints import KafkaTarget

_POLL_MS: Final = 500
_SILENT_POLLS: Final = 20
"""After so many polls in a row without a message or a step forward, the broker counts as stuck."""


def require_own_partitions(target: KafkaTarget, dataset: str) -> None:
    """Return where streams has read all that the rule of old put elsewhere; ConfigError, with the next step, for the first other.

    RetryableError where the broker does not answer. Reads what streams has not acknowledged, once; nothing where that is nothing.
    """
    topic = BLOCKS.full_name(dataset)
    behind = [row for row in read_lag(target, dataset, ("streams",)) if row.topic == topic]
    count = len(behind)
    unread = {TopicPartition(topic, row.partition): (row.committed or 0, row.end) for row in behind if row.lag}
    if count < 2 or not unread:
        return
    with open_consumer(target, "counterpoise-partitions") as consumer:
        consumer.assign(list(unread))
        for at, (start, _) in unread.items():
            consumer.seek(at, start)
        silent = 0
        while unread:
            found = consumer.poll(timeout_ms=_POLL_MS)
            for records in found.values():
                for record in records:
                    _require_own(record.key or b"", record.partition, count, topic)
            done = [at for at, (_, end) in unread.items() if consumer.position(at) >= end]
            for at in done:
                del unread[at]
                consumer.pause(at)
            silent = 0 if found or done else silent + 1
            if silent >= _SILENT_POLLS:
                raise RetryableError(
                    f"Kafka at {target.bootstrap} sends no messages of {topic}, although its end offsets promise some"
                )


def _require_own(key: bytes, partition: int, count: int, topic: str) -> None:
    own = partition_of(key, count)
    if partition != own and partition == hashed_partition(key, count):
        raise ConfigError(
            f"topic {topic} holds unread blocks of {key.decode(errors='replace')} in partition {partition}, where an earlier version "
            f"put them; they belong to partition {own} now. Let that version's streams read them, or delete the topic (ClickHouse "
            "stores the data, ingest fills it again)"
        )
