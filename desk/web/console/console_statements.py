"""Statements of the console: run, cut at a number of rows, ended on request."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from clickhouse_driver import errors as driver

from counterpoise.clickhouse.client import ClickHouse, Names
from counterpoise.clickhouse.error_codes import READONLY, first_line
from counterpoise.errors import ConfigError, RetryableError
from desk.results.query_errors import UNKNOWN_TABLE, QueryError, query_error
from desk.web.console.console_limits import MAX_STATEMENTS

CANCELLED: Final = 394
QUERY_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BUSY_SECONDS: Final = 5.0


class StatementError(Exception):
    """The server's answer to a statement that it refuses."""

    def __init__(self, error: QueryError, next_step: str = "") -> None:
        super().__init__(error.sentence(next_step))
        self.error = error


class ConsoleBusyError(Exception):
    """Too many statements run."""


class UnavailableError(Exception):
    """ClickHouse does not answer."""


@dataclass(frozen=True, slots=True)
class ConsoleAnswer:
    """Rows of a statement, at most as many as asked for; `more`: it had others."""

    heads: Names
    columns: list[list[Any]]
    more: bool
    seconds: float


class Statements:
    """Runs statements of people, each on a separate connection that `connect` makes. Safe to share between threads."""

    def __init__(
        self,
        connect: Callable[[], ClickHouse],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        at_once: int = MAX_STATEMENTS,
    ) -> None:
        self._connect = connect
        self._monotonic = monotonic
        self._turns = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._running: set[str] = set()

    def run(self, sql: str, parameters: Mapping[str, str], query_id: str, max_rows: int) -> ConsoleAnswer:
        """The first rows of a statement. The rest is not read: the server ends the statement."""
        began = self._monotonic()
        heads: Names = []
        blocks: list[list[Any]] = []
        left, more = max_rows, False
        with self.stream(sql, parameters, query_id) as stream:
            for names, columns in stream:
                heads = heads or names
                rows = len(columns[0]) if columns else 0
                if rows > left:
                    blocks.append([column[:left] for column in columns])
                    more = True
                    break
                if rows:
                    blocks.append(columns)
                    left -= rows
        joined = [[value for columns in blocks for value in columns[at]] for at in range(len(heads))]
        return ConsoleAnswer(heads, joined, more, self._monotonic() - began)

    @contextmanager
    def stream(
        self, sql: str, parameters: Mapping[str, str], query_id: str
    ) -> Iterator[Iterator[tuple[Names, list[Any]]]]:
        """The blocks of a statement. Leaving the block ends it on the server."""
        if not self._turns.acquire(timeout=BUSY_SECONDS):
            raise ConsoleBusyError
        try:
            with self._lock:
                self._running.add(query_id)
            with _plain_errors(sql), closing(self._connect()) as client:
                yield client.stream(sql, parameters, query_id=query_id)
        finally:
            with self._lock:
                self._running.discard(query_id)
            self._turns.release()

    def cancel(self, query_id: str) -> bool:
        """End a running statement with KILL QUERY; False where none of this id runs here."""
        with self._lock:
            running = query_id in self._running
        if not running or not QUERY_ID.fullmatch(query_id):
            return False
        kill = f"KILL QUERY WHERE query_id = '{query_id}'"  # hexadecimal digits and dashes only: matched above
        with _plain_errors(kill), closing(self._connect()) as client:
            return bool(client.query(kill))


@contextmanager
def _plain_errors(sql: str) -> Iterator[None]:
    try:
        yield
    except driver.Error as error:
        raise StatementError(query_error(error.code or 0, first_line(error, limit=2_000), sql)) from error
    except (ConfigError, RetryableError) as error:
        cause = error.__cause__
        if not isinstance(cause, driver.Error) or cause.code is None:
            raise UnavailableError from error
        found = query_error(cause.code, first_line(cause, limit=2_000), sql)
        raise StatementError(found, _NEXT_STEPS.get(cause.code, "")) from error


_NEXT_STEPS: Final = {
    READONLY: "the console only reads",
    UNKNOWN_TABLE: "the list beside the editor has every table",
    CANCELLED: "you cancelled it",
    159: "choose fewer rows: select a chain, view, window and range of heights",
}
