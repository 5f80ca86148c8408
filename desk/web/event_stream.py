"""The stream of changes: every panel that changes, and the head of the page with each change.

An event is written once for all viewers: a hundred of them cost the bytes, not the work.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Final

from fastapi import Request

from desk.web import page_frame
from desk.web.drawing import Drawn
from desk.web.hub import Hub, LineState

KEEP_ALIVE_SECONDS: Final = 15.0


class EventStream:
    """The events of one hub. It belongs to the loop of its server."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._panels: dict[str, tuple[int, bytes]] = {}
        self._head: tuple[tuple[LineState, int], bytes] | None = None

    async def to(self, request: Request) -> AsyncIterator[bytes]:
        """What one viewer gets from now on, every panel first. It ends with the hub or the viewer."""
        watcher = self._hub.watch()
        _, changed = watcher
        seen = 0
        try:
            yield b"retry: 2000\n\n"
            while not self._hub.ended:
                line, newest = self._hub.line
                changed.clear()
                fresh = [self._panel(one) for one in self._hub.drawn.values() if one.sequence > seen]
                yield b"".join((*fresh, self._line(line)))
                seen = newest
                try:
                    await asyncio.wait_for(changed.wait(), KEEP_ALIVE_SECONDS)
                except TimeoutError:
                    if await request.is_disconnected():
                        return
                    yield b": here\n\n"
        finally:
            self._hub.unwatch(watcher)

    def _panel(self, drawn: Drawn) -> bytes:
        name = drawn.panel.name
        kept = self._panels.get(name)
        if kept is None or kept[0] != drawn.sequence:
            text = event("panel", {"name": name, "html": page_frame.panel_box(drawn)})
            kept = self._panels[name] = (drawn.sequence, text)
        return kept[1]

    def _line(self, line: LineState) -> bytes:
        """The head of the page; the age of the tip in it counts by seconds."""
        now = self._hub.now()
        state = line, int(now.timestamp())
        if self._head is None or self._head[0] != state:
            self._head = state, event("line", {"html": page_frame.line_head(line, now, live=self._hub.is_live)})
        return self._head[1]


def event(kind: str, value: dict[str, str]) -> bytes:
    """One server-sent event."""
    return f"event: {kind}\ndata: {json.dumps(value)}\n\n".encode()
