"""`/events`: new tips and new steps of alerts as server-sent events. One poll serves every listener."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import structlog

from desk.results import writers
from desk.web.api.api_errors import ApiError
from desk.web.api.reader import Reader

POLL_SECONDS: Final = 1.0
KEEP_ALIVE_SECONDS: Final = 15.0
MAX_LISTENERS: Final = 200
MAX_WAITING: Final = 256
"""Events that may wait for a slow listener; at more its stream ends, and the browser connects anew."""

TIPS: Final = """SELECT chain, max(s.height) AS height, argMax(s.tip_hash, s.height) AS tip_hash, argMax(s.time, s.height) AS time
FROM latest_shares AS s
GROUP BY chain
ORDER BY chain"""
STEPS: Final = f"""SELECT alert_id, sequence, rule_id, state, previous_state, reason, event_time, height, value, threshold, summary
FROM alert_events
ORDER BY recorded_at DESC, alert_id, sequence DESC
LIMIT {MAX_WAITING + 1}"""  # noqa: S608 - a number of ours
"""One more than may wait: of steps that do not fit, none is left out without a word, because the stream ends."""

log = structlog.get_logger("desk")

Event = tuple[str, dict[str, Any]]


def new_events(before: dict[str, Any] | None, now: dict[str, Any]) -> list[Event]:
    """What changed between two states, in order: tips, then steps, oldest first. From None: the tips only."""
    old_tips = {} if before is None else {tip["chain"]: tip for tip in before["tips"]}
    events: list[Event] = [("tip", tip) for tip in now["tips"] if old_tips.get(tip["chain"]) != tip]
    if before is not None:
        known = {(step["alert_id"], step["sequence"]) for step in before["steps"]}
        fresh = [step for step in now["steps"] if (step["alert_id"], step["sequence"]) not in known]
        events += [("alert", step) for step in reversed(fresh)]
    return events


def framed(event: Event) -> str:
    """An event as the stream has it."""
    name, data = event
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False, allow_nan=False)}\n\n"


class EventFeed:
    """Polls while somebody listens. `pause` waits between two polls. Use it from one event loop."""

    def __init__(self, reader: Reader, pause: Callable[[], Any] = lambda: asyncio.sleep(POLL_SECONDS)) -> None:
        self._reader = reader
        self._pause = pause
        self._listeners: set[asyncio.Queue[Event | None]] = set()
        self._state: dict[str, Any] | None = None
        self._task: asyncio.Task[None] | None = None

    def admit(self) -> None:
        """ApiError 503 at the largest number of listeners."""
        if len(self._listeners) >= MAX_LISTENERS:
            raise ApiError(503, "busy", "too many event streams are open", headers={"Retry-After": "30"})

    async def listen(self) -> AsyncIterator[str]:
        """The current tips, then every change. A comment line at least every 15 seconds keeps the connection open."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(MAX_WAITING)
        self._listeners.add(queue)
        for event in new_events(None, self._state) if self._state else []:
            queue.put_nowait(event)
        if self._task is None or self._task.done():
            self._state = None
            self._task = asyncio.create_task(self._poll())
        try:
            yield "retry: 2000\n\n"
            while True:
                try:
                    async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                        found = await queue.get()
                except TimeoutError:
                    yield ": keep-alive\n\n"
                    continue
                if found is None:
                    return
                yield framed(found)
        finally:
            self._listeners.discard(queue)

    async def _poll(self) -> None:
        try:
            await self._poll_while_heard()
        except Exception:  # a bug ends every stream, and none waits for ever
            log.exception("the event stream ended")
            for queue in list(self._listeners):
                self._end(queue)

    async def _poll_while_heard(self) -> None:
        while self._listeners:
            try:
                state = await asyncio.to_thread(self._read)
            except ApiError as error:
                log.warning("the event stream waits", reason=str(error))
            else:
                self._publish(new_events(self._state, state))
                self._state = state
            await self._pause()

    def _publish(self, events: list[Event]) -> None:
        for queue in list(self._listeners):
            for event in events:
                try:
                    queue.put_nowait(event)
                except asyncio.QueueFull:
                    self._end(queue)
                    break

    def _end(self, queue: asyncio.Queue[Event | None]) -> None:
        self._listeners.discard(queue)
        if queue.full():
            queue.get_nowait()
        queue.put_nowait(None)

    def _read(self) -> dict[str, Any]:
        return {"tips": self._objects(TIPS), "steps": self._objects(STEPS)}

    def _objects(self, sql: str) -> list[dict[str, Any]]:
        heads, blocks = self._reader.read(sql, {})
        return list(writers.objects_of(iter([(heads, []), *((heads, columns) for columns in blocks)])))
