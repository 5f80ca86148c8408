"""Named queries asked by code, with how a reader asks the same again."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from counterpoise.clickhouse.client import ClickHouse
from desk.named_queries import named_query
from desk.question import Question, Row

Found = TypeVar("Found")


class Memory:
    """The answers of one reading: threads that ask the same question at once get one answer, asked once. The rows are read only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[Hashable, Future[Any]] = {}

    def answer(self, question: Hashable, ask: Callable[[], Found]) -> Found:
        """The answer to a question, such as a query's name and parameters. What `ask` raises is raised to everybody who asks it."""
        with self._lock:
            found = self._answers.get(question)
            mine = found is None
            if found is None:
                found = self._answers[question] = Future()
        if mine:
            try:
                found.set_result(ask())
            except BaseException as error:  # the others wait for it: they may not hang
                found.set_exception(error)
        answer: Found = found.result()
        return answer


class Asker:
    """Asks by name and remembers how, so that a reader can ask again."""

    def __init__(self, clickhouse: ClickHouse, dataset: str, memory: Memory | None = None) -> None:
        """`memory` is shared by the askers of one reading: what one of them asked is not asked again."""
        self._clickhouse = clickhouse
        self._dataset = dataset
        self._memory = memory
        self.questions: dict[str, Question] = {}

    @property
    def clickhouse(self) -> ClickHouse:
        """For what no named query gives; `note` then keeps how a reader asks again."""
        return self._clickhouse

    def note(self, topic: str, *arguments: str) -> None:
        """Keep a command, such as `risk --json`, as the question behind `topic`."""
        self.questions[topic] = Question(shlex.join(["counterpoise", "--dataset", self._dataset, *arguments]), "")

    def show(self, topic: str, name: str, **given: object) -> None:
        """Keep a named query with its parameters as a question behind `topic`, for a panel that reads its figures otherwise."""
        query = named_query(name)
        values = {key: str(value) for key, value in given.items()}
        self.questions[topic] = Question(_command(self._dataset, name, values), query.sql, query.bind(values))

    def once(self, question: Hashable, read: Callable[[], Found]) -> Found:
        """What `read` gives, read once in a reading: for what no named query gives. It may not change."""
        return read() if self._memory is None else self._memory.answer(question, read)

    def ask(self, topic: str, name: str, **given: object) -> list[Row]:
        """The rows of a named query by column; how it was asked is kept under `topic`."""
        query = named_query(name)
        values = {key: str(value) for key, value in given.items()}
        bound = query.bind(values)
        self.questions[topic] = Question(_command(self._dataset, name, values), query.sql, bound)
        if self._memory is None:
            return list(self._rows(query.sql, bound))
        return list(self._memory.answer((name, tuple(bound.items())), lambda: self._rows(query.sql, bound)))

    def _rows(self, sql: str, bound: Mapping[str, str]) -> tuple[Row, ...]:
        names: list[str] = []
        rows: list[Row] = []
        for heads, columns in self._clickhouse.stream(sql, bound):
            names = names or [column for column, _ in heads]
            rows.extend(dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
        return tuple(rows)


def _command(dataset: str, name: str, values: Mapping[str, str]) -> str:
    parameters = (part for key, value in values.items() for part in ("--param", f"{key}={value}"))
    return shlex.join(["counterpoise", "--dataset", dataset, "sql", "--name", name, *parameters])
