"""Make the topics of a dataset, and refuse ones whose shape would break what the services rely on."""

from __future__ import annotations

import time

from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from counterpoise.contracts.topics import TOPICS, Topic
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.kafka.clients import admin_client

_NO_ERROR = 0
_VISIBLE_SECONDS = 15.0
_LOOK_AGAIN_SECONDS = 0.05


def ensure_topics(
    bootstrap: str, prefix: str, replication_factor: int = 1, *, topics: tuple[Topic, ...] = TOPICS
) -> tuple[str, ...]:
    """Create what is missing of a dataset's topics; return the names that were created (empty on a second call).

    RetryableError where the broker does not answer. ConfigError where a topic exists with another number of partitions (keys would
    land elsewhere than before), or where the replication factor is more than there are brokers. A topic that should have one
    partition may have more, because nothing rests on the order between its keys and the embedded broker makes any topic that a
    client asks for, with four.
    """
    wanted = {topic.full_name(prefix): topic for topic in topics}
    with admin_client(bootstrap) as admin:
        present = _partitions(admin, list(wanted))
        missing = [name for name in wanted if name not in present]
        created = _create(admin, {name: wanted[name] for name in missing}, replication_factor)
        deadline = time.monotonic() + _VISIBLE_SECONDS
        while len(present) < len(wanted):  # what was just made, here or elsewhere, is not at once known to every broker
            if time.monotonic() > deadline:
                raise RetryableError(
                    f"Kafka at {bootstrap} made topics and does not show them yet: {', '.join(missing)}"
                )
            time.sleep(_LOOK_AGAIN_SECONDS)
            present = _partitions(admin, list(wanted))
    for name, count in present.items():
        wanted_count = wanted[name].partitions
        if count < wanted_count or count > wanted_count > 1:
            raise ConfigError(
                f"topic {name} has {count} partitions and should have {wanted_count}: delete it (ClickHouse "
                "holds the data, ingest fills it again), or take another dataset name"
            )
    return created


def _partitions(admin: KafkaAdminClient, names: list[str]) -> dict[str, int]:
    """How many partitions each existing topic of `names` has."""
    return {t["name"]: len(t["partitions"]) for t in admin.describe_topics(names) if t["error_code"] == _NO_ERROR}


def _create(admin: KafkaAdminClient, topics: dict[str, Topic], replication_factor: int) -> tuple[str, ...]:
    if not topics:
        return ()
    new = [
        NewTopic(name, num_partitions=t.partitions, replication_factor=replication_factor, topic_configs=t.config())
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
            case code:
                raise RetryableError(
                    f"Kafka did not create topic {answer['name']}: {answer['error_message']} (error {code})"
                )
    return tuple(created)


def delete_topics(bootstrap: str, prefix: str) -> tuple[str, ...]:
    """Delete every topic of a dataset that exists; return their names."""
    with admin_client(bootstrap) as admin:
        names = [name for name in admin.list_topics() if name.startswith(prefix + ".")]
        if names:
            admin.delete_topics(names)
    return tuple(names)
