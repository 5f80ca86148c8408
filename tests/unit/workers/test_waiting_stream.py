"""The stream that waits for a message: it hands over what Faust's own does, and does not look for messages while none comes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streams.faust_app import StreamsApp
from streams.intake.waiting_stream import WaitingStream

WITHIN_SECONDS = 0.001


class CountingStream(WaitingStream):
    """Counts how often `noack_take` looks into its buffer."""

    looks = 0

    async def wait_for_stopped(self, *coros: Any, timeout: Any = None) -> bool:  # noqa: ASYNC109 - Faust's
        type(self).looks += 1
        return await super().wait_for_stopped(*coros, timeout=timeout)


def taken(batches: list[list[bytes]], *, max_messages: int, stream: type[WaitingStream] = WaitingStream) -> list[bytes]:
    """Put the batches into an agent's channel, one once the one before is handled; what the agent was given, in its order."""
    found: list[bytes] = []

    async def run() -> None:
        app = StreamsApp("waiting-stream", broker="kafka://", store="memory://", Stream=stream, web_enabled=False)
        handled = asyncio.Event()

        async def agent(events: Any) -> None:
            async for taken_now in events.noack_take(max_messages, within=WITHIN_SECONDS):
                assert 1 <= len(taken_now) <= max_messages
                await asyncio.sleep(0)
                found.extend(event.value for event in taken_now)
                for event in taken_now:
                    event.ack()
                handled.set()

        channel = app.channel(value_type=bytes)
        async with app.agent(channel, name="agent", concurrency=1)(agent).test_context() as context:
            wanted = 0
            for batch in batches:
                wanted += len(batch)
                for value in batch:
                    await context.put(value, wait=False)
                while len(found) < wanted:
                    handled.clear()
                    await handled.wait()
            await asyncio.sleep(50 * WITHIN_SECONDS)
        app.consumer._thread.thread_loop.close()  # Faust makes it for a thread that never starts here

    asyncio.run(run())
    return found


@pytest.mark.parametrize("max_messages", [1, 3, 100])
def test_every_message_is_handed_over_once_and_in_order(max_messages: int) -> None:
    batches = [[b"%d-%d" % (number, at) for at in range(size)] for number, size in enumerate((1, 7, 2, 40, 1, 1, 3))]

    assert taken(batches, max_messages=max_messages) == [value for batch in batches for value in batch]


def test_nothing_is_looked_for_while_no_message_comes() -> None:
    CountingStream.looks = 0

    taken([[b"a"], [b"b"]], max_messages=10, stream=CountingStream)

    assert CountingStream.looks <= 6  # Faust's own looks 50 times in the pause at the end
