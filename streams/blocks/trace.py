"""The way of one live block through streams, as durations of its stages for `/metrics`."""

from __future__ import annotations

from collections.abc import Sequence

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.service_status import ServiceStatus
from streams.intake.unpack import Placed


class BlockTrace:
    """Each stage lasts from the end of the one before; the first begins when Kafka took the message.

    A batch of several blocks is history, or waited behind an outage: its stages are no measure of the line, and are left out.
    """

    def __init__(self, placed: Sequence[Placed[BlockEvent]], status: ServiceStatus, clock: Clock) -> None:
        first = placed[0]
        self._status, self._clock, self._chain = status, clock, first.event.chain
        self._since = first.message.appended_at if len(placed) == 1 else None

    def passed(self, step: str, at: float | None = None) -> None:
        """A stage ended now, or at that time (UTC seconds)."""
        if self._since is not None:
            now = self._clock.now() if at is None else at
            self._status.took(step, now - self._since, self._chain)
            self._since = now
