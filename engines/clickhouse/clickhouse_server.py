"""The server: one engine, a native port and an HTTP port on loopback, one thread per connection."""

from __future__ import annotations

import errno
import logging
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from counterpoise.errors import EngineError
from engines.clickhouse import native
from engines.clickhouse.accepting import connections
from engines.clickhouse.auth import Users
from engines.clickhouse.client_limits import Limits
from engines.clickhouse.engine import Engine
from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.http_server import HttpServer
from engines.clickhouse.strangers import Strangers
from engines.clickhouse.watcher import Watcher

log = logging.getLogger(__name__)
_REFUSALS = 32  # connections over the limit that are told so; beyond them they are just closed


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 takes a free one."""

    host: str
    port: int = 0
    http_port: int = 0


def listen(host: str, port: int, what: str) -> socket.socket:
    """A listening socket, or EngineError for a port that is taken or an address that is not this machine's."""
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise EngineError(
                f"The {what} port {port} on {host} is taken: choose another, or 0 for a free one."
            ) from None
        raise EngineError(f"Cannot listen on {host}:{port} ({what}): {error.strerror or error}.") from None


class Server:
    """Listens from its construction on; `serve` accepts until `close`.

    The sockets come before the engine, so that a taken port is reported at once and nothing was opened. `desk_file` holds the URL
    that /play leads to.
    """

    def __init__(
        self, path: Path, address: Address, users: Users, limits: Limits | None = None, desk_file: Path | None = None
    ) -> None:
        self._limits = limits or Limits()
        self._users = users
        self._socket = listen(address.host, address.port, "native")
        try:
            http_socket = listen(address.host, address.http_port, "HTTP")
            try:
                self.engine = Engine(path, self._limits)
            except BaseException:
                http_socket.close()
                raise
        except BaseException:
            self._socket.close()
            raise
        self._watcher = Watcher()
        self._http = HttpServer(http_socket, self.engine, users, self._watcher, self._limits, desk_file=desk_file)
        self._strangers = Strangers(self._limits.strangers)
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._closing = False
        self.port: int = self._socket.getsockname()[1]
        self.http_port: int = http_socket.getsockname()[1]

    def serve(self) -> None:
        """Accept connections in separate threads; returns at once."""
        threading.Thread(target=self._accept, name="native-accept", daemon=True).start()
        self._http.serve()

    def _accept(self) -> None:
        for sock in connections(self._socket, lambda: self._closing):
            with self._lock:
                if self._closing:
                    sock.close()
                    return
                over = len(self._open) - self._limits.connections
                if over >= _REFUSALS:
                    sock.close()
                    continue
                thread = threading.Thread(target=self._connection, args=(sock, over >= 0), daemon=True)
                self._open[sock] = thread
            self._strangers.arrive(sock)
            thread.start()

    def _connection(self, sock: socket.socket, over_limit: bool) -> None:
        refusal = None
        if over_limit:
            refusal = ServerError(202, f"Too many connections: this server takes {self._limits.connections}.")
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            native.serve(
                sock,
                self.engine,
                self._users,
                self._watcher,
                self._limits,
                refusal=refusal,
                welcome=lambda: self._strangers.leave(sock),
            )
        except Exception:
            log.exception("a connection failed inside the server")
        finally:
            self._strangers.leave(sock)
            with self._lock:
                self._open.pop(sock, None)
            sock.close()

    def close(self, patience_seconds: float = 5.0) -> None:
        """Stop accepting, end every connection and its statement, close the engine."""
        with self._lock:
            self._closing = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._http.close()
        with self._lock:
            still_open = dict(self._open)
        for sock in still_open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # the watcher sees it and interrupts what runs
        share = patience_seconds / max(1, len(still_open))
        for thread in still_open.values():
            thread.join(share)
        self._watcher.close()
        self.engine.close()
