"""The queries of rules, run on their schedules: in a thread, over a connection that only reads, within limits of time and rows.

A slow query delays no alert on blocks, and one that fails ends nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any, Final

import structlog

from alerts.rules.rule import Rule
from alerts.rules.sql_rule import SqlRule
from alerts.signals.query_answer import MAX_ROWS, QueryAnswer, answer_of, error_line
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.error_codes import DriverError
from counterpoise.clickhouse.read_only import connect_read_only
from counterpoise.errors import CounterpoiseError, RetryableError
from counterpoise.runtime.clock import Clock
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings

log = structlog.get_logger(__name__)

MAX_SECONDS: Final = 30
LIMITS: Final[Mapping[str, Any]] = {
    "max_execution_time": MAX_SECONDS,
    "max_result_rows": 10 * MAX_ROWS,
    "result_overflow_mode": "break",
    "max_memory_usage": 1 << 30,
}
"""Limits of the server, where the user may set them. The rows are counted here too."""

UNREACHABLE_TRIES: Final = 3
"""A server that does not answer so many times in a row is an error of the query; before that it is an outage as any other."""


def connect_reader(settings: Settings) -> ClickHouse:
    """A connection for the queries of rules: as the reader, and given up where nothing comes for the longest query's time."""
    target = replace(clickhouse_target(settings, read_only=True), query_timeout_seconds=MAX_SECONDS)
    return connect_read_only(target, settings.dataset, LIMITS)


@dataclass(slots=True)
class _Scheduled:
    rule: SqlRule
    due: float = 0.0
    unreachable: int = 0


class RuleQueries:
    """Not safe to share between threads. `connect` makes the connection, in the thread that uses it."""

    def __init__(self, rules: Sequence[Rule], connect: Callable[[], ClickHouse], clock: Clock) -> None:
        self._scheduled = [_Scheduled(rule) for rule in rules if isinstance(rule, SqlRule) and rule.enabled]
        self._connect = connect
        self._clock = clock
        self._answers: SimpleQueue[tuple[str, str, QueryAnswer]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def look(self) -> dict[str, dict[str, QueryAnswer]]:
        """What has come since the last look, by chain and rule; what is due is started, unless the last round still runs."""
        found: dict[str, dict[str, QueryAnswer]] = {}
        for chain, rule_id, answer in self._come():
            found.setdefault(chain, {})[rule_id] = answer
        if self._thread is None or not self._thread.is_alive():
            now = self._clock.monotonic()
            due = [one for one in self._scheduled if one.due <= now]
            for one in due:
                one.due = now + one.rule.every
            if due:
                self._thread = threading.Thread(target=self._round, args=(due,), name="rule-queries", daemon=True)
                self._thread.start()
        return found

    def wait(self) -> None:
        """Until the round that runs has ended."""
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """Start no further query. One that runs ends without a reader of its answer."""
        self._stop.set()

    def _come(self) -> Iterator[tuple[str, str, QueryAnswer]]:
        while True:
            try:
                yield self._answers.get_nowait()
            except Empty:
                return

    def _round(self, due: Sequence[_Scheduled]) -> None:
        connection: ClickHouse | None = None
        for one in due:
            if self._stop.is_set():
                break
            at = self._clock.now()
            try:
                connection = connection or self._connect()
                answer: QueryAnswer | None = answer_to(connection, one.rule.sql, one.rule.chain, at)
                one.unreachable = 0
            except RetryableError as error:
                one.unreachable += 1
                answer = QueryAnswer(at, error=error_line(error)) if one.unreachable >= UNREACHABLE_TRIES else None
                connection = _drop(connection)
            except (CounterpoiseError, DriverError) as error:
                answer = QueryAnswer(at, error=error_line(error))
                connection = _drop(connection)
            except Exception as error:  # what the driver cannot decode, say: it is this rule's, and the others go on
                log.exception("the answer of a rule's query cannot be read", rule=one.rule.id)
                answer = QueryAnswer(at, error=f"its answer cannot be read: {error_line(error)}")
                connection = _drop(connection)
            if answer is not None:
                self._answers.put((one.rule.chain, one.rule.id, answer))
            if answer is not None and answer.error:
                log.warning("the query of a rule fails", rule=one.rule.id, reason=answer.error)
        _drop(connection)


def answer_to(connection: ClickHouse, sql: str, chain: str, at: float) -> QueryAnswer:
    """The rows of a rule's query as they come, up to one more than a rule may have; leaving early ends the query."""
    names: list[str] = []
    rows: list[Sequence[Any]] = []
    for heads, columns in connection.stream(sql, {"chain": chain}):
        names = names or [name for name, _ in heads]
        rows.extend(zip(*columns, strict=True))
        if len(rows) > MAX_ROWS:
            break
    return answer_of(at, names, rows)


def _drop(connection: ClickHouse | None) -> ClickHouse | None:
    """Close it; None, for nothing is left of it."""
    if connection is not None:
        connection.close()
    return None
