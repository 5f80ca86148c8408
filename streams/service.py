"""The streams service: Faust reads, workers fold and write in threads of their own, what they return is sent, then it acknowledges.

A bug ends the process at once, unacknowledged, and the supervisor starts it again: an exception that left an agent would lose its
events, because Faust commits their offsets all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec

import structlog

from counterpoise.clickhouse.client import connect_consistent
from counterpoise.clickhouse.dataset_mark import open_dataset
from counterpoise.errors import ConfigError
from counterpoise.kafka.broker_memory import BrokerMemory
from counterpoise.kafka.own_partitions import require_own_partitions
from counterpoise.kafka.topic_setup import ensure_topics
from counterpoise.runtime.clock import Clock, SystemClock
from counterpoise.runtime.crash_points import crash_point
from counterpoise.runtime.retry import RetryPolicy, StoppingError, Waiter
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.series.load import load_catalogue
from counterpoise.settings.endpoints import clickhouse_target, kafka_target
from counterpoise.settings.model import Settings
from streams.asymmetry.pair_events import with_pair_events
from streams.faust_app import StreamsApp, create_app, raw_topic
from streams.intake.batches import add_batch_agent
from streams.intake.dead_letter import RawMessage
from streams.sender import Sender
from streams.worker import Outgoing, Output, Worker, sent_together
from streams.worker_registry import WORKERS, WorkerContext, WorkerEntry
from streams.worker_store import WorkerStore
from streams.worker_thread import WorkerThread

EXIT_BUG = 70
EXIT_CONFIG = 2
EXIT_TOPICS_CHANGED = 75

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_REFRESH_SECONDS = 2.0
_IDENTITY_SECONDS = 1.0
_IDENTITY_RETRY = RetryPolicy(0.25, 0.25, jitter=0.0)
_WATCH_SECONDS = 0.1
_STOP_SECONDS = 20.0

log = structlog.get_logger("streams")
P = ParamSpec("P")


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


@dataclass(frozen=True, slots=True)
class _RunningWorker:
    entry: WorkerEntry
    thread: WorkerThread
    worker: Worker

    def topic_name(self, dataset: str) -> str:
        return self.entry.topic.full_name(dataset)


class StreamsService:
    """All wiring of the service; one instance a process."""

    def __init__(self, settings: Settings, clock: Clock, stop: threading.Event, status: ServiceStatus) -> None:
        self._settings = settings
        self._stop = stop
        self._status = status
        self._kafka = kafka_target(settings)
        self._catalogue = load_catalogue()
        waiter = self._waiter = Waiter(clock, status, stop.is_set)
        self._sender = Sender(self._producer, settings.dataset, waiter)
        target = clickhouse_target(settings)
        self._threads = {
            name: WorkerThread(name, WorkerStore(connect_consistent(target, settings.dataset), waiter))
            for name in dict.fromkeys(entry.thread for entry in WORKERS)
        }
        self._workers = [self._create(entry) for entry in WORKERS]
        read = tuple(worker.topic_name(settings.dataset) for worker in self._workers)
        self._broker_memory = BrokerMemory(self._kafka, read)
        self._app: StreamsApp | None = None
        self._dying = threading.Lock()
        status.time_chains([settings.ingest.chain])

    async def main(self) -> None:
        """Prepare, run Faust, and watch over it until a stop."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ValueError, RuntimeError):  # not in the main thread
            for number in _SIGNALS:
                loop.add_signal_handler(number, self._take_signal)
        try:
            await self._workers[0].thread.run(self._prepare, self._workers[0].thread.store)
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
            log.warning("second stop signal: leaving current work, which is redelivered")
            self._die(0)
        self._stop.set()

    def _create(self, entry: WorkerEntry) -> _RunningWorker:
        thread = self._threads[entry.thread]
        return _RunningWorker(entry, thread, entry.create(WorkerContext(self._settings, thread.store, self._catalogue)))

    def _prepare(self, store: WorkerStore) -> None:
        """Topics and dataset, waited for as long as it takes."""
        settings, until_done = self._settings, self._waiter.until_done
        make_topics = partial(
            ensure_topics,
            self._kafka,
            settings.dataset,
            settings.kafka.replication_factor,
            partitions=settings.kafka.partitions,
        )
        until_done("kafka", make_topics)
        until_done("kafka", partial(require_own_partitions, self._kafka, settings.dataset))
        until_done("kafka", self._broker_memory.is_lost)
        store.read(open_dataset, settings.dataset_of)

    def _build(self) -> StreamsApp:
        app = create_app(self._settings, self._kafka, self._check_topics)
        for running in self._workers:
            self._add_worker(app, running)

        @app.on_partitions_assigned.connect(weak=False)  # type: ignore[untyped-decorator]
        async def on_assigned(sender: Any, assigned: Any = (), **_: Any) -> None:
            for running in self._workers:
                topic = running.topic_name(self._settings.dataset)
                partitions = frozenset(tp.partition for tp in assigned if tp.topic == topic)
                await self._run(running, running.worker.assign, partitions)

        @app.timer(_IDENTITY_SECONDS)  # type: ignore[untyped-decorator]
        async def check_topics() -> None:
            await self._check_topics()

        return app

    def _add_worker(self, app: StreamsApp, running: _RunningWorker) -> None:
        async def handle(messages: Sequence[RawMessage]) -> None:
            await self._run(running, running.worker.handle, messages)

        batching = running.entry.batching(self._settings)
        add_batch_agent(
            app,
            raw_topic(app, running.topic_name(self._settings.dataset)),
            running.entry.name,
            handle,
            take_messages=batching.messages,
            within_seconds=batching.within_seconds,
        )

        async def refresh() -> None:
            await self._run(running, running.worker.refresh)

        app.timer(_REFRESH_SECONDS, name=f"refresh-{running.entry.name}")(refresh)

    async def _check_topics(self) -> None:
        """Return once the broker has confirmed that our topics are still the same; end the process where they are not.

        It is asked every second, so a worker with nothing to do sees that the broker is away, and reports it.
        """

        async def is_lost() -> bool:
            return await asyncio.get_running_loop().run_in_executor(None, self._broker_memory.is_lost)

        try:
            lost = await self._waiter.until_done_async("kafka", is_lost, policy=_IDENTITY_RETRY)
        except StoppingError:  # there is nobody to acknowledge anything to
            self._die(0)
        except ConfigError as error:  # a certificate or a token that was renewed too late
            self._die_of(error)
        else:
            if lost:
                log.error(
                    "topics were made anew: the broker has lost its memory; starting again from what it holds now"
                )
                self._die(EXIT_TOPICS_CHANGED)

    async def _run(
        self,
        running: _RunningWorker,
        call: Callable[P, Sequence[Output]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Call a worker in its thread and send what it returns.

        Where either fails, the process ends here, so that nothing is acknowledged that was not done.
        """

        def work() -> list[Outgoing]:
            return with_pair_events(call(*args, **kwargs), self._catalogue, running.thread.store)

        try:
            await self._send(await running.thread.run(work))
        except (StoppingError, asyncio.CancelledError):
            self._die(0)
        except ConfigError as error:
            self._die_of(error)
        except Exception:
            log.exception("a bug ends this process; its messages stay unacknowledged")
            self._die(EXIT_BUG)

    async def _send(self, outgoing: Sequence[Outgoing]) -> None:
        for group in sent_together(outgoing):
            await self._sender.send(*group)
            if (name := group[-1].crash_point) is not None:
                crash_point(name)

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
        for running in reversed(self._workers):
            await running.thread.run(running.worker.close)
        for thread in self._threads.values():
            thread.shutdown()

    def _die_of(self, error: ConfigError) -> None:
        log.error("stopped", reason=str(error))
        self._status.set(stopped_because=str(error))
        self._die(EXIT_CONFIG)

    def _die(self, code: int) -> None:
        """End the process without any further commit."""
        self._dying.acquire()  # for good: of two threads that see the same end, the second must not cut the first one short
        with contextlib.suppress(Exception):
            if code == 0:
                self._status.close()
            else:
                self._status.flush()
        os._exit(code)
