"""TLS in front of a server that has none: real handshakes, then bytes in both directions, on a port of loopback.

Threads and blocking sockets, because asyncio drops a connection without the alert that says why, which real servers send.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from types import TracebackType

from engines.ports import HOST
from testkit.ports import reserved_port

_CHUNK = 1 << 16
_POLL_SECONDS = 0.2
_HANDSHAKE_SECONDS = 10.0


class TlsFront:
    """Listens on `port` from its making until `close`, in threads of its own. `handshakes` counts those that succeeded."""

    def __init__(self, upstream_port: int, context: ssl.SSLContext, *, port: int = 0) -> None:
        self.port = port or reserved_port()
        self.handshakes = 0
        self._upstream_port = upstream_port
        self._context = context
        self._stopping = threading.Event()
        self._listener = socket.create_server((HOST, self.port))
        self._listener.settimeout(_POLL_SECONDS)
        self._threads = [threading.Thread(target=self._accept, name=f"tls-front-{self.port}", daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> TlsFront:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cut every connection and free the port."""
        self._stopping.set()
        for thread in list(self._threads):
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            thread = threading.Thread(target=self._serve, args=(connection,), name=f"tls-{self.port}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        """One connection. What a peer does to it (alerts, resets) the test sees at its own end."""
        with connection, contextlib.suppress(OSError):
            connection.settimeout(_HANDSHAKE_SECONDS)
            secured = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            with secured:
                secured.do_handshake()
                self.handshakes += 1
                with socket.create_connection((HOST, self._upstream_port)) as upstream:
                    self._forward(secured, upstream)

    def _forward(self, secured: ssl.SSLSocket, upstream: socket.socket) -> None:
        while not self._stopping.is_set():
            waiting = [secured] if secured.pending() else select.select([secured, upstream], [], [], _POLL_SECONDS)[0]
            for source in waiting:
                data = source.recv(_CHUNK)
                if not data:
                    return
                (upstream if source is secured else secured).sendall(data)
