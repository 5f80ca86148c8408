"""Connections whose clients are not known yet: few, and the oldest makes room for the newest."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Lock


class Strangers:
    """At most `limit`. Who sends nothing, or byte by byte, holds a place only until others need it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = Lock()
        self._waiting: dict[socket.socket, None] = {}

    def arrive(self, sock: socket.socket) -> None:
        with self._lock:
            self._waiting[sock] = None
            while len(self._waiting) > self._limit:
                oldest = next(iter(self._waiting))
                del self._waiting[oldest]
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)  # its own thread closes it

    def leave(self, sock: socket.socket) -> None:
        """It is known now, or gone."""
        with self._lock:
            self._waiting.pop(sock, None)
