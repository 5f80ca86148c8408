"""An event is written once for all viewers, and each viewer gets every panel first and then what changes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from counterpoise.runtime.service_status import ServiceStatus
from desk.web.drawing import Drawn
from desk.web.event_stream import EventStream
from desk.web.hub import Hub
from desk.web.panels.panel import Panel
from testkit.manual_clock import ManualClock
from tests.unit.web.test_panels import CONTEXT


def panel(name: str) -> Panel:
    return Panel(name, name, "now", lambda *_: None, lambda *_: "")


def hub_of(folder: Path, clock: ManualClock, panels: list[Panel]) -> Hub:
    status = ServiceStatus("desk", folder, clock)
    status.close()
    return Hub(cast("Any", None), lambda now: replace(CONTEXT, now=now), panels, clock=clock, status=status)


def events(sent: bytes) -> list[tuple[str, str]]:
    """Kind and panel of each event of one send."""
    found = []
    for one in sent.decode().split("\n\n")[:-1]:
        kind, _, data = one.partition("\ndata: ")
        found.append((kind.removeprefix("event: "), str(json.loads(data).get("name", ""))))
    return found


def test_viewers_get_the_same_bytes(tmp_path: Path) -> None:
    a, b = panel("a"), panel("b")
    hub = hub_of(tmp_path, ManualClock(), [a, b])
    hub._publish({"a": Drawn(a, "<p>1</p>", (), 0), "b": Drawn(b, "<p>2</p>", (), 0)}, {"tip_height": 5})

    async def watch() -> None:
        stream = EventStream(hub)
        viewers = [stream.to(cast("Any", None)) for _ in range(3)]
        assert [await anext(one) for one in viewers] == [b"retry: 2000\n\n"] * 3
        first = [await anext(one) for one in viewers]
        assert events(first[0]) == [("panel", "a"), ("panel", "b"), ("line", "")]
        assert first[0] == first[1] == first[2]
        kept = stream._panels["a"][1]
        hub._publish({"b": Drawn(b, "<p>3</p>", (), 0)}, {"tip_height": 6})
        later = [await anext(one) for one in viewers]
        assert events(later[0]) == [("panel", "b"), ("line", "")] and later[0] == later[1] == later[2]
        assert b"<p>3</p>" in later[0] and stream._panels["a"][1] is kept, "what stays is not written again"
        hub.end()
        for one in viewers:
            await one.aclose()  # type: ignore[attr-defined]

    asyncio.run(watch())
