"""Faust's stream, which waits for a message where Faust looks for one again and again.

`noack_take(n, within)` asks every `within` whether anything has arrived, and ours is milliseconds: two hundred times a second in a
worker with nothing to do. Here it waits for an arrival first, and `within` begins with that.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from faust.streams import Stream

_LOOK_AGAIN_SECONDS = 1.0
"""After so long it looks as Faust does, in case an arrival was missed."""

T = TypeVar("T")


class WaitingStream(Stream):  # type: ignore[misc]
    """Buffers, hands over and acknowledges as Faust's own stream does; only the wait of an empty buffer differs."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._arrived = asyncio.Event()
        self.app.waiting_streams.add(self)

    @property
    def waiting_bytes(self) -> int:
        """Bytes of the messages that were fetched and that nobody has taken yet."""
        return sum(len(event.message.value or b"") for event in self.channel.queue._queue)

    def add_processor(self, processor: Any) -> None:
        """As Faust; what notes an arrival stays the last, so that the message is in the buffer by then."""
        if self._note_arrival in self._processors:
            self._processors.remove(self._note_arrival)
        super().add_processor(processor)
        super().add_processor(self._note_arrival)

    def _note_arrival(self, value: T) -> T:
        self._arrived.set()
        return value

    async def wait_for_stopped(self, *coros: Any, timeout: Any = None) -> bool:  # noqa: ASYNC109 - Faust's
        """As Faust, but `timeout` begins once a message is there. A full buffer, a stop and a crash end both waits."""
        if timeout is not None:
            await self.wait_first(self._arrived, *coros, timeout=_LOOK_AGAIN_SECONDS)
            self._arrived.clear()
        return bool(await super().wait_for_stopped(*coros, timeout=timeout))
