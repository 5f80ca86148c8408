"""A worker that takes its partitions over for longer than a session stays in its group: it joined once, and its commits are taken."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from counterpoise.contracts.topics import BLOCKS
from counterpoise.kafka.clients import admin_client, make_producer
from counterpoise.kafka.topic_setup import delete_topics, ensure_topics
from counterpoise.settings.endpoints import kafka_target
from counterpoise.settings.model import Settings
from streams.faust_app import StreamsApp, create_app, raw_topic
from tests.engines import RunningKafka
from tests.waiting import PATIENCE_SECONDS, wait_for

pytestmark = pytest.mark.kafka

SESSION_SECONDS = 6.0
"""Apache Kafka takes no shorter session."""


@pytest.fixture
def settings(kafka: RunningKafka, tmp_path: Path) -> Iterator[Settings]:
    made = Settings.load(
        dataset=f"t_{secrets.token_hex(6)}",
        state_dir=tmp_path,
        kafka={
            "bootstrap_servers": kafka.bootstrap,
            "session_timeout_seconds": SESSION_SECONDS,
            "heartbeat_interval_seconds": 0.3,
            "rebalance_timeout_seconds": 4 * SESSION_SECONDS,
        },
    )
    ensure_topics(kafka_target(made), made.dataset)
    yield made
    delete_topics(kafka_target(made), made.dataset)


def test_a_long_take_over_keeps_its_place_in_the_group(settings: Settings) -> None:
    """Another member is there all the time: each of its heartbeats is an occasion for the broker to drop the silent one."""
    topic = BLOCKS.full_name(settings.dataset)
    first, second = asyncio.run(_share(settings, topic))
    assert (len(first), len(second)) == (2, 1), "the first one alone, then both"
    assert (first[0], first[1] + second[0]) == (BLOCKS.partitions, BLOCKS.partitions)


async def _share(settings: Settings, topic: str) -> tuple[list[int], list[int]]:
    """How many partitions each of two workers took over, each time; the second one takes long, and then both read on."""
    (first, first_took), (second, second_took) = (
        _app(settings, topic, 0.0),
        _app(settings, topic, 2.5 * SESSION_SECONDS),
    )
    await first.start()
    try:
        await asyncio.to_thread(wait_for, lambda: first_took, "the first one has all")
        await second.start()
        try:
            await asyncio.to_thread(wait_for, lambda: second_took, "the second one begins to take over")
            await asyncio.to_thread(_send, settings, topic)
            await asyncio.to_thread(wait_for, partial(_all_committed, settings, first.conf.id), "all is committed")
        finally:
            await second.stop()
    finally:
        await first.stop()
    return first_took, second_took


def _app(settings: Settings, topic: str, seconds: float) -> tuple[StreamsApp, list[int]]:
    """A worker whose take-over lasts that long, and the list of how many partitions it got."""

    async def nothing() -> None:
        return None

    app = create_app(settings, kafka_target(settings), nothing)
    taken: list[int] = []

    @app.on_partitions_assigned.connect(weak=False)  # type: ignore[untyped-decorator]
    async def take_over(sender: Any, assigned: Any = (), **_: Any) -> None:
        taken.append(sum(partition.topic == topic for partition in assigned))
        await asyncio.sleep(seconds)

    @app.agent(raw_topic(app, topic))  # type: ignore[untyped-decorator]
    async def read(stream: Any) -> None:
        async for events in stream.noack_take(1, within=0.05):
            for event in events:
                event.ack()

    return app, taken


def _send(settings: Settings, topic: str) -> None:
    producer = make_producer(kafka_target(settings), "test")
    for partition in range(BLOCKS.partitions):
        producer.send(topic, b"a block", partition=partition).get(PATIENCE_SECONDS)
    producer.close()


def _all_committed(settings: Settings, group: str) -> bool:
    with admin_client(kafka_target(settings)) as admin:
        offsets: list[int] = [mark.offset for mark in admin.list_group_offsets([group])[group].values()]
    return offsets.count(1) == BLOCKS.partitions
