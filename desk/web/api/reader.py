"""The API's connections to ClickHouse: a bounded number, read-only, one request each."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from clickhouse_driver import errors as driver

from counterpoise.clickhouse.client import ClickHouse, Names
from counterpoise.errors import ConfigError, RetryableError
from desk.web.api.api_errors import ApiError

CONNECTIONS: Final = 4
WAIT_SECONDS: Final = 10.0
"""A request that finds no free connection for so long is refused."""
RETRY_AFTER_SECONDS: Final = "5"

Result = tuple[Names, list[list[Any]]]


class Reader:
    """Runs one statement at a time on each of `connections` clients that `connect` makes. Safe to share between threads."""

    def __init__(self, connect: Callable[[], ClickHouse], *, connections: int = CONNECTIONS) -> None:
        self._connect = connect
        self._free: queue.LifoQueue[ClickHouse | None] = queue.LifoQueue()
        for _ in range(connections):
            self._free.put(None)
        self._lock = threading.Lock()
        self._made: list[ClickHouse] = []

    @contextmanager
    def client(self) -> Iterator[ClickHouse]:
        """A client for the block. ApiError 503 where none becomes free or the server does not answer."""
        try:
            found = self._free.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            raise _unavailable("busy", "all connections are in use") from None
        try:
            if found is None:
                found = self._connect()
                with self._lock:
                    self._made.append(found)
            yield found
        except RetryableError as error:
            raise _unavailable("clickhouse-unavailable", _without_place(error)) from error
        except ConfigError as error:
            raise _unavailable("clickhouse-refuses", _without_place(error)) from error
        finally:
            self._free.put(found)

    def read(self, sql: str, parameters: Mapping[str, Any]) -> Result:
        """The whole result: names with types, and the columns of each block. Bound it in the statement."""
        heads: Names = []
        blocks: list[list[Any]] = []
        with self.client() as client:
            for names, columns in client.stream(sql, parameters):
                heads = heads or names
                if columns and len(columns[0]):
                    blocks.append(columns)
        return heads, blocks

    def close(self) -> None:
        """Close every connection; the next request opens a new one."""
        with self._lock:
            for client in self._made:
                client.close()


def _unavailable(name: str, message: str) -> ApiError:
    return ApiError(503, name, message, headers={"Retry-After": RETRY_AFTER_SECONDS})


def _without_place(error: Exception) -> str:
    """What is wrong, without the server's address: readers of the API need not know it."""
    cause = error.__cause__
    if isinstance(cause, driver.Error):
        return f"ClickHouse does not answer this request now (code {cause.code})"
    return "ClickHouse does not answer now"
