"""The state of the services in the head of the page, looked at in a thread of its own."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from counterpoise.runtime.service_status import ServiceStatus
from desk.web.hub import Hub, LineState
from testkit.manual_clock import ManualClock
from tests.unit.web.test_panels import CONTEXT


def test_a_look_that_fails_is_stated_and_ends_no_later_one(tmp_path: Path) -> None:
    clock, stop = ManualClock(), threading.Event()
    shown: list[tuple[tuple[str, str, bool, str], ...]] = []
    works = (("streams", "working", True, ""),)

    def state() -> LineState:
        shown.append(hub.line[0].services)
        if len(shown) == 2:
            raise KeyError("pid")
        if len(shown) == 4:
            stop.set()
        return LineState(services=works)

    with ServiceStatus("desk", tmp_path, clock) as status:
        hub = Hub(
            cast("Any", None),
            lambda now: replace(CONTEXT, now=now),
            (),
            clock=clock,
            status=status,
            line_state=state,
        )
        hub.watch_line(stop, every_seconds=0.0)
    assert shown[1] == shown[3] == works
    assert [(name, healthy) for name, _, healthy, _ in shown[2]] == [("services", False)]
