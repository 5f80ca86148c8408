"""How far each consumer group of a dataset is behind: its committed offsets against the ends of the partitions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import CoordinatorNotAvailableError
from kafka.structs import OffsetAndMetadata

from counterpoise.contracts.topics import BLOCKS, DEAD_LETTERS, EDGE_AI, PAIRS, SCORES, Topic
from counterpoise.kafka.clients import admin_client

CONSUMERS: Final[dict[str, tuple[Topic, ...]]] = {
    "streams": (BLOCKS, EDGE_AI, PAIRS, DEAD_LETTERS),
    "alerts": (SCORES,),
}
"""Which service reads which topics in a group; what `status` lists and the supervisor watches."""


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


def read_lag(bootstrap: str, dataset: str, services: tuple[str, ...] = tuple(CONSUMERS)) -> list[PartitionLag]:
    """The lag of each service's group on each partition of the topics it reads; topics that do not exist are left out.

    RetryableError where the broker does not answer.
    """
    found: list[PartitionLag] = []
    with admin_client(bootstrap) as admin:
        names = sorted({topic.full_name(dataset) for service in services for topic in CONSUMERS[service]})
        partitions = {
            answer["name"]: [TopicPartition(answer["name"], p["partition_index"]) for p in answer["partitions"]]
            for answer in admin.describe_topics(names)
            if answer["error_code"] == 0
        }
        asked = [partition for of_topic in partitions.values() for partition in of_topic]
        if not asked:
            return []
        ends = admin.list_partition_offsets(dict.fromkeys(asked, OffsetSpec.LATEST))
        for service in services:
            group = group_id(dataset, service)
            committed = _committed(admin, group)
            for topic in CONSUMERS[service]:
                for partition in partitions.get(topic.full_name(dataset), ()):
                    mark = committed.get(partition)
                    offset = mark.offset if mark is not None and mark.offset >= 0 else None
                    found.append(
                        PartitionLag(group, partition.topic, partition.partition, offset, ends[partition].offset)
                    )
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
