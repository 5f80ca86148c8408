"""Detects a client's Cancel, or its departure, while its statement runs.

The thread that runs a statement is inside the engine and cannot read its socket. One thread for the whole server
watches the sockets of statements that take longer than a tick; it sleeps when there are none.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_TICK_SECONDS: Final = 0.05
_CANCEL: Final = b"\x03"


class Watch:
    """One running statement. `cancelled`: the client sent Cancel; `gone`: it closed the connection."""

    __slots__ = ("_interrupt", "_socket", "cancelled", "gone", "ignored")

    def __init__(self, sock: socket.socket, interrupt: Callable[[], None]) -> None:
        self._socket = sock
        self._interrupt = interrupt
        self.cancelled = False
        self.gone = False
        self.ignored = False

    @property
    def stopped(self) -> bool:
        return self.cancelled or self.gone

    def arrived(self, kind: int) -> None:
        """A packet type that the connection's reader already buffered: nothing behind it on the socket is read."""
        self.cancelled = kind == _CANCEL[0]
        self.ignored = not self.cancelled

    def look(self) -> None:
        """Peek without taking bytes away from the connection's own reader; interrupt the statement once it must stop."""
        if not self.stopped and not self.ignored:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            if not poll.poll(0):
                return
            try:
                first = self._socket.recv(1, socket.MSG_PEEK)
            except OSError:
                first = b""
            self.gone = not first
            self.cancelled = first == _CANCEL
            self.ignored = not self.stopped  # another packet came early; it waits for its turn
        if self.stopped:
            self._interrupt()


class Watcher:
    """The thread. While a statement is watched, only this thread may touch the socket's input."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watches: set[Watch] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="cancel-watcher", daemon=True)
        self._thread.start()

    @contextmanager
    def watching(self, sock: socket.socket, interrupt: Callable[[], None]) -> Iterator[Watch]:
        """Watch `sock` for the length of the block. After it, `interrupt` is not called any more."""
        watch = Watch(sock, interrupt)
        with self._changed:
            if not self._watches:
                self._changed.notify()
            self._watches.add(watch)
        try:
            yield watch
        finally:
            with self._changed:
                self._watches.discard(watch)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._watches and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                self._changed.wait(_TICK_SECONDS)
                for watch in self._watches:
                    watch.look()
