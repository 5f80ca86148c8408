"""How far each consumer group of a dataset is behind: its committed offsets against the ends of the partitions."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import CoordinatorNotAvailableError
from kafka.structs import OffsetAndMetadata

from counterpoise.contracts.topics import BLOCKS, DEAD_LETTERS, EDGE_AI, PAIRS, SCORES, Topic
from counterpoise.kafka.clients import admin_client, open_consumer
from counterpoise.settings.endpoints import KafkaTarget

CONSUMERS: Final[dict[str, tuple[Topic, ...]]] = {
    "streams": (BLOCKS, EDGE_AI, PAIRS, DEAD_LETTERS),
    "alerts": (SCORES,),
}
"""Which service reads which topics in a group; what `status` lists and the supervisor watches."""

_EMBEDDED_CLUSTER: Final = "tansu_cluster"
_TAILS_SECONDS: Final = 2.0


def group_id(dataset: str, service: str) -> str:
    """The consumer group of a service in a dataset: `<dataset>.<service>`."""
    return f"{dataset}.{service}"


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """`committed` is None where the group never committed; `lag` is in messages (envelopes), and then all of the partition."""

    group: str
    topic: str
    partition: int
    committed: int | None
    end: int

    @property
    def lag(self) -> int:
        """Messages not yet acknowledged; after a broker lost its memory a commit may be ahead of the end: that is 0."""
        return max(0, self.end - (self.committed or 0))

    def as_json(self) -> dict[str, Any]:
        """For `status --json`."""
        return asdict(self) | {"lag": self.lag}


def read_lag(target: KafkaTarget, dataset: str, services: tuple[str, ...] = tuple(CONSUMERS)) -> list[PartitionLag]:
    """The lag of each service's group on each partition of the topics it reads; topics that do not exist are left out.

    RetryableError where the broker does not answer.
    """
    found: list[PartitionLag] = []
    with admin_client(target) as admin:
        names = sorted({topic.full_name(dataset) for service in services for topic in CONSUMERS[service]})
        partitions = {
            answer["name"]: [TopicPartition(answer["name"], p["partition_index"]) for p in answer["partitions"]]
            for answer in admin.describe_topics(names)
            if answer["error_code"] == 0
        }
        asked = [partition for of_topic in partitions.values() for partition in of_topic]
        if not asked:
            return []
        ends = _ends(admin, target, asked)
        for service in services:
            group = group_id(dataset, service)
            committed = _committed(admin, group)
            for topic in CONSUMERS[service]:
                for partition in partitions.get(topic.full_name(dataset), ()):
                    mark = committed.get(partition)
                    offset = mark.offset if mark is not None and mark.offset >= 0 else None
                    found.append(PartitionLag(group, partition.topic, partition.partition, offset, ends[partition]))
    return found


def is_embedded(admin: KafkaAdminClient) -> bool:
    """Whether the broker is the embedded one, which differs from Apache Kafka where this is asked."""
    return bool(admin.describe_cluster()["cluster_id"] == _EMBEDDED_CLUSTER)


def _ends(admin: KafkaAdminClient, target: KafkaTarget, asked: list[TopicPartition]) -> dict[TopicPartition, int]:
    """The offset after the last message of each partition."""
    told = admin.list_partition_offsets(dict.fromkeys(asked, OffsetSpec.LATEST))
    ends = {partition: int(found.offset) for partition, found in told.items()}
    if is_embedded(admin):
        ends |= _ends_of_last_batches(target, {partition: end for partition, end in ends.items() if end})
    return ends


def _ends_of_last_batches(target: KafkaTarget, ends: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
    """Where the partitions end, for the embedded broker. Its answer is the first offset of the last batch, plus one, however many
    messages are in it. The offsets around that batch are right. A partition without an answer in time is left out.
    """
    found: dict[TopicPartition, int] = {}
    if not ends:
        return found
    with open_consumer(target, "counterpoise-lag", check_crcs=False) as consumer:
        consumer.assign(list(ends))
        for partition, end in ends.items():
            consumer.seek(partition, end - 1)
        deadline = time.monotonic() + _TAILS_SECONDS
        while len(found) < len(ends) and time.monotonic() < deadline:
            for partition in consumer.poll(timeout_ms=100, max_records=1):
                found[partition] = int(consumer.highwater(partition))
                consumer.pause(partition)
    return found


def _committed(admin: KafkaAdminClient, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
    """Committed offsets; none where the broker has no coordinator yet, as on a new cluster before the first group."""
    try:
        found: dict[TopicPartition, OffsetAndMetadata] = admin.list_group_offsets([group]).get(group, {})
    except CoordinatorNotAvailableError:
        return {}
    return found


def total_lag(rows: list[PartitionLag], group: str) -> int:
    """All of a group's lag, in messages."""
    return sum(row.lag for row in rows if row.group == group)
