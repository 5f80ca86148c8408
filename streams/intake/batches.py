"""An agent over batches: the shape that every topic here is read in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from counterpoise.runtime.crash_points import crash_point
from streams.intake.dead_letter import RawMessage

Process = Callable[[Sequence[RawMessage]], Awaitable[None]]


def raw_messages(events: Sequence[Any]) -> list[RawMessage]:
    """Faust events as the worker takes them."""
    return [
        RawMessage(m.topic, m.partition, m.offset, m.key, m.value, m.timestamp)
        for m in (event.message for event in events)
    ]


def add_batch_agent(
    app: Any, topic: Any, name: str, process: Process, *, take_messages: int, within_seconds: float
) -> None:
    """Run `process` over batches of a topic's messages. It returns when all their effects are stored; it never raises."""

    async def agent(stream: Any) -> None:
        async for events in stream.noack_take(take_messages, within=within_seconds):
            await process(raw_messages(events))
            crash_point("streams-before-ack")
            for event in events:
                event.ack()

    app.agent(topic, name=name, concurrency=1)(agent)
