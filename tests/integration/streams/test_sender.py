"""The broker goes away under the producer: the sender waits, says so, and sends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from faust.exceptions import ProducerSendError

from counterpoise.contracts.blocks import BlockRequest
from counterpoise.contracts.topics import BLOCK_REQUESTS, PAIRS, SCORES, Topic
from counterpoise.kafka.clients import make_consumer
from counterpoise.kafka.topic_setup import ensure_topics
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.retry import StoppingError, Waiter
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import KafkaTarget
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.engine_sections import KafkaSettings
from streams.faust_app import StreamsApp, create_app
from streams.sender import Sender
from streams.worker import Outgoing, sent_together
from testkit.ports import reserved_port
from tests.engines import RunningKafka
from tests.waiting import PATIENCE_SECONDS, wait_for

REQUEST_SECONDS = 1.0
"""How long the client itself tries; 20 minutes by default."""

REQUEST = BlockRequest(chain="bitcoin", hash="ab" * 32, from_height=1, to_height=2, requested_at_ms=3)


def app_on(target: KafkaTarget, tmp_path: Path) -> StreamsApp:
    async def nothing() -> None:
        return None

    app = create_app(Settings.load(dataset="sending", state_dir=tmp_path), target, nothing)
    app.conf.producer_request_timeout = REQUEST_SECONDS
    return app


def test_what_fails_before_a_message_is_on_its_way_is_waited_for_too(own_kafka: RunningKafka, tmp_path: Path) -> None:
    """The producer does not know the topic yet, and nobody is there to ask: Faust wraps that error in one of its own."""

    async def run(status: ServiceStatus) -> tuple[str | None, str | None]:
        app = app_on(own_kafka.target, tmp_path)
        producer = await app.maybe_start_producer()
        own_kafka.kill()
        try:
            with pytest.raises(ProducerSendError):
                await producer.send_and_wait(BLOCK_REQUESTS.full_name("sending"), b"k", b"v", None, None, {})
            sender = Sender(app.maybe_start_producer, "sending", Waiter(SystemClock(), status, lambda: False))
            sending = asyncio.create_task(sender.send(Outgoing(BLOCK_REQUESTS, "bitcoin", REQUEST)))
            while status.snapshot()["waiting_on"] is None:
                assert not sending.done(), sending
                await asyncio.sleep(0.05)
            waited = status.snapshot()
            own_kafka.restart()
            ensure_topics(own_kafka.target, "sending")
            await asyncio.wait_for(sending, PATIENCE_SECONDS)
            return waited["waiting_on"], waited["wait_reason"]
        finally:
            await producer.stop()

    with ServiceStatus("streams", tmp_path / "run", SystemClock()) as status:
        status.working()
        on, reason = asyncio.run(run(status))
        assert on == "kafka" and reason is not None and reason.startswith("block-requests.v1: ")
        assert status.snapshot()["state"] == "working"
    name = BLOCK_REQUESTS.full_name("sending")
    consumer = make_consumer(own_kafka.target, (name,), client_id="test", group_id=None, kafka=KafkaSettings())
    found: list[BlockRequest] = []

    def came() -> bool:
        records = [record for part in consumer.poll(timeout_ms=1_000).values() for record in part]
        found.extend(BlockRequest.model_validate_json(record.value) for record in records)
        return bool(found)

    try:
        wait_for(came, "the message")
    finally:
        consumer.close()
    # It comes again where the broker took longer to confirm it than the client tries.
    assert all(one == REQUEST for one in found)


def test_what_is_sent_together_arrives_once_the_broker_is_back(own_kafka: RunningKafka, tmp_path: Path) -> None:
    sent = [REQUEST.model_copy(update={"chain": chain}) for chain in ("bitcoin", "litecoin", "signet")]

    async def run(status: ServiceStatus) -> None:
        app = app_on(own_kafka.target, tmp_path)
        producer = await app.maybe_start_producer()
        own_kafka.kill()
        try:
            sender = Sender(app.maybe_start_producer, "sending", Waiter(SystemClock(), status, lambda: False))
            sending = asyncio.create_task(sender.send(*(Outgoing(BLOCK_REQUESTS, one.chain, one) for one in sent)))
            while status.snapshot()["waiting_on"] is None:
                assert not sending.done(), sending
                await asyncio.sleep(0.05)
            own_kafka.restart()
            ensure_topics(own_kafka.target, "sending")
            await asyncio.wait_for(sending, PATIENCE_SECONDS)
        finally:
            await producer.stop()

    with ServiceStatus("streams", tmp_path / "run", SystemClock()) as status:
        status.working()
        asyncio.run(run(status))
        assert status.snapshot()["state"] == "working"
    name = BLOCK_REQUESTS.full_name("sending")
    consumer = make_consumer(own_kafka.target, (name,), client_id="test", group_id=None, kafka=KafkaSettings())
    found: set[str] = set()

    def came() -> bool:
        records = [record for part in consumer.poll(timeout_ms=1_000).values() for record in part]
        found.update(BlockRequest.model_validate_json(record.value).chain for record in records)
        return len(found) == len(sent)

    try:
        wait_for(came, "all messages")
    finally:
        consumer.close()


def test_messages_of_one_topic_with_a_key_each_are_sent_together() -> None:
    def one(key: str, topic: Topic = PAIRS, crash_point: str | None = None) -> Outgoing:
        return Outgoing(topic, key, REQUEST, crash_point=crash_point)

    score, requests = one("bitcoin", SCORES, "streams-after-score"), one("a", BLOCK_REQUESTS)
    pairs = [one("a"), one("b"), one("c"), one("b"), one("a")]
    assert list(sent_together([score, score, *pairs, requests])) == [
        [score],
        [score],
        pairs[:3],
        pairs[3:],
        [requests],
    ]
    assert list(sent_together([one("a", PAIRS, "here"), one("b")])) == [[one("a", PAIRS, "here")], [one("b")]]
    assert list(sent_together([])) == []


def test_a_stop_ends_the_wait(tmp_path: Path) -> None:
    async def run(status: ServiceStatus) -> None:
        app = app_on(KafkaTarget(f"127.0.0.1:{reserved_port()}"), tmp_path)
        sender = Sender(app.maybe_start_producer, "sending", Waiter(SystemClock(), status, lambda: True))
        try:
            with pytest.raises(StoppingError, match="stopped while waiting for kafka"):
                await asyncio.wait_for(sender.send(Outgoing(BLOCK_REQUESTS, "bitcoin", REQUEST)), PATIENCE_SECONDS)
        finally:
            await app.producer.stop()

    with ServiceStatus("streams", tmp_path / "run", SystemClock()) as status:
        asyncio.run(run(status))
        assert status.snapshot()["waiting_on"] == "kafka"


def test_a_producer_that_ended_first_is_no_bug(kafka: RunningKafka, tmp_path: Path) -> None:
    """At a stop Faust may end its producer while a batch still has something to send: its messages come again."""

    async def run(status: ServiceStatus) -> None:
        app = app_on(kafka.target, tmp_path)
        producer = await app.maybe_start_producer()
        await producer.stop()

        async def ended() -> object:
            return producer

        stopping = asyncio.Event()
        sender = Sender(ended, "sending", Waiter(SystemClock(), status, stopping.is_set))
        sending = asyncio.create_task(sender.send(Outgoing(BLOCK_REQUESTS, "bitcoin", REQUEST)))
        while status.snapshot()["waiting_on"] is None:
            assert not sending.done(), sending
            await asyncio.sleep(0.05)
        stopping.set()
        with pytest.raises(StoppingError):
            await asyncio.wait_for(sending, PATIENCE_SECONDS)

    with ServiceStatus("streams", tmp_path / "run", SystemClock()) as status:
        status.working()
        asyncio.run(run(status))
