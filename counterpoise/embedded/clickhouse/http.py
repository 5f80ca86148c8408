"""Placeholder until the HTTP interface lands."""

from __future__ import annotations

import socket

from counterpoise.embedded.clickhouse.auth import Users
from counterpoise.embedded.clickhouse.engine import Engine


class HttpServer:
    def __init__(self, sock: socket.socket, engine: Engine, users: Users) -> None:
        self._socket = sock

    def serve(self) -> None:
        pass

    def close(self) -> None:
        self._socket.close()
