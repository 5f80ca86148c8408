"""The streams service: Faust reads, one thread folds and writes, scores go out, and only then is anything acknowledged.

A bug ends the process at once, unacknowledged, and the supervisor starts it again: an exception that left an agent would lose its
events, because Faust commits their offsets all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import structlog
from aiokafka.errors import KafkaError

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.datasets import open_dataset
from counterpoise.clock import Clock, SystemClock
from counterpoise.contracts.base import Contract
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.scores import SCORE_KIND, ScoreEvent
from counterpoise.contracts.topics import BLOCK_REQUESTS, BLOCKS, DEAD_LETTERS, EDGE_AI, PAIRS, SCORES, Topic
from counterpoise.deadletter_limit import DeadLetterLimit
from counterpoise.endpoints import clickhouse_target, kafka_bootstrap
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.kafka.topics import ensure_topics
from counterpoise.settings import Settings
from counterpoise.telemetry.status import ServiceStatus
from counterpoise.testing.crash import crash_point
from streams.agents.batches import add_batch_agent
from streams.app import StreamsApp, create_app, raw_topic
from streams.block_worker import BlockWorker
from streams.dead_letter_box import RawMessage
from streams.market_side import MarketSide
from streams.topic_identity import TopicIdentity
from streams.waiting import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, StoppingError, until_done

EXIT_BUG = 70
EXIT_CONFIG = 2
EXIT_TOPICS_CHANGED = 75

_REFRESH_SECONDS = 2.0
_REQUEST_SECONDS = 2.0
_IDENTITY_SECONDS = 1.0
_WATCH_SECONDS = 0.1
_STOP_SECONDS = 20.0

log = structlog.get_logger("streams")
T = TypeVar("T")


def run_streams(
    settings: Settings, *, clock: Clock | None = None, stop: threading.Event | None = None, status: ServiceStatus
) -> None:
    """Run until SIGTERM, SIGINT or `stop`. ConfigError for what no retry helps; a bug ends the process with code 70."""
    service = StreamsService(settings, clock or SystemClock(), stop or threading.Event(), status)
    asyncio.run(service.main())


class StreamsService:
    """All wiring of the service; one instance a process."""

    def __init__(self, settings: Settings, clock: Clock, stop: threading.Event, status: ServiceStatus) -> None:
        self._settings = settings
        self._clock = clock
        self._stop = stop
        self._status = status
        self._bootstrap = kafka_bootstrap(settings)
        target = clickhouse_target(settings)
        self._connect: Callable[[], ClickHouse] = partial(connect, target, settings.dataset)
        self._worker = BlockWorker(
            self._connect,
            dataset=settings.dataset,
            status=status,
            clock=clock,
            limit=DeadLetterLimit(settings.streams.dead_letter_limit_window, settings.streams.dead_letter_limit_ratio),
            stopping=stop.is_set,
        )
        # One thread: the worker's state, its ClickHouse session and the order of its writes need no lock.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="fold")
        self._market = MarketSide(
            settings,
            self._connect,
            clock=clock,
            status=status,
            stopping=stop.is_set,
            guarded=self._guarded,
            send=self._send,
        )
        read = (BLOCKS, EDGE_AI, PAIRS, DEAD_LETTERS)
        self._topics = TopicIdentity(self._bootstrap, tuple(topic.full_name(settings.dataset) for topic in read))
        self._app: StreamsApp | None = None

    async def main(self) -> None:
        """Prepare, run Faust, and watch over both until told to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):  # not in the main thread
                loop.add_signal_handler(number, self._stop.set)
        try:
            await loop.run_in_executor(self._executor, self._prepare)
        except StoppingError:
            return
        app = self._app = self._build()
        await app.start()
        self._status.working()
        try:
            while not self._stop.is_set() and not app.should_stop:
                self._status.beat()
                await asyncio.sleep(_WATCH_SECONDS)
            if app.crash_reason is not None:
                log.error("faust crashed", error=repr(app.crash_reason))
                self._die(EXIT_BUG)
        finally:
            await self._shut_down(app)

    def _prepare(self) -> None:
        """Topics and dataset, waited for as long as it takes."""
        settings = self._settings
        until_done(
            lambda: ensure_topics(self._bootstrap, settings.dataset, settings.kafka.replication_factor),
            on="kafka",
            status=self._status,
            clock=self._clock,
            stopping=self._stop.is_set,
        )
        until_done(
            self._topics.has_changed,
            on="kafka",
            status=self._status,
            clock=self._clock,
            stopping=self._stop.is_set,
        )
        clickhouse = self._connect()
        until_done(
            lambda: open_dataset(clickhouse, settings.dataset_of),
            on="clickhouse",
            status=self._status,
            clock=self._clock,
            stopping=self._stop.is_set,
        )
        clickhouse.close()

    def _build(self) -> StreamsApp:
        settings = self._settings
        app = create_app(settings, self._bootstrap, self._check_topics)

        def name(topic: Topic) -> str:
            return topic.full_name(settings.dataset)

        add_batch_agent(
            app,
            raw_topic(app, name(BLOCKS)),
            "blocks",
            self._process_blocks,
            take_messages=settings.streams.take_messages,
            within_seconds=settings.streams.take_within_seconds,
        )
        add_batch_agent(
            app,
            raw_topic(app, name(DEAD_LETTERS)),
            "dead-letters",
            self._process_dead_letters,
            take_messages=100,
            within_seconds=0.2,
        )
        self._market.add_to(app)

        @app.on_partitions_assigned.connect(weak=False)  # type: ignore[untyped-decorator]
        async def on_assigned(sender: Any, assigned: Any = (), **_: Any) -> None:
            blocks = frozenset(tp.partition for tp in assigned if tp.topic == name(BLOCKS))
            await self._guarded(lambda: self._in_thread(self._worker.assign, blocks), self._send_scores)
            await self._market.assigned(assigned)

        @app.timer(_REFRESH_SECONDS)  # type: ignore[untyped-decorator]
        async def refresh() -> None:
            await self._guarded(lambda: self._in_thread(self._worker.refresh), self._send_scores)

        @app.timer(_REQUEST_SECONDS)  # type: ignore[untyped-decorator]
        async def request() -> None:
            await self._guarded(lambda: self._in_thread(self._worker.requests), self._send_requests)

        @app.timer(_IDENTITY_SECONDS)  # type: ignore[untyped-decorator]
        async def check_topics() -> None:
            await self._check_topics()

        return app

    async def _check_topics(self) -> None:
        """Return once the broker has confirmed that our topics are still the same; end the process where they are not."""
        while True:
            try:
                changed = await asyncio.get_running_loop().run_in_executor(None, self._topics.has_changed)
            except RetryableError:
                await asyncio.sleep(FIRST_WAIT_SECONDS)
                continue
            if changed:
                log.error(
                    "topics were made anew: the broker has lost its memory; starting again from what it holds now"
                )
                self._die(EXIT_TOPICS_CHANGED)
            return

    async def _process_blocks(self, messages: Sequence[RawMessage]) -> None:
        await self._guarded(lambda: self._in_thread(self._worker.handle, messages), self._send_scores)

    async def _process_dead_letters(self, messages: Sequence[RawMessage]) -> None:
        async def nothing(_: None) -> None:
            return None

        await self._guarded(lambda: self._in_thread(self._worker.store_dead_letters, messages), nothing)

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)

    async def _guarded(self, work: Callable[[], Awaitable[T]], then: Callable[[T], Awaitable[None]]) -> None:
        """Run both; where that fails, the process ends here, so that nothing is acknowledged that was not done."""
        try:
            await then(await work())
        except (StoppingError, asyncio.CancelledError):
            self._die(0)
        except ConfigError as error:
            log.error("stopped", reason=str(error))
            self._status.set(stopped_because=str(error))
            self._die(EXIT_CONFIG)
        except Exception:
            log.exception("a bug ends this process; its messages stay unacknowledged")
            self._die(EXIT_BUG)

    async def _send_scores(self, scores: Sequence[ScoreEvent]) -> None:
        for score in scores:
            await self._send(
                SCORES,
                score.chain,
                encode(
                    [score],
                    kind=SCORE_KIND,
                    dataset=self._settings.dataset,
                    producer="streams",
                    sent_at_ms=int(self._clock.now() * 1000),
                ),
            )
            crash_point("streams-after-score")
            await self._market.scored(score)

    async def _send_requests(self, requests: Sequence[Contract]) -> None:
        for request in requests:
            await self._send(BLOCK_REQUESTS, request.chain, request.model_dump_json().encode())  # type: ignore[attr-defined]

    async def _send(self, topic: Topic, key: str, value: bytes) -> None:
        """Send until it is acknowledged; a broker that is down is waited for."""
        app = self._app
        wait_seconds = FIRST_WAIT_SECONDS
        while True:
            try:
                producer = await app.maybe_start_producer()  # type: ignore[union-attr]
                await producer.send_and_wait(
                    topic.full_name(self._settings.dataset), key.encode(), value, None, None, headers={}
                )
            except KafkaError as error:
                self._status.waiting("kafka", f"{topic.name}: {error!r}")
                if self._stop.is_set():
                    raise StoppingError("stopped while waiting for kafka") from error
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(LONGEST_WAIT_SECONDS, wait_seconds * 2)
            else:
                if wait_seconds != FIRST_WAIT_SECONDS:
                    self._status.working()
                return

    async def _shut_down(self, app: StreamsApp) -> None:
        """Let Faust finish and commit what is under way; a sink that hangs must not hang the stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(app.stop(), _STOP_SECONDS)
            await self._in_thread(self._worker.close)
            await self._market.close()
        self._market.shut_down()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _die(self, code: int) -> None:
        """End the process without any further commit."""
        with contextlib.suppress(Exception):
            self._status.flush()
        os._exit(code)
