"""A worker fetches little ahead, however much waits in Kafka: its memory does not grow with the backlog. No other topic waits for it.
Nothing is lost by it, where the worker shares its partitions meanwhile, and where it is stopped while it holds all that it may."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from counterpoise.contracts.topics import BLOCKS, EDGE_AI
from counterpoise.kafka.clients import admin_client, make_producer
from counterpoise.kafka.topic_setup import delete_topics, ensure_topics
from counterpoise.settings.endpoints import kafka_target
from counterpoise.settings.model import Settings
from streams.faust_app import FETCH_BYTES, POLL_MESSAGES, StreamsApp, create_app, raw_topic
from streams.intake.batches import add_batch_agent
from streams.intake.dead_letter import RawMessage
from streams.intake.transport import MAX_WAITING_BYTES
from tests.engines import RunningKafka
from tests.waiting import PATIENCE_SECONDS, wait_for

pytestmark = pytest.mark.kafka

SIZE = 256 * 1024
MESSAGES = 80 * BLOCKS.partitions
LARGE = 4 * FETCH_BYTES
"""Of the first message: one that is larger than a fetch comes alone."""
MOST = MAX_WAITING_BYTES + LARGE + POLL_MESSAGES * SIZE


@pytest.fixture
def settings(kafka: RunningKafka, tmp_path: Path) -> Iterator[Settings]:
    made = Settings.load(
        dataset=f"t_{secrets.token_hex(6)}",
        state_dir=tmp_path,
        kafka={"bootstrap_servers": kafka.bootstrap},
    )
    ensure_topics(kafka_target(made), made.dataset)
    _send(made)
    yield made
    delete_topics(kafka_target(made), made.dataset)


def test_a_backlog_waits_in_kafka(settings: Settings) -> None:
    assert 2 * MOST < MESSAGES * SIZE, "all of it would be far too much"
    asyncio.run(_work_and_share(settings))


def test_a_worker_that_holds_all_it_may_stops(settings: Settings) -> None:
    asyncio.run(_stop_while_full(settings))


def test_another_topic_does_not_wait_for_it(settings: Settings) -> None:
    asyncio.run(_read_another_topic(settings))


async def _read_another_topic(settings: Settings) -> None:
    app, took, go = _app(settings)
    arrived = asyncio.Event()

    async def process(_: Sequence[RawMessage]) -> None:
        arrived.set()

    topic = EDGE_AI.full_name(settings.dataset)
    add_batch_agent(app, raw_topic(app, topic), "other", process, take_messages=1, within_seconds=0.01)
    await app.start()
    try:
        await _fill(app)
        await asyncio.to_thread(_send_one, settings, topic)
        await asyncio.wait_for(arrived.wait(), PATIENCE_SECONDS)
        assert not took, "the blocks still wait"
    finally:
        go.set()
        await app.stop()


async def _work_and_share(settings: Settings) -> None:
    first, first_took, go = _app(settings)
    second, second_took, second_go = _app(settings)
    second_go.set()
    await first.start()
    try:
        await _fill(first)
        joining = asyncio.create_task(second.start())
        go.set()  # the first one holds what it fetched of partitions that the second one gets
        await joining
        try:
            everything = set(range(MESSAGES))
            await asyncio.to_thread(wait_for, lambda: {*first_took, *second_took} == everything, "all were taken")
            await asyncio.to_thread(wait_for, partial(_committed, settings, first.conf.id), "all are committed")
            assert not any((_held(first), _held(second)))
        finally:
            await second.stop()
    finally:
        go.set()
        await first.stop()


async def _stop_while_full(settings: Settings) -> None:
    app, _, go = _app(settings)
    await app.start()
    try:
        await _fill(app)
    finally:
        stopping = asyncio.create_task(app.stop())
        go.set()  # what was taken is finished, the rest stays in Kafka
        await asyncio.wait_for(stopping, PATIENCE_SECONDS)
    other, took, go = _app(settings)
    go.set()
    await other.start()
    try:
        await asyncio.to_thread(wait_for, partial(_committed, settings, other.conf.id), "the next one has the rest")
        assert took, "there was a rest"
    finally:
        await other.stop()


async def _fill(app: StreamsApp) -> None:
    """Until the worker fetches no more; it never holds more than it may."""
    await asyncio.to_thread(wait_for, lambda: _held(app) >= MAX_WAITING_BYTES, "it holds what it may")
    for _ in range(20):
        assert _held(app) <= MOST
        await asyncio.sleep(0.05)


def _held(app: StreamsApp) -> int:
    return sum(app.waiting_bytes().values())


def _app(settings: Settings) -> tuple[StreamsApp, list[int], asyncio.Event]:
    """A worker that takes nothing before the event is set, and the numbers of the messages that it took."""

    async def nothing() -> None:
        return None

    app = create_app(settings, kafka_target(settings), nothing)
    took: list[int] = []
    go = asyncio.Event()

    async def process(messages: Sequence[RawMessage]) -> None:
        await go.wait()
        took.extend(_number(message) for message in messages)

    add_batch_agent(
        app,
        raw_topic(app, BLOCKS.full_name(settings.dataset)),
        "read",
        process,
        take_messages=2,
        within_seconds=0.01,
    )
    return app, took, go


def _number(message: RawMessage) -> int:
    return int(bytes(message.value or b"")[:8])


def _send_one(settings: Settings, topic: str) -> None:
    producer = make_producer(kafka_target(settings), "test")
    producer.send(topic, b"a release").get(PATIENCE_SECONDS)
    producer.close()


def _send(settings: Settings) -> None:
    topic, producer = BLOCKS.full_name(settings.dataset), make_producer(kafka_target(settings), "test")
    sent = [
        producer.send(
            topic, f"{at:08d}".encode() + bytes((SIZE if at else LARGE) - 8), partition=at % BLOCKS.partitions
        )
        for at in range(MESSAGES)
    ]
    for one in sent:
        one.get(PATIENCE_SECONDS)
    producer.close()


def _committed(settings: Settings, group: str) -> bool:
    with admin_client(kafka_target(settings)) as admin:
        marks = admin.list_group_offsets([group])[group].values()
    return bool(sum(max(0, mark.offset) for mark in marks) == MESSAGES)
