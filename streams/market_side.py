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
from counterpoise.deadletter_limit import DeadLetterLimit
from counterpoise.series.load import load_catalogue
from counterpoise.settings import Settings
from streams.agents.batches import add_batch_agent
from streams.app import StreamsApp, raw_topic
from streams.dead_letter_box import RawMessage
from streams.market_worker import MarketWorker
from streams.pair_worker import PairWorker
from streams.pairs import score_pair_events
from streams.sender import Sender
from streams.store import Store
from streams.waiting import Patience

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
        patience: Patience,
        guarded: Guarded,
        sender: Sender,
    ) -> None:
        self._settings = settings
        self._guarded = guarded
        self._sender = sender
        self._catalogue = load_catalogue()
        limit = DeadLetterLimit(settings.streams.dead_letter_limit_window, settings.streams.dead_letter_limit_ratio)
        self._releases = MarketWorker(
            Store(connect(), patience), dataset=settings.dataset, catalogue=self._catalogue, limit=limit
        )
        self._pairs = PairWorker(
            Store(connect(), patience),
            dataset=settings.dataset,
            catalogue=self._catalogue,
            month_ends_only=settings.streams.asymmetry_days == "month_ends",
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
            await self._guarded(lambda: _run(self._release_thread, self._releases.refresh), self._tell)

        @app.timer(_REFRESH_SECONDS)  # type: ignore[untyped-decorator]
        async def refresh_pairs() -> None:
            await self._guarded(lambda: _run(self._pair_thread, self._pairs.tick), tell_nobody)

    async def assigned(self, partitions: Iterable[Any]) -> None:
        """Take over what was assigned: (topic, partition) of every topic of the service."""
        dataset = self._settings.dataset
        placed = [(one.topic, one.partition) for one in partitions]
        releases = frozenset(number for topic, number in placed if topic == EDGE_AI.full_name(dataset))
        pairs = frozenset(number for topic, number in placed if topic == PAIRS.full_name(dataset))
        await self._guarded(lambda: _run(self._pair_thread, self._pairs.assign, pairs), tell_nobody)
        await self._guarded(lambda: _run(self._release_thread, self._releases.assign, releases), self._tell)

    async def scored(self, score: ScoreEvent) -> None:
        """Tell the pairs of a chain that blocks were scored."""
        await self._tell(score_pair_events(self._catalogue, score))

    async def close(self) -> None:
        """Close both clients and end both threads."""
        await _run(self._release_thread, self._releases.close)
        await _run(self._pair_thread, self._pairs.close)
        self._release_thread.shutdown()
        self._pair_thread.shutdown()

    async def _process_releases(self, messages: Sequence[RawMessage]) -> None:
        await self._guarded(lambda: _run(self._release_thread, self._releases.handle, messages), self._tell)

    async def _process_pairs(self, messages: Sequence[RawMessage]) -> None:
        await self._guarded(lambda: _run(self._pair_thread, self._pairs.handle, messages), tell_nobody)

    async def _tell(self, events: Sequence[PairEvent]) -> None:
        for event in events:
            await self._sender.send_event(PAIRS, event.key, event, PAIR_KIND)


async def _run(thread: ThreadPoolExecutor, work: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(thread, work, *arguments)


async def tell_nobody(_: None) -> None:
    """What is done with what a worker returns that returns nothing."""
