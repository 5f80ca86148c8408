"""The AI side of the streams service: its two workers, each with a thread of its own, and their agents."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.contracts.pairs import PAIR_KIND, PairEvent
from counterpoise.contracts.scores import ScoreEvent
from counterpoise.contracts.topics import EDGE_AI, PAIRS
from counterpoise.runtime.dead_letter_limit import DeadLetterLimit
from counterpoise.series.load import load_catalogue
from counterpoise.settings.model import Settings
from streams.app import StreamsApp, raw_topic
from streams.asymmetry.fold.pairs import score_pair_events
from streams.asymmetry.worker import AsymmetryWorker
from streams.intake.batches import add_batch_agent
from streams.intake.dead_letter import RawMessage
from streams.releases.worker import ReleaseWorker
from streams.sender import Sender
from streams.waiting import RetryPolicy
from streams.worker_store import WorkerStore

_REFRESH_SECONDS = 2.0
_RELEASE_MESSAGES = 16
_RELEASE_WITHIN_SECONDS = 0.05
_PAIR_MESSAGES = 500
_PAIR_WITHIN_SECONDS = 0.5
"""Messages of one pair that come close together are one look at it."""

Guarded = Callable[[Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


class MarketSide:
    """`guarded` is the service's own: it ends the process on a bug."""

    def __init__(
        self,
        settings: Settings,
        connect: Callable[[], ClickHouse],
        *,
        retry_policy: RetryPolicy,
        guarded: Guarded,
        sender: Sender,
    ) -> None:
        self._settings = settings
        self._guarded = guarded
        self._sender = sender
        self._catalogue = load_catalogue()
        limit = DeadLetterLimit(settings.streams.dead_letter_limit_window, settings.streams.dead_letter_limit_ratio)
        self._releases = ReleaseWorker(
            WorkerStore(connect(), retry_policy),
            dataset=settings.dataset,
            catalogue=self._catalogue,
            limit=limit,
            partitions=settings.kafka.partitions,
        )
        self._pairs = AsymmetryWorker(
            WorkerStore(connect(), retry_policy),
            dataset=settings.dataset,
            catalogue=self._catalogue,
            month_ends_only=settings.streams.asymmetry_days == "month_ends",
            partitions=settings.kafka.partitions,
        )
        # A thread each: a history that is scored anew takes its time, and what arrives meanwhile is stored.
        self._release_thread = ThreadPoolExecutor(1, thread_name_prefix="releases")
        self._pair_thread = ThreadPoolExecutor(1, thread_name_prefix="pairs")

    def add_to(self, app: StreamsApp) -> None:
        """Put the agents and timers into the app."""
        dataset = self._settings.dataset
        add_batch_agent(
            app,
            raw_topic(app, EDGE_AI.full_name(dataset)),
            "releases",
            self._process_releases,
            take_messages=_RELEASE_MESSAGES,
            within_seconds=_RELEASE_WITHIN_SECONDS,
        )
        add_batch_agent(
            app,
            raw_topic(app, PAIRS.full_name(dataset)),
            "pairs",
            self._process_pairs,
            take_messages=_PAIR_MESSAGES,
            within_seconds=_PAIR_WITHIN_SECONDS,
        )

        @app.timer(_REFRESH_SECONDS)  # type: ignore[untyped-decorator]
        async def refresh_releases() -> None:
            await self._guarded(lambda: _run(self._release_thread, self._releases.refresh), self._publish)

        @app.timer(_REFRESH_SECONDS)  # type: ignore[untyped-decorator]
        async def refresh_pairs() -> None:
            await self._guarded(lambda: _run(self._pair_thread, self._pairs.tick), send_nothing)

    async def assigned(self, partitions: Iterable[Any]) -> None:
        """Take over what was assigned: (topic, partition) of every topic of the service."""
        dataset = self._settings.dataset
        placed = [(one.topic, one.partition) for one in partitions]
        releases = frozenset(number for topic, number in placed if topic == EDGE_AI.full_name(dataset))
        pairs = frozenset(number for topic, number in placed if topic == PAIRS.full_name(dataset))
        await self._guarded(lambda: _run(self._pair_thread, self._pairs.assign, pairs), send_nothing)
        await self._guarded(lambda: _run(self._release_thread, self._releases.assign, releases), self._publish)

    async def scored(self, score: ScoreEvent) -> None:
        """Tell the pairs of a chain that blocks were scored."""
        await self._publish(score_pair_events(self._catalogue, score))

    async def close(self) -> None:
        """Close both clients and end both threads."""
        await _run(self._release_thread, self._releases.close)
        await _run(self._pair_thread, self._pairs.close)
        self._release_thread.shutdown()
        self._pair_thread.shutdown()

    async def _process_releases(self, messages: Sequence[RawMessage]) -> None:
        await self._guarded(lambda: _run(self._release_thread, self._releases.handle, messages), self._publish)

    async def _process_pairs(self, messages: Sequence[RawMessage]) -> None:
        await self._guarded(lambda: _run(self._pair_thread, self._pairs.handle, messages), send_nothing)

    async def _publish(self, events: Sequence[PairEvent]) -> None:
        for event in events:
            await self._sender.send_event(PAIRS, event.key, event, PAIR_KIND)


async def _run(thread: ThreadPoolExecutor, work: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(thread, work, *arguments)


async def send_nothing(_: None) -> None:
    """What is done with what a worker returns that returns nothing."""
