"""Inserts of one thread into several tables at once, each on a connection of its own.

An insert of few rows is mostly the server's work and the way to it. Beside each other they take about as long as the longest one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import NamedTuple

from counterpoise.clickhouse.client import ClickHouse, finish
from counterpoise.clickhouse.columns import Column


def nothing() -> None:
    """Do nothing."""


class Insert(NamedTuple):
    """Rows of one table; `then` is called once they are stored, after that of the inserts before it."""

    table: str
    columns: Mapping[str, Column]
    then: Callable[[], None] = nothing


class RunningInserts:
    """Inserts that have begun: see `begin_inserts`. Either `finish` or `abort` ends them."""

    def __init__(self, clickhouse: ClickHouse, groups: Sequence[Sequence[Insert]]) -> None:
        self._groups: list[list[tuple[Insert, Generator[None, None, int]]]] = []
        lane = 0
        for group in groups:
            steps = []
            for insert in group:
                steps.append((insert, clickhouse.beside(lane).begin_insert(insert.table, insert.columns)))
                lane += bool(len(next(iter(insert.columns.values()))))  # without rows nothing is sent
            self._groups.append(steps)
        try:
            for steps in self._groups:
                _step(steps)
            _step(self._groups[0])
        except BaseException:
            self.abort()
            raise

    def finish(self) -> None:
        """Return once all rows are stored. Raises as `ClickHouse.insert` does; then any of the rows may be stored."""
        try:
            for number, steps in enumerate(self._groups):
                if number:
                    _step(steps)
                for insert, one in steps:
                    finish(one)
                    insert.then()
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Leave what is not finished: whether its rows are stored is open."""
        for steps in self._groups:
            for _, one in steps:
                one.close()


def begin_inserts(clickhouse: ClickHouse, *groups: Sequence[Insert]) -> RunningInserts:
    """Begin all inserts, and send the rows of the first group; until they end, the connection is not to be used.

    The rows of each further group are sent once those of the groups before are stored.
    """
    return RunningInserts(clickhouse, groups)


def insert_all(clickhouse: ClickHouse, *groups: Sequence[Insert]) -> None:
    """Insert all rows, each group once the groups before are stored."""
    begin_inserts(clickhouse, *groups).finish()


def _step(steps: Sequence[tuple[Insert, Generator[None, None, int]]]) -> None:
    for _, one in steps:
        next(one, None)
