"""Askers of one reading ask each question once, and each of them keeps how it is asked again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from counterpoise.clickhouse.client import ClickHouse
from desk.asker import Asker, Memory


class Counting:
    """Answers every query with its number."""

    def __init__(self) -> None:
        self.asked = 0

    def stream(self, sql: str, values: Mapping[str, str]) -> Iterator[Any]:
        self.asked += 1
        yield [("number", "UInt8")], [[self.asked]]


def test_a_question_is_asked_once_per_reading() -> None:
    client, memory = Counting(), Memory()
    first, second = (Asker(cast("ClickHouse", client), "d", memory) for _ in range(2))
    assert first.ask("a", "concentration_now", view="raw") == [{"number": 1}]
    assert second.ask("b", "concentration_now", view="raw") == [{"number": 1}]
    assert second.ask("c", "concentration_now", view="entity") == [{"number": 2}], "other parameters"
    assert client.asked == 2
    assert second.questions["b"] == first.questions["a"], "the reader sees the question all the same"
    other = Asker(cast("ClickHouse", client), "d")
    assert other.ask("a", "concentration_now", view="raw") == [{"number": 3}], "without a memory it asks"
    assert other.ask("a", "concentration_now", view="raw") == [{"number": 4}]
    assert first.ask("a", "concentration_now", view="raw").pop() and second.ask("b", "concentration_now", view="raw")
