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

from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.datasets import open_dataset
from counterpoise.contracts.blocks import BlockRequest
from counterpoise.contracts.scores import SCORE_KIND, ScoreEvent
from counterpoise.contracts.topics import BLOCK_REQUESTS, BLOCKS, DEAD_LETTERS, EDGE_AI, PAIRS, SCORES, Topic
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.kafka.own_partitions import require_own_partitions
from counterpoise.kafka.topic_identity import TopicIdentity
from counterpoise.kafka.topics import ensure_topics
from counterpoise.runtime.clock import Clock, SystemClock
from counterpoise.runtime.crash_points import crash_point
from counterpoise.runtime.dead_letter_limit import DeadLetterLimit
from counterpoise.runtime.status import ServiceStatus
from counterpoise.settings.endpoints import clickhouse_target, kafka_bootstrap
from counterpoise.settings.model import Settings
from streams.app import StreamsApp, create_app, raw_topic
from streams.blocks.worker import BlockWorker
from streams.intake.batches import add_batch_agent
from streams.intake.dead_letter import RawMessage
from streams.market_side import MarketSide, send_nothing
from streams.sender import Sender
from streams.waiting import FIRST_WAIT_SECONDS, RetryPolicy, StoppingError
from streams.worker_store import WorkerStore

EXIT_BUG = 70
EXIT_CONFIG = 2
EXIT_TOPICS_CHANGED = 75

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
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
    """Run until SIGTERM, SIGINT or `stop`. ConfigError for what no retry helps; a bug ends the process with code 70.

    The first signal lets finish and acknowledge what is under way; a second one ends the process where it stands: what is not
    acknowledged comes again.
    """
    service = StreamsService(settings, clock or SystemClock(), stop or threading.Event(), status)
    try:
        asyncio.run(service.main())
    finally:
        service.ignore_signals()  # the loop has given them back; what is left of the process takes no time


class StreamsService:
    """All wiring of the service; one instance a process."""

    def __init__(self, settings: Settings, clock: Clock, stop: threading.Event, status: ServiceStatus) -> None:
        self._settings = settings
        self._stop = stop
        self._status = status
        self._bootstrap = kafka_bootstrap(settings)
        target = clickhouse_target(settings)
        open_client = partial(connect, target, settings.dataset)
        self._patience = RetryPolicy(status, clock, stop.is_set)
        self._sender = Sender(self._producer, settings.dataset, self._patience)
        self._store = WorkerStore(open_client(), self._patience)
        limit = DeadLetterLimit(settings.streams.dead_letter_limit_window, settings.streams.dead_letter_limit_ratio)
        self._worker = BlockWorker(
            self._store, dataset=settings.dataset, limit=limit, partitions=settings.kafka.partitions
        )
        # One thread: the worker's state, its ClickHouse session and the order of its writes need no lock.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="fold")
        self._market = MarketSide(
            settings,
            open_client,
            retry_policy=self._patience,
            guarded=self._guarded,
            sender=self._sender,
        )
        read = (BLOCKS, EDGE_AI, PAIRS, DEAD_LETTERS)
        self._topics = TopicIdentity(self._bootstrap, tuple(topic.full_name(settings.dataset) for topic in read))
        self._app: StreamsApp | None = None
        self._dying = threading.Lock()

    async def main(self) -> None:
        """Prepare, run Faust, and watch over both until told to stop."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ValueError, RuntimeError):  # not in the main thread
            for number in _SIGNALS:
                loop.add_signal_handler(number, self._take_signal)
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

    def ignore_signals(self) -> None:
        """Take no more signals, where they were taken."""
        with contextlib.suppress(ValueError):
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_IGN)

    def _take_signal(self) -> None:
        if self._stop.is_set():
            log.warning("told twice to stop: leaving what is under way, which comes again")
            self._die(0)
        self._stop.set()

    def _prepare(self) -> None:
        """Topics and dataset, waited for as long as it takes."""
        settings, until_done = self._settings, self._patience.until_done
        make_topics = partial(
            ensure_topics,
            self._bootstrap,
            settings.dataset,
            settings.kafka.replication_factor,
            partitions=settings.kafka.partitions,
        )
        until_done(make_topics, on="kafka")
        until_done(partial(require_own_partitions, self._bootstrap, settings.dataset), on="kafka")
        until_done(self._topics.has_changed, on="kafka")
        self._store.read(open_dataset, settings.dataset_of)

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
        """Return once the broker has confirmed that our topics are still the same; end the process where they are not.

        It is asked every second, so a worker with nothing to do sees that the broker is away, and says so.
        """
        waited = False
        while True:
            try:
                changed = await asyncio.get_running_loop().run_in_executor(None, self._topics.has_changed)
            except RetryableError as error:
                if self._stop.is_set():  # there is nobody to acknowledge anything to
                    self._die(0)
                self._status.waiting("kafka", str(error))
                waited = True
                await asyncio.sleep(FIRST_WAIT_SECONDS)
                continue
            if changed:
                log.error(
                    "topics were made anew: the broker has lost its memory; starting again from what it holds now"
                )
                self._die(EXIT_TOPICS_CHANGED)
            if waited:
                self._status.working()
            return

    async def _process_blocks(self, messages: Sequence[RawMessage]) -> None:
        await self._guarded(lambda: self._in_thread(self._worker.handle, messages), self._send_scores)

    async def _process_dead_letters(self, messages: Sequence[RawMessage]) -> None:
        await self._guarded(lambda: self._in_thread(self._worker.store_dead_letters, messages), send_nothing)

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
            await self._sender.send_event(SCORES, score.chain, score, SCORE_KIND)
            crash_point("streams-after-score")
            await self._market.scored(score)

    async def _send_requests(self, requests: Sequence[BlockRequest]) -> None:
        for request in requests:
            await self._sender.send(BLOCK_REQUESTS, request.chain, request.model_dump_json().encode())

    async def _producer(self) -> Any:
        if self._app is None:
            raise RuntimeError("nothing is sent before the app is built")
        return await self._app.maybe_start_producer()

    async def _shut_down(self, app: StreamsApp) -> None:
        """Let Faust finish and commit what is under way; a sink that hangs must not hang the stop."""
        leaving = asyncio.create_task(self._leave(app))
        done, _ = await asyncio.wait(
            {leaving}, timeout=_STOP_SECONDS
        )  # not cancelled: Faust swallows that, and waits on
        if not done:
            log.warning("something hangs: leaving what is under way, which comes again", after_seconds=_STOP_SECONDS)
            self._die(0)
        await leaving

    async def _leave(self, app: StreamsApp) -> None:
        await app.stop()
        await self._market.close()
        await self._in_thread(self._worker.close)
        self._executor.shutdown()

    def _die(self, code: int) -> None:
        """End the process without any further commit."""
        self._dying.acquire()  # for good: of two threads that see the same end, the second must not cut the first one short
        with contextlib.suppress(Exception):
            if code == 0:
                self._status.close()
            else:
                self._status.flush()
        os._exit(code)
