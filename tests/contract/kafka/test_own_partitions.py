"""Messages that an earlier rule put elsewhere: refused while they are unread, and nothing else is."""

import secrets
from collections.abc import Iterable, Iterator

import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from counterpoise.chain.chain_registry import CHAINS
from counterpoise.contracts.topics import BLOCKS
from counterpoise.errors import ConfigError
from counterpoise.kafka.clients import make_consumer, make_producer
from counterpoise.kafka.lag import group_id
from counterpoise.kafka.own_partitions import require_own_partitions
from counterpoise.kafka.partition import hashed_partition, partition_of
from counterpoise.kafka.topic_setup import delete_topics, ensure_topics
from counterpoise.settings.sections.engine_sections import KafkaSettings
from tests.engines import RunningKafka
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.kafka


@pytest.fixture
def dataset(kafka: RunningKafka) -> Iterator[str]:
    name = f"t_{secrets.token_hex(6)}"
    ensure_topics(kafka.target, name)
    yield name
    delete_topics(kafka.target, name)


def send(kafka: RunningKafka, dataset: str, placed: Iterable[tuple[str, int]]) -> None:
    producer = make_producer(kafka.target, "test")
    sent = [
        producer.send(BLOCKS.full_name(dataset), b"x", key=key.encode(), partition=partition)
        for key, partition in placed
    ]
    for one in sent:
        one.get(PATIENCE_SECONDS)
    producer.close()


def acknowledge(kafka: RunningKafka, dataset: str, partition: int, offset: int) -> None:
    group = group_id(dataset, "streams")
    consumer = make_consumer(kafka.target, (), client_id="test", group_id=group, kafka=KafkaSettings())
    at = TopicPartition(BLOCKS.full_name(dataset), partition)
    consumer.assign([at])
    consumer.commit({at: OffsetAndMetadata(offset, "", -1)})
    consumer.close()


def old(name: str) -> tuple[str, int]:
    return name, hashed_partition(name.encode(), 4)


def own(name: str) -> tuple[str, int]:
    return name, partition_of(name.encode(), 4)


def test_nothing_unread_is_nothing_wrong(kafka: RunningKafka, dataset: str) -> None:
    require_own_partitions(kafka.target, dataset)
    require_own_partitions(kafka.target, f"{dataset}_that_is_not_there")


def test_every_chain_where_it_belongs_and_what_is_no_chain_anywhere(kafka: RunningKafka, dataset: str) -> None:
    """A message that someone put in a wrong partition is a dead letter when it is read, and no reason not to start."""
    send(kafka, dataset, [own(name) for name in (*CHAINS, *CHAINS, "other", "dogecoin", "")])
    send(kafka, dataset, [old("dogecoin"), ("dogecoin", 3), ("bitcoin", 1), ("litecoin", 2)])
    require_own_partitions(kafka.target, dataset)


@pytest.mark.parametrize("name", [name for name in CHAINS if old(name) != own(name)])
def test_one_unread_message_of_the_rule_of_old_is_refused_until_it_is_read(
    kafka: RunningKafka, dataset: str, name: str
) -> None:
    _, partition = old(name)
    right = [chain for chain in CHAINS if own(chain)[1] == partition] or ["other"]
    send(kafka, dataset, [(chain, partition) for chain in right * 5] + [old(name)] + [(right[0], partition)] * 5)
    with pytest.raises(ConfigError) as caught:
        require_own_partitions(kafka.target, dataset)
    assert str(caught.value) == (
        f"topic {dataset}.blocks.v1 holds unread blocks of {name} in partition {partition}, where an earlier version put them; "
        f"they belong to partition {own(name)[1]} now. Let that version's streams read them, or delete the topic (ClickHouse "
        "stores the data, ingest fills it again)"
    )
    acknowledge(kafka, dataset, partition, 5 * len(right))  # all before it
    with pytest.raises(ConfigError):
        require_own_partitions(kafka.target, dataset)
    acknowledge(kafka, dataset, partition, 5 * len(right) + 1)
    require_own_partitions(kafka.target, dataset)
