"""Give old blocks at the speed at which they came, or a multiple of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.runtime.retry import Waiter

_TICK_SECONDS = 0.05


class Pace:
    """`speed` seconds of block time pass in a second. Header times that go back do not slow or turn it."""

    def __init__(self, speed: float, waiter: Waiter) -> None:
        self._speed = speed
        self._waiter = waiter
        self._started_at: float | None = None
        self._first_time = 0

    def portions(self, events: Sequence[BlockEvent]) -> Iterator[Sequence[BlockEvent]]:
        """The events in order, each not before it is due; those due within a tick come together."""
        start = 0
        while start < len(events):
            due = self._due(events[start])
            now = self._waiter.clock.monotonic()
            if due > now:
                self._waiter.pause(due - now)
                now = self._waiter.clock.monotonic()
            end = start + 1
            while end < len(events) and self._due(events[end]) <= now + _TICK_SECONDS:
                end += 1
            yield events[start:end]
            start = end

    def _due(self, event: BlockEvent) -> float:
        if self._started_at is None:
            self._started_at = self._waiter.clock.monotonic()
            self._first_time = event.time
        return self._started_at + (event.time - self._first_time) / self._speed
