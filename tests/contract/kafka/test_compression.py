"""What is sent under each setting of compression is read by both clients: kafka-python and Faust's."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import aiokafka
import pytest

from counterpoise.contracts.topics import BLOCKS
from counterpoise.errors import ConfigError
from counterpoise.kafka.clients import make_consumer, make_producer
from counterpoise.kafka.topic_setup import delete_topics, ensure_topics
from counterpoise.settings.endpoints import KafkaTarget, kafka_target
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.engine_sections import KafkaSettings
from streams.faust_app import create_app
from tests.engines import RunningKafka
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.kafka

KINDS = get_args(KafkaSettings.model_fields["compression"].annotation)
VALUE = b"counterpoise " * 20_000


@pytest.fixture(params=KINDS)
def settings(request: pytest.FixtureRequest, kafka: RunningKafka, tmp_path: Path) -> Iterator[Settings]:
    kafka_settings = {"bootstrap_servers": kafka.bootstrap, "compression": request.param}
    made = Settings.load(dataset=f"t_{secrets.token_hex(6)}", state_dir=tmp_path, kafka=kafka_settings)
    ensure_topics(kafka_target(made), made.dataset)
    yield made
    delete_topics(kafka_target(made), made.dataset)


def test_both_clients_send_and_read_it(settings: Settings) -> None:
    target, topic = kafka_target(settings), BLOCKS.full_name(settings.dataset)
    producer = make_producer(target, "test")
    expected = None if settings.kafka.compression == "none" else settings.kafka.compression
    assert producer.config["compression_type"] == expected
    producer.send(topic, VALUE, key=b"bitcoin").get(PATIENCE_SECONDS)
    producer.close()
    asyncio.run(_send_with_faust(settings, target, topic))

    consumer = make_consumer(target, (topic,), client_id="test", group_id=None, kafka=settings.kafka)
    found: list[bytes] = []
    while len(found) < 2:
        found += [record.value for records in consumer.poll(timeout_ms=1_000).values() for record in records]
    consumer.close()
    assert found == [VALUE, VALUE]
    assert asyncio.run(_read_with_aiokafka(target, topic)) == [VALUE, VALUE]


async def _send_with_faust(settings: Settings, target: KafkaTarget, topic: str) -> None:
    async def nothing() -> None:
        return None

    app = create_app(settings, target, nothing)
    producer: Any = await app.maybe_start_producer()
    try:
        await producer.send_and_wait(topic, b"bitcoin", VALUE, None, None, {})
    finally:
        await producer.stop()


async def _read_with_aiokafka(target: KafkaTarget, topic: str) -> list[bytes]:
    consumer = aiokafka.AIOKafkaConsumer(topic, bootstrap_servers=target.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return [(await asyncio.wait_for(consumer.getone(), PATIENCE_SECONDS)).value for _ in range(2)]
    finally:
        await consumer.stop()


@pytest.mark.parametrize("name", ["zstd", "snappy", "LZ4", ""])
def test_another_compression_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The locked libraries of kafka-python write neither zstd nor snappy."""
    monkeypatch.setenv("COUNTERPOISE_KAFKA__COMPRESSION", name)
    if name == "":
        assert Settings.load().kafka.compression == "lz4"
        return
    with pytest.raises(ConfigError, match=r"settings: kafka\.compression: Input should be 'none', 'gzip' or 'lz4'"):
        Settings.load()
