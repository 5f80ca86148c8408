"""What one client, one reader, and all of them together may take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Final

from engines.clickhouse.exceptions import ServerError

GIBIBYTE: Final = 1 << 30
TOO_MANY_BYTES: Final = 307
# The engine counts what it allocates. Beside that stand its program (about 330 MiB), what Python holds of answers on their way,
# and memory that was given back and is not yet used again: 530 MiB together in the soak run.
_BESIDE_STATEMENTS_BYTES: Final = 768 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Times are in seconds. A stranger is a connection whose client has not given a password yet; `idle_seconds` is for
    native connections between two statements, `http_idle_seconds` for HTTP ones. `temporary_bytes` and `temporary_rows` are for the
    temporary tables of one session of a reader, `all_temporary_bytes` for those of all. `allowed_hosts` are names that a Host
    header may have beside those of loopback."""

    connections: int = 256
    strangers: int = 64
    handshake_seconds: float = 10.0
    idle_seconds: float = 3600.0
    packet_seconds: float = 300.0
    sql_bytes: int = 64 << 20
    block_bytes: int = 1 << 30
    http_connections: int = 128
    http_idle_seconds: float = 60.0
    http_head_bytes: int = 1 << 20
    http_body_bytes: int = 1 << 30
    http_body_seconds: float = 300.0
    http_body_pause_seconds: float = 30.0
    server_memory_bytes: int = 4 * GIBIBYTE
    reader_memory_bytes: int = 2 * GIBIBYTE
    reader_seconds: int = 120
    reader_result_bytes: int = 4 * GIBIBYTE
    reader_statements: int = 16
    temporary_bytes: int = 64 << 20
    temporary_rows: int = 10_000_000
    all_temporary_bytes: int = 256 << 20
    allowed_hosts: frozenset[str] = frozenset()

    @property
    def statements_memory_bytes(self) -> int:
        """What the engine may allocate for statements, so that the process keeps within `server_memory_bytes`."""
        return self.server_memory_bytes - min(_BESIDE_STATEMENTS_BYTES, self.server_memory_bytes // 2)


DEFAULT_LIMITS: Final = Limits()


class Turns:
    """Statements of readers that run at once: at most `limit`, counted here and not by the engine."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = Lock()
        self._running = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Raises TOO_MANY_SIMULTANEOUS_QUERIES (202) beyond the limit."""
        with self._lock:
            if self._running >= self._limit:
                raise ServerError(202, f"Too many simultaneous queries of readers: this server runs {self._limit}.")
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1


class Budget:
    """Bytes that the temporary tables of all sessions may take together."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._lock = Lock()
        self._taken = 0

    def take(self, size_bytes: int) -> None:
        """Raises TOO_MANY_BYTES (307) beyond the limit."""
        with self._lock:
            if self._taken + size_bytes > self._limit:
                raise ServerError(TOO_MANY_BYTES, f"Temporary tables of all readers take {self._limit} bytes at most.")
            self._taken += size_bytes

    def give_back(self, size_bytes: int) -> None:
        with self._lock:
            self._taken -= size_bytes
