"""The AI side of the streams service: its two workers, each with a thread of its own, and their agents."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clock import Clock
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.pairs import PAIR_KIND, PairEvent
from counterpoise.contracts.scores import ScoreEvent
from counterpoise.contracts.topics import EDGE_AI, PAIRS, Topic
from counterpoise.deadletter_limit import DeadLetterLimit
from counterpoise.series.load import load_catalogue
from counterpoise.settings import Settings
from counterpoise.telemetry.status import ServiceStatus
from streams.agents.batches import add_batch_agent
from streams.app import StreamsApp, raw_topic
from streams.dead_letter_box import RawMessage
from streams.market_worker import MarketWorker
from streams.pair_worker import PairWorker
from streams.pairs import score_pair_events

_REFRESH_SECONDS = 2.0
_RELEASE_MESSAGES = 16
_RELEASE_WITHIN_SECONDS = 0.05
_PAIR_MESSAGES = 500
_PAIR_WITHIN_SECONDS = 0.5
"""Messages of one pair that come close together are one look at it."""

Send = Callable[[Topic, str, bytes], Awaitable[None]]
Guarded = Callable[[Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


class MarketSide:
    """`guarded` and `send` are the service's own: they end the process on a bug and wait for a broker that is away."""

    def __init__(
        self,
        settings: Settings,
        connect: Callable[[], ClickHouse],
        *,
        clock: Clock,
        status: ServiceStatus,
        stopping: Callable[[], bool],
        guarded: Guarded,
        send: Send,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._guarded = guarded
        self._send = send
        self._catalogue = load_catalogue()
        limit = DeadLetterLimit(settings.streams.dead_letter_limit_window, settings.streams.dead_letter_limit_ratio)
        self._releases = MarketWorker(
            connect,
            dataset=settings.dataset,
            catalogue=self._catalogue,
            status=status,
            clock=clock,
            limit=limit,
            stopping=stopping,
        )
        self._pairs = PairWorker(
            connect,
            dataset=settings.dataset,
            catalogue=self._catalogue,
            status=status,
            clock=clock,
            stopping=stopping,
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
            await self._guarded(lambda: _run(self._pair_thread, self._pairs.tick), _nothing)

    async def assigned(self, partitions: Iterable[Any]) -> None:
        """Take over what was assigned: (topic, partition) of every topic of the service."""
        dataset = self._settings.dataset
        placed = [(one.topic, one.partition) for one in partitions]
        releases = frozenset(number for topic, number in placed if topic == EDGE_AI.full_name(dataset))
        pairs = frozenset(number for topic, number in placed if topic == PAIRS.full_name(dataset))
        await self._guarded(lambda: _run(self._pair_thread, self._pairs.assign, pairs), _nothing)
        await self._guarded(lambda: _run(self._release_thread, self._releases.assign, releases), self._tell)

    async def scored(self, score: ScoreEvent) -> None:
        """Tell the pairs of a chain that blocks were scored."""
        await self._tell(score_pair_events(self._catalogue, score))

    async def close(self) -> None:
        """Close both clients."""
        await _run(self._release_thread, self._releases.close)
        await _run(self._pair_thread, self._pairs.close)

    def shut_down(self) -> None:
        """Leave the threads; what they are at is not waited for."""
        self._release_thread.shutdown(wait=False, cancel_futures=True)
        self._pair_thread.shutdown(wait=False, cancel_futures=True)

    async def _process_releases(self, messages: Sequence[RawMessage]) -> None:
        await self._guarded(lambda: _run(self._release_thread, self._releases.handle, messages), self._tell)

    async def _process_pairs(self, messages: Sequence[RawMessage]) -> None:
        await self._guarded(lambda: _run(self._pair_thread, self._pairs.handle, messages), _nothing)

    async def _tell(self, events: Sequence[PairEvent]) -> None:
        for event in events:
            value = encode(
                [event],
                kind=PAIR_KIND,
                dataset=self._settings.dataset,
                producer="streams",
                sent_at_ms=int(self._clock.now() * 1000),
            )
            await self._send(PAIRS, event.key, value)


async def _run(thread: ThreadPoolExecutor, work: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(thread, work, *arguments)


async def _nothing(_: Any) -> None:
    return None
