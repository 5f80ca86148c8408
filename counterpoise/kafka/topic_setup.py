"""Make the topics of a dataset, and refuse ones whose shape would break what the services rely on."""

from __future__ import annotations

import time

import structlog
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import NewTopic, OffsetSpec

from counterpoise.contracts.topics import DEFAULT_PARTITIONS, TOPICS, Topic
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.kafka.clients import admin_client
from counterpoise.kafka.lag import is_embedded
from counterpoise.settings.endpoints import KafkaTarget

_NO_ERROR = 0
_VISIBLE_SECONDS = 15.0
_LOOK_AGAIN_SECONDS = 0.05
_EMBEDDED_DEFAULT = 4
"""The partitions of a topic that the embedded broker makes because a client asked for it."""

log = structlog.get_logger(__name__)


def ensure_topics(
    target: KafkaTarget,
    prefix: str,
    replication_factor: int = 1,
    *,
    partitions: int = DEFAULT_PARTITIONS,
    topics: tuple[Topic, ...] = TOPICS,
) -> tuple[str, ...]:
    """Create what is missing of a dataset's topics; return the names that were created (empty on a second call).

    `partitions` is the count of each topic that is spread. RetryableError where the broker does not answer. ConfigError where a
    topic exists with another number of partitions (keys would land elsewhere than before), or where the replication factor is
    more than there are brokers. A topic that should have one partition may have more, because nothing rests on the order
    between its keys and the embedded broker makes any topic that a client asks for, with four. For the same reason an empty topic
    of another shape is made anew there.
    """
    wanted = {topic.full_name(prefix): topic for topic in topics}
    counts = {name: topic.count(partitions) for name, topic in wanted.items()}
    with admin_client(target) as admin:
        present = _partitions(admin, list(wanted))
        present = _without_accidents(admin, present, wanted, partitions)
        missing = [name for name in wanted if name not in present]
        created = _create(admin, {name: wanted[name] for name in missing}, counts, replication_factor)
        deadline = time.monotonic() + _VISIBLE_SECONDS
        while len(present) < len(wanted):  # what was just made, here or elsewhere, is not at once known to every broker
            if time.monotonic() > deadline:
                raise RetryableError(
                    f"Kafka at {target.bootstrap} made topics and does not show them yet: {', '.join(missing)}"
                )
            time.sleep(_LOOK_AGAIN_SECONDS)
            present = _partitions(admin, list(wanted))
    for name, count in present.items():
        if not _fits(count, wanted[name], partitions):
            raise ConfigError(
                f"topic {name} has {count} partitions and should have {counts[name]}: delete it (ingest fills it "
                "again), take another dataset name, or change COUNTERPOISE_KAFKA__PARTITIONS"
            )
    return created


def _fits(count: int, topic: Topic, partitions: int) -> bool:
    return count == topic.count(partitions) or (not topic.is_spread and count > topic.partitions)


def _without_accidents(
    admin: KafkaAdminClient, present: dict[str, int], wanted: dict[str, Topic], partitions: int
) -> dict[str, int]:
    """`present`, without the empty topics of another shape that the embedded broker made by itself; these are deleted."""
    strange = [
        name
        for name, count in present.items()
        if count == _EMBEDDED_DEFAULT and not _fits(count, wanted[name], partitions)
    ]
    if not strange or not is_embedded(admin):
        return present
    every = [TopicPartition(name, number) for name in strange for number in range(present[name])]
    ends = admin.list_partition_offsets(dict.fromkeys(every, OffsetSpec.LATEST))
    filled = {at.topic for at, found in ends.items() if found.offset > 0}
    empty = [name for name in strange if name not in filled]
    if empty:
        log.info("topics of another shape are made anew", topics=empty)
        admin.delete_topics(empty)
    return {name: count for name, count in present.items() if name not in empty}


def _partitions(admin: KafkaAdminClient, names: list[str]) -> dict[str, int]:
    """How many partitions each existing topic of `names` has."""
    return {t["name"]: len(t["partitions"]) for t in admin.describe_topics(names) if t["error_code"] == _NO_ERROR}


def _create(
    admin: KafkaAdminClient, topics: dict[str, Topic], counts: dict[str, int], replication_factor: int
) -> tuple[str, ...]:
    if not topics:
        return ()
    new = [
        NewTopic(name, num_partitions=counts[name], replication_factor=replication_factor, topic_configs=t.config())
        for name, t in topics.items()
    ]
    created = []
    for answer in admin.create_topics(new, raise_errors=False)["topics"]:
        match answer["error_code"]:
            case 0:
                created.append(answer["name"])
            case 36:  # another process made it in between
                pass
            case 38:
                raise ConfigError(
                    f"Kafka refuses {replication_factor} replicas for topic {answer['name']} ({answer['error_message']}): lower "
                    "COUNTERPOISE_KAFKA__REPLICATION_FACTOR, or start more brokers"
                )
            case 29:
                raise ConfigError(
                    f"Kafka does not allow this user to create topic {answer['name']}: create it yourself, or grant the ACLs of "
                    "docs/security.md"
                )
            case code:
                raise RetryableError(
                    f"Kafka did not create topic {answer['name']}: {answer['error_message']} (error {code})"
                )
    return tuple(created)


def delete_topics(target: KafkaTarget, prefix: str) -> tuple[str, ...]:
    """Delete every topic of a dataset that exists; return their names."""
    with admin_client(target) as admin:
        names = [name for name in admin.list_topics() if name.startswith(prefix + ".")]
        if names:
            admin.delete_topics(names)
    return tuple(names)
