"""ClickHouse's HTTP interface: queries and inserts, on loopback, for this machine's own programs only."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from counterpoise.runtime.clock import SystemClock
from engines.clickhouse.accepting import connections
from engines.clickhouse.auth import Users
from engines.clickhouse.client_limits import Limits
from engines.clickhouse.engine import Engine
from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.http_connection import GoneError
from engines.clickhouse.http_handler import Handler
from engines.clickhouse.http_sessions import HttpSessions
from engines.clickhouse.strangers import Strangers
from engines.clickhouse.watcher import Watcher

log = logging.getLogger(__name__)
_EXPIRY_SECONDS = 5.0


class HttpServer:
    """Serves a socket that already listens. One thread per connection; unknown clients make room for each other."""

    def __init__(
        self,
        sock: socket.socket,
        engine: Engine,
        users: Users,
        watcher: Watcher,
        limits: Limits,
        *,
        desk_file: Path | None = None,
    ) -> None:
        self.socket = sock
        self.host: str = sock.getsockname()[0]
        self.port: int = sock.getsockname()[1]
        self.engine = engine
        self.users = users
        self.watcher = watcher
        self.limits = limits
        self.desk_file = desk_file
        self.strangers = Strangers(limits.strangers)
        self.sessions = HttpSessions(SystemClock())
        self._known = threading.BoundedSemaphore(limits.http_connections)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closing = False
        self._ended = threading.Event()

    def serve(self) -> None:
        """Accept connections in a separate thread; returns at once."""
        threading.Thread(target=self._expire, name="http-sessions", daemon=True).start()
        threading.Thread(target=self._accept, name="http-accept", daemon=True).start()

    def _expire(self) -> None:
        while not self._ended.wait(_EXPIRY_SECONDS):
            self.sessions.expire()

    def _accept(self) -> None:
        for sock in connections(self.socket, lambda: self._closing):
            with self._lock:
                if self._closing:
                    sock.close()
                    return
                self._open.add(sock)
            self.strangers.arrive(sock)
            threading.Thread(target=self._connection, args=(sock,), daemon=True).start()

    def _connection(self, sock: socket.socket) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            handler = Handler(self, sock)
            while handler.serve_one():
                pass
        except GoneError:
            pass
        except Exception:
            log.exception("an HTTP connection failed inside the server")
        finally:
            self.strangers.leave(sock)
            with self._lock:
                self._open.discard(sock)
            sock.close()

    @contextmanager
    def known(self, sock: socket.socket) -> Iterator[None]:
        """During a request whose user is known, its connection makes room for no other (202 beyond the limit)."""
        if not self._known.acquire(blocking=False):
            raise ServerError(202, f"Too many HTTP requests at once: this server takes {self.limits.http_connections}.")
        self.strangers.leave(sock)
        try:
            yield
        finally:
            self._known.release()
            self.strangers.arrive(sock)

    def close(self) -> None:
        self._ended.set()
        with self._lock:
            self._closing = True
            still_open = list(self._open)
        for sock in (self.socket, *still_open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # the watcher sees it and interrupts what runs
        self.socket.close()
        self.sessions.close()
