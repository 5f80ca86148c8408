"""The event stream's pure part, and what happens to a listener that does not read."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from desk.web.api import event_feed
from desk.web.api.event_feed import MAX_WAITING, Event, EventFeed, framed, new_events
from desk.web.api.reader import Reader

TIPS = st.dictionaries(st.sampled_from(["bitcoin", "signet", "litecoin"]), st.integers(1, 4))
STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), unique=True, max_size=6)


def state(tips: dict[str, int], steps: list[tuple[str, int]]) -> dict[str, Any]:
    return {
        "tips": [{"chain": chain, "height": height} for chain, height in sorted(tips.items())],
        "steps": [{"alert_id": alert, "sequence": sequence} for alert, sequence in steps],
    }


@given(TIPS, STEPS, TIPS, STEPS)
def test_only_what_is_new_is_an_event(
    tips: dict[str, int], steps: list[tuple[str, int]], later: dict[str, int], more: list[tuple[str, int]]
) -> None:
    events = new_events(state(tips, steps), state(later, more))
    assert {data["chain"]: data["height"] for name, data in events if name == "tip"} == {
        chain: height for chain, height in later.items() if tips.get(chain) != height
    }
    fresh = [(data["alert_id"], data["sequence"]) for name, data in events if name == "alert"]
    assert fresh == [step for step in reversed(more) if step not in steps], "oldest first"
    assert new_events(state(later, more), state(later, more)) == []
    assert [name for name, _ in new_events(None, state(later, more))] == ["tip"] * len(later)


@given(st.text())
def test_a_frame_has_one_line_of_data(text: str) -> None:
    lines = framed(("alert", {"summary": text})).split("\n")
    assert lines[0] == "event: alert" and lines[2:] == ["", ""]
    assert json.loads(lines[1].removeprefix("data: ")) == {"summary": text}


@given(st.integers(0, 3 * MAX_WAITING), st.integers(1, 3 * MAX_WAITING))
def test_a_listener_gets_every_step_or_its_end(before: int, new: int) -> None:
    """However many steps come between two readings, of which each has the newest so many."""
    most = int(event_feed.STEPS.rpartition("LIMIT ")[2])

    def read(number: int) -> dict[str, Any]:
        return state({}, [("a", place) for place in reversed(range(max(0, number - most), number))])

    async def run() -> list[Event | None]:
        feed = EventFeed(Reader(lambda: (_ for _ in ()).throw(AssertionError("nothing is read here"))))
        heard: asyncio.Queue[Event | None] = asyncio.Queue(MAX_WAITING)
        feed._listeners.add(heard)
        feed._publish(new_events(read(before), read(before + new)))
        return [heard.get_nowait() for _ in range(heard.qsize())]

    got = asyncio.run(run())
    whole = [event[1]["sequence"] for event in got if event] == list(range(before, before + new))
    assert got[-1] is None or whole


def test_a_listener_that_does_not_read_is_ended_and_the_others_go_on() -> None:
    async def run() -> tuple[list[Event | None], int]:
        feed = EventFeed(Reader(lambda: (_ for _ in ()).throw(AssertionError("nothing is read here"))))
        slow: asyncio.Queue[Event | None] = asyncio.Queue(MAX_WAITING)
        quick: asyncio.Queue[Event | None] = asyncio.Queue(MAX_WAITING)
        feed._listeners |= {slow, quick}
        got = 0
        for place in range(MAX_WAITING + 5):
            feed._publish([("tip", {"height": place})])
            while not quick.empty():
                quick.get_nowait()
                got += 1
        return [slow.get_nowait() for _ in range(slow.qsize())], got

    left, got = asyncio.run(run())
    assert left[-1] is None and len(left) == MAX_WAITING
    assert got == MAX_WAITING + 5
