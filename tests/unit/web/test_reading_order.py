"""News waits for one panel at most, and no panel starves, however often blocks come."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.errors import ChangingError
from counterpoise.runtime.service_status import ServiceStatus
from desk.web.hub import Hub
from desk.web.panels.panel import SLOW_SECONDS, Panel, Tier
from desk.web.reading_order import ReadingOrder
from testkit.manual_clock import ManualClock
from tests.unit.web.test_panels import CONTEXT


def panel(name: str, tier: Tier = "why", *, slow: bool = False, read: Any = None) -> Panel:
    return Panel(name, name, tier, read or (lambda *_: None), lambda *_: "", slow=slow)


NOW, REST, SLOW = (
    panel("now", "now"),
    [panel(f"r{at}") for at in range(5)],
    [panel(f"s{at}", slow=True) for at in range(4)],
)


@given(st.lists(st.booleans(), min_size=40, max_size=80))
def test_the_rest_take_turns_whatever_comes(news: list[bool]) -> None:
    order = ReadingOrder([NOW, *REST, *SLOW])
    read: list[str] = []
    for came in [True, *news]:
        if came:
            order.news()
        found = order.next()
        if found is not None:
            read.append(found.name)
    assert all(len(set(read[at : at + len(REST)])) == len(REST) for at in range(len(read) - len(REST) + 1)), read
    while order.next() is not None:
        pass
    assert not order.pending
    order.news()
    assert {cast("Panel", order.next()).name for _ in REST} == {one.name for one in REST} and order.next() is None


def test_a_slow_panel_is_read_alone_once_all_were_read() -> None:
    order = ReadingOrder([NOW, *REST, *SLOW])
    assert order.first == (NOW,)
    assert order.due_slow(0.0) == SLOW, "the first page is whole"
    assert order.due_slow(1.0) == []
    assert [order.due_slow(SLOW_SECONDS) for _ in range(5)] == [[one] for one in SLOW] + [[]]
    assert order.due_slow(1.5 * SLOW_SECONDS) == []


class Server:
    """Answers the hub: `version` is what changes, `height` the tip. A client may not be asked once it is closed."""

    def __init__(self) -> None:
        self.height = 7
        self.closed = False

    def query(self, sql: str, values: Any = None) -> list[tuple[Any, ...]]:
        assert not self.closed
        if "concentration_latest_log" in sql:
            return [(self.height, 0, 1)]
        return [(self.height, datetime(2026, 1, 1, tzinfo=UTC))]

    def close(self) -> None:
        self.closed = True


def test_news_waits_for_one_panel(tmp_path: Path) -> None:
    clock, server, read = ManualClock(), Server(), list[str]()

    def noted(one: Panel, seconds: float) -> Panel:
        def reads(*_: Any) -> None:
            clock.advance(seconds)
            read.append(f"{one.name}@{server.height}")

        return replace(one, read=reads)

    panels = [noted(NOW, 0.1), *(noted(one, 0.1) for one in REST), *(noted(one, 0.2) for one in SLOW)]
    with ServiceStatus("desk", tmp_path, clock) as status:
        hub = Hub(cast("Any", None), lambda now: replace(CONTEXT, now=now), panels, clock=clock, status=status)
        clients = cast("list[ClickHouse]", [server, Server()])

        def look() -> list[str]:
            read.clear()
            hub.look(clients)
            return list(read)

        def height() -> object:
            return status.snapshot()["info"].get("last_height")

        assert look() == ["now@7", "r0@7"]
        assert hub.line[0].tip_height == 7
        assert look() == ["r1@7"] and height() is None
        server.height = 8
        assert look() == ["now@8", "r2@8"], "the new block is shown before what is left of the old one"
        assert [look() for _ in range(3)] == [["r3@8"], ["r4@8"], ["r0@8"]]
        assert look() == ["r1@8", *(f"{one.name}@8" for one in SLOW)], "the page is whole"
        assert height() == 8 and look() == []
        clock.advance(SLOW_SECONDS)
        assert [look() for _ in range(5)] == [[f"{one.name}@8"] for one in SLOW] + [[]]


@pytest.mark.parametrize("broken", ["now", "r1", "s0"])
def test_a_panel_with_a_bug_costs_no_other_one(tmp_path: Path, broken: str) -> None:
    clock, server, wrong = ManualClock(), Server(), [True]

    def reads(*_: Any) -> str:
        if wrong[0]:
            raise KeyError("")
        return "drawn"

    panels = [
        replace(one, read=reads, draw=lambda found, _: str(found)) if one.name == broken else one
        for one in (NOW, *REST, *SLOW)
    ]
    with ServiceStatus("desk", tmp_path, clock) as status:
        hub = Hub(cast("Any", None), lambda now: replace(CONTEXT, now=now), panels, clock=clock, status=status)

        def shown() -> dict[str, str]:
            for _ in range(3 * len(panels)):
                clock.advance(hub.look(cast("list[ClickHouse]", [server, Server()])) or 0.001)
            return {name: one.markup for name, one in hub.drawn.items()}

        with capture_logs() as logged:
            others = {name: text for name, text in shown().items() if name != broken}
            assert set(others) == {one.name for one in panels} - {broken}
            server.height += 1
            clock.advance(SLOW_SECONDS)
            assert "cannot be drawn" in shown()[broken] and hub.line[0].away_since is None
        assert status.snapshot()["counters"]["panel_errors"] >= 2
        assert [one["panel"] for one in logged if one["log_level"] == "error"] == [broken], (
            "once, until it is drawn again"
        )
        wrong[0] = False
        server.height += 1
        clock.advance(SLOW_SECONDS)
        assert shown() == others | {broken: "drawn"}, "the next reading draws it"


def test_a_panel_remembers_nothing_of_the_block_before(tmp_path: Path) -> None:
    """Also where the first tier has to wait for its share of the time while blocks come."""
    clock, server = ManualClock(), Server()
    asked: dict[int, set[int]] = {}
    kept: list[object] = []

    def noted(one: Panel, seconds: float) -> Panel:
        def reads(asker: Any, _: Any) -> None:
            clock.advance(seconds)
            kept.append(asker._memory)
            asked.setdefault(id(asker._memory), set()).add(server.height)

        return replace(one, read=reads)

    panels = [noted(NOW, 0.1), *(noted(one, 0.1) for one in REST)]
    with ServiceStatus("desk", tmp_path, clock) as status:
        hub = Hub(cast("Any", None), lambda now: replace(CONTEXT, now=now), panels, clock=clock, status=status)
        for _ in range(200):
            server.height += 1
            clock.advance(hub.look(cast("list[ClickHouse]", [server, Server()])) or 0.001)
    assert len(kept) > 50
    assert all(len(heights) == 1 for heights in asked.values()), asked


def test_blocks_without_end_leave_most_of_the_time(tmp_path: Path) -> None:
    """A block at every look: reading takes its shares of the time and no more, and every panel still gets its turn."""
    clock, server, read = ManualClock(), Server(), list[str]()

    def noted(one: Panel, seconds: float) -> Panel:
        def reads(*_: Any) -> None:
            clock.advance(seconds)
            read.append(one.name)

        return replace(one, read=reads)

    panels = [noted(NOW, 0.1), *(noted(one, 0.1) for one in REST)]
    with ServiceStatus("desk", tmp_path, clock) as status:
        hub = Hub(cast("Any", None), lambda now: replace(CONTEXT, now=now), panels, clock=clock, status=status)
        began = clock.monotonic()
        while clock.monotonic() - began < 300:
            server.height += 1
            clock.advance(hub.look(cast("list[ClickHouse]", [server, Server()])) or 0.001)
    first = read.count("now")
    assert 0.08 <= first * 0.1 / 300 <= 0.13
    assert 0.15 <= (len(read) - first) * 0.1 / 300 <= 0.25
    turns = {one.name: read.count(one.name) for one in REST}
    assert max(turns.values()) - min(turns.values()) <= 1, turns


@pytest.mark.parametrize("changing", ["now", "r1", "s0"])
def test_what_changes_while_it_is_read_is_read_again_and_is_no_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changing: str
) -> None:
    clock, stop, left = ManualClock(), threading.Event(), [2]

    def reads(*_: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise ChangingError("the pools are being attributed anew")

    def rest(pause: float) -> None:
        clock.advance(pause)
        assert hub.line[0].away_since is None and status.snapshot()["waiting_on"] is None
        if len(hub.drawn) == len(panels):
            stop.set()

    panels = [replace(one, read=reads) if one.name == changing else one for one in (NOW, *REST, *SLOW)]
    with ServiceStatus("desk", tmp_path, clock) as status:
        hub = Hub(cast("Any", Server), lambda now: replace(CONTEXT, now=now), panels, clock=clock, status=status)
        monkeypatch.setattr(hub, "_rest", rest)
        hub.run(stop)
    assert left == [0] and set(hub.drawn) == {one.name for one in panels}
