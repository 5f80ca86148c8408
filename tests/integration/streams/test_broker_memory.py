"""A broker that lost its memory is told from one that remembers, and from one that is away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from counterpoise.contracts.topics import BLOCKS, DEAD_LETTERS
from counterpoise.errors import RetryableError
from counterpoise.kafka.broker_memory import BrokerMemory
from counterpoise.kafka.topic_setup import ensure_topics
from tests.engines import RunningKafka

DATASET = "remembered"
NAMES = (BLOCKS.full_name(DATASET), DEAD_LETTERS.full_name(DATASET))


@pytest.fixture
def memory(own_kafka: RunningKafka) -> Iterator[BrokerMemory]:
    made = BrokerMemory(own_kafka.target, NAMES)
    yield made
    made.close()


def test_topics_that_are_made_anew_are_a_loss_until_they_are_taken_as_they_are(
    own_kafka: RunningKafka, memory: BrokerMemory
) -> None:
    ensure_topics(own_kafka.target, DATASET)
    assert not memory.is_lost()
    assert not memory.is_lost()
    own_kafka.kill()
    with pytest.raises(RetryableError, match="Kafka at"):
        memory.is_lost()
    own_kafka.restart()
    assert memory.is_lost(), "they are gone"
    ensure_topics(own_kafka.target, DATASET)
    assert memory.is_lost(), "equal names, other topics"
    memory.start_over()
    assert not memory.is_lost()


def test_an_acknowledged_offset_that_goes_back_is_a_loss_without_a_question(memory: BrokerMemory) -> None:
    assert not memory.is_owed
    memory.acknowledged(NAMES[0], 1, 7)
    memory.acknowledged(NAMES[0], 2, 0)
    memory.acknowledged(NAMES[0], 1, -1)  # a duplicate that the broker has
    memory.acknowledged(NAMES[0], 1, 8)
    assert memory.is_owed
    assert not memory.went_back
    memory.acknowledged(NAMES[0], 1, 8)
    assert memory.went_back
    assert memory.is_lost()
