"""Panels side by side: each is drawn once, a connection is one thread's, and an error ends the reading."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.clickhouse.client import ClickHouse
from desk.asker import Asker, Memory
from desk.web import past
from desk.web.drawing import draw_side_by_side
from desk.web.panels.panel import PageContext, Panel
from tests.unit.web.test_panels import CONTEXT


class Client:
    """Answers every query with a number of its own, and keeps which threads asked."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.asked = 0
        self.state = "one"

    def stream(self, sql: str, values: Mapping[str, str]) -> Iterator[Any]:
        self.threads.add(threading.get_ident())
        self.asked += 1
        yield [("number", "UInt8")], [[self.asked]]

    def query(self, sql: str, values: Mapping[str, object]) -> list[tuple[str]]:
        return [(self.state,)]

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def panel(name: str, view: str = "raw") -> Panel:
    def read(asker: Asker, context: PageContext) -> int:
        return int(asker.ask("now", "concentration_now", view=view)[0]["number"])

    return Panel(name, name, "now", read, lambda found, _: f"{name} {view} {found}")


def clients(number: int) -> list[ClickHouse]:
    return [cast("ClickHouse", Client()) for _ in range(number)]


@given(st.lists(st.sampled_from(("raw", "entity")), max_size=12), st.integers(1, 4))
def test_every_panel_is_drawn_in_its_place_whatever_the_number_of_connections(views: list[str], number: int) -> None:
    panels = [panel(f"p{at}", view) for at, view in enumerate(views)]
    made = clients(number)
    drawn = draw_side_by_side(made, panels, CONTEXT, Memory())
    assert list(drawn) == [one.name for one in panels]
    for at, view in enumerate(views):
        assert drawn[f"p{at}"].markup.startswith(f"p{at} {view} ") and len(drawn[f"p{at}"].questions) == 1
    used = [one.threads for one in cast("list[Client]", made)]
    assert all(len(threads) <= 1 for threads in used), "a connection is not safe between threads"
    assert sum(one.asked for one in cast("list[Client]", made)) == len(set(views)), "each question once"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_error_ends_the_reading(number: int) -> None:
    begun: list[str] = []

    def fail(asker: Asker, context: PageContext) -> None:
        begun.append("fails")
        raise OSError("away")

    def read(asker: Asker, context: PageContext) -> None:
        begun.append("works")

    panels = [replace(panel("a"), read=fail)] + [replace(panel(f"p{at}"), read=read) for at in range(2_000)]
    with pytest.raises(OSError, match="away"):
        draw_side_by_side(clients(number), panels, CONTEXT, Memory())
    assert "fails" in begun and (number > 1 or begun == ["fails"])


def test_a_question_of_two_threads_is_asked_once_and_its_error_is_theirs() -> None:
    """The second thread waits for the answer that the first has asked for: it neither asks again nor hangs."""
    for fails in (False, True):
        memory, begun, go, asked, found = Memory(), threading.Event(), threading.Event(), list[int](), list[object]()

        def ask(fails: bool = fails, begun: Any = begun, go: Any = go, asked: Any = asked) -> Any:
            asked.append(1)
            begun.set()
            go.wait()
            if fails:
                raise OSError("away")
            return ({"number": 7},)

        def work(memory: Memory = memory, found: Any = found, ask: Any = ask) -> None:
            try:
                found.append(memory.answer(("q", ()), ask))
            except OSError as error:
                found.append(str(error))

        threads = [threading.Thread(target=work) for _ in range(2)]
        threads[0].start()
        begun.wait()
        threads[1].start()
        go.set()
        for thread in threads:
            thread.join()
        assert asked == [1]
        assert found == (["away"] * 2 if fails else [({"number": 7},)] * 2)


def test_a_page_of_the_past_is_kept_while_what_it_rests_on_stands() -> None:
    client, now = Client(), [datetime(2026, 1, 1, tzinfo=UTC)]
    pages = past.PastPages(lambda: cast("ClickHouse", client), lambda: now[0])
    of = [replace(CONTEXT, height=height) for height in range(past.KEPT_PAGES + 1)]

    def read(context: PageContext) -> int:
        before = client.asked
        pages.read(cast("ClickHouse", client), context, [panel("p")])
        return client.asked - before

    assert [read(of[0]) for _ in range(3)] == [1, 0, 0]
    client.state = "two"
    assert [read(of[0]) for _ in range(2)] == [1, 0], "a reorganisation, an alert, a release or an attribution came"
    now[0] += past.KEPT_FOR - timedelta(seconds=1)
    assert read(of[0]) == 0
    now[0] += timedelta(seconds=1)
    assert [read(of[0]) for _ in range(2)] == [1, 0], "nothing is kept for long"
    assert [read(one) for one in of[1:]] == [1] * past.KEPT_PAGES
    assert read(of[0]) == 1, "the oldest has gone"
    assert [read(one) for one in of[2:]] == [0] * (past.KEPT_PAGES - 1)
