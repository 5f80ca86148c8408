"""Loopback ports: the usual ones, a free one, or a clear word about a taken one."""

from __future__ import annotations

import socket
from typing import Final

from counterpoise.errors import EngineError

HOST: Final = "127.0.0.1"
KAFKA_PORT: Final = 19092
CLICKHOUSE_PORT: Final = 19000
CLICKHOUSE_HTTP_PORT: Final = 18123


def require_free_port(port: int, what: str, setting: str) -> None:
    """EngineError in one line where something listens on this loopback port already."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise EngineError(
                f"port {port} for {what} is taken on {HOST} ({error.strerror}): stop what listens there, or choose "
                f"another with {setting}"
            ) from None


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
