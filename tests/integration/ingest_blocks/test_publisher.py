"""The publisher alone: sizes, order, and its dead letters, on a real broker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kafka import TopicPartition

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.contracts.envelope import decode
from counterpoise.contracts.topics import BLOCKS, DEAD_LETTERS
from counterpoise.kafka.clients import make_consumer
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import kafka_target
from counterpoise.settings.model import Settings
from ingest.bad_item import BadItem
from ingest.ingest_waiter import ingest_waiter
from ingest.publisher import TARGET_MESSAGE_BYTES, Publisher
from testkit.fake_chain import FakeChain
from tests.unit.ingest_blocks.live_source import event_of

pytestmark = pytest.mark.kafka


@pytest.fixture
def publisher(settings: Settings) -> Iterator[Publisher]:
    clock = SystemClock()
    with ServiceStatus("ingest", settings.run_dir, clock) as status:
        made = Publisher(settings, kafka_target(settings), ingest_waiter(clock, threading.Event(), status), status)
        made.open()
        yield made
        made.close()


def messages(settings: Settings, topic: Any, at_least: int) -> list[Any]:
    """Everything on a topic."""
    name = topic.full_name(settings.dataset)
    consumer = make_consumer(kafka_target(settings), (), client_id="test", group_id=None, kafka=settings.kafka)
    partitions = [TopicPartition(name, number) for number in range(topic.partitions)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    found: list[Any] = []
    for _ in range(100):
        for records in consumer.poll(timeout_ms=100).values():
            found.extend(records)
        if len(found) >= at_least:
            break
    consumer.close(autocommit=False)
    return found


def events_in(settings: Settings, records: list[Any]) -> list[BlockEvent]:
    found: list[BlockEvent] = []
    for record in records:
        decoded = decode(record.value, BlockEvent, kind="block", dataset=settings.dataset)
        assert not decoded.bad
        found.extend(decoded.events)
    return found


def test_order_key_and_one_partition(settings: Settings, publisher: Publisher) -> None:
    chain = FakeChain()
    chain.mine(1_199)
    events = [event_of(block) for block in chain.best()]
    publisher.send(events)
    publisher.flush()
    records = messages(settings, BLOCKS, 3)
    assert [len(events_in(settings, [record])) for record in records] == [500, 500, 200]
    assert {record.key for record in records} == {b"bitcoin"}
    assert len({record.partition for record in records}) == 1
    assert events_in(settings, records) == events
    assert (publisher.blocks_sent, publisher.messages_sent) == (1_200, 3)


def test_messages_stay_small_however_large_their_events(settings: Settings, publisher: Publisher) -> None:
    chain = FakeChain()
    chain.mine(9)
    large = [
        event.model_copy(update={"payout_addresses": tuple(f"{event.height}-{i}-{'x' * 100}" for i in range(4_000))})
        for event in (event_of(block) for block in chain.best())
    ]
    publisher.send(large)  # ten events of over 400 kB
    publisher.flush()
    records = messages(settings, BLOCKS, publisher.messages_sent)
    assert len(records) == publisher.messages_sent > 4
    assert all(len(record.value) <= TARGET_MESSAGE_BYTES for record in records)
    assert events_in(settings, records) == large


def test_a_dead_letter_is_truncated_and_said_once(settings: Settings, publisher: Publisher) -> None:
    noise = b"\xff" * 900_000
    for _ in range(3):
        publisher.dead_letter(BadItem("k", "bad-block", "x" * 5_000, noise), "mempool")
    publisher.flush()
    [record] = messages(settings, DEAD_LETTERS, 1)
    assert len(record.value) < 64 * 1024
    assert b'"payload_bytes":900000' in record.value
    assert publisher.dead_letters_sent == 1


def test_a_broker_that_remembers_is_not_said_to_forget(settings: Settings, publisher: Publisher) -> None:
    assert not publisher.lost_memory(now=True)
    publisher.send([event_of(FakeChain().tip)])
    publisher.flush()
    assert not publisher.lost_memory(now=True)


def test_many_messages_in_one_batch_are_not_taken_for_a_loss(settings: Settings, publisher: Publisher) -> None:
    chain = FakeChain()
    for _ in range(3):
        for block in chain.mine(40):  # one message each; while one is under way the next ones gather in a batch
            publisher.send([event_of(block)])
        publisher.flush()
        assert not publisher.lost_memory(now=True)
