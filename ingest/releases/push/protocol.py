"""uvicorn's HTTP/1.1 with a deadline for the head of a request.

uvicorn itself waits for ever for a client that connects and sends nothing, or one header a minute; a few of those would use up
all connections. Bodies have their own deadline, in the endpoint.
"""

from __future__ import annotations

import asyncio
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_TIMEOUT_SECONDS: Final = 10.0


class DeadlineProtocol(H11Protocol):
    """Closes a connection whose next request's head is not there in time."""

    head_timeout_seconds = HEAD_TIMEOUT_SECONDS
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock at once: silence counts."""
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Once the head is whole the clock stops; the first bytes of a next head start it again."""
        super().data_received(data)
        waiting_for_head = self.conn.their_state is h11.IDLE
        if not waiting_for_head:
            self._stop_timer()
        elif self._head_timer is None and self.conn.trailing_data[0]:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is timed any more."""
        self._stop_timer()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.head_timeout_seconds, self._too_late)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()
