"""One reader for all viewers: it reads each panel once per block, draws it once, and wakes whoever watches.

A viewer costs no query. Where ClickHouse does not answer, the last figures stay and the page shows since when.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from clickhouse_driver.errors import Error as ClickHouseError

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.errors import CounterpoiseError
from counterpoise.redaction import redact
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.status import ServiceStatus
from desk.asker import Memory
from desk.web.drawing import Drawn, draw_panel, draw_side_by_side
from desk.web.panels.panel import SLOW_SECONDS, Context, Panel
from desk.web.reading_budget import ReadingBudget

log = structlog.get_logger("desk")

_NEWS: Final = """
SELECT (SELECT max(version) FROM concentration_latest_log), (SELECT max(version) FROM alert_events_log),
    (SELECT count() FROM attribution_pointer_log)
"""
"""Changes with every block, reorganisation, step of an alert and change of attribution. All three tables are small."""

_CONNECTIONS: Final = 2
"""The panels of the first tier are read on so many at once: it is what a block waits for."""
_AGAIN_SECONDS: Final = 1.0
_UNWATCHED_SECONDS: Final = 1.0
_READING_SHARE: Final = 0.25
_READING_AHEAD_SECONDS: Final = 3.0
_LONGEST_WAIT_SECONDS: Final = 2.0
"""Where blocks come without end, most of the time is left to who brings them; a lone block is read at once."""
_TIP: Final = "SELECT max(height), argMax(time, height) FROM latest_shares WHERE chain = {chain:String}"


@dataclass(frozen=True, slots=True)
class Line:
    """The state of the line for the head of the page. `tip_time` is the header time of the newest scored block."""

    tip_height: int | None = None
    tip_time: datetime | None = None
    away_since: datetime | None = None
    problem: str = ""
    services: tuple[tuple[str, str, bool, str], ...] = ()
    """Name, state, whether it is healthy, and a detail, of each service of the line."""
    lag: int | None = None
    kafka_problem: str = ""


class Hub:
    """See the module. `connect` makes a read-only client; `context_of` gives the subject of the page at a moment."""

    def __init__(
        self,
        connect: Callable[[], ClickHouse],
        context_of: Callable[[datetime], Context],
        panels: Iterable[Panel],
        *,
        clock: Clock,
        status: ServiceStatus,
        line_state: Callable[[], Line] | None = None,
        refresh_seconds: float = 0.1,
    ) -> None:
        self._connect = connect
        self.context_of = context_of
        self._panels = tuple(panels)
        self._clock = clock
        self._status = status
        self._line_state = line_state
        self._refresh_seconds = refresh_seconds
        self._drawn: dict[str, Drawn] = {}
        self._line = Line()
        self._sequence = 0
        self._lock = threading.Lock()
        self._watchers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._slow_at: dict[str, float] = {}
        self._nudge = threading.Event()
        self.ended = False
        """Nothing comes any more: viewers leave."""

    @property
    def drawn(self) -> Mapping[str, Drawn]:
        """Every panel as it was drawn last."""
        with self._lock:
            return dict(self._drawn)

    @property
    def line(self) -> tuple[Line, int]:
        """The state of the line, and the newest number of a change."""
        with self._lock:
            return self._line, self._sequence

    @property
    def is_live(self) -> bool:
        """Whether the dataset follows the chain."""
        return self.context_of(self.now()).kind == "live"

    def now(self) -> datetime:
        """UTC."""
        return datetime.fromtimestamp(self._clock.now(), UTC)

    def watch(self) -> tuple[asyncio.AbstractEventLoop, asyncio.Event]:
        """An event of the running loop that is set at each change; give it back to `unwatch`."""
        watcher = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            self._watchers.add(watcher)
            self._status.set(viewers=len(self._watchers))
        self._nudge.set()
        return watcher

    def unwatch(self, watcher: tuple[asyncio.AbstractEventLoop, asyncio.Event]) -> None:
        """The viewer has gone."""
        with self._lock:
            self._watchers.discard(watcher)
            self._status.set(viewers=len(self._watchers))

    def end(self) -> None:
        """Let every viewer leave."""
        self.ended = True
        self._wake()

    def run(self, stop: threading.Event) -> None:
        """Read until `stop`, in a separate thread."""
        seen: Any = None
        clients: list[ClickHouse] = []
        budget = ReadingBudget(_READING_SHARE, _READING_AHEAD_SECONDS, _LONGEST_WAIT_SECONDS)
        try:
            while not stop.is_set():
                pause = self._refresh_seconds
                try:
                    clients = clients or [self._connect() for _ in range(_CONNECTIONS)]
                    [news] = clients[0].query(_NEWS)
                    began = self._clock.monotonic()
                    self._read(clients, everything=news != seen)
                    ended = self._clock.monotonic()
                    if news != seen:
                        budget.spend(began=began, ended=ended)
                    pause = max(pause, budget.wait(ended))
                    seen = news
                    self._status.working()
                except (CounterpoiseError, ClickHouseError, OSError) as error:
                    self._away(error)
                    pause = _AGAIN_SECONDS
                    _close(clients)
                    seen = None
                self._status.beat()
                self._rest(pause)
        finally:
            _close(clients)

    def _rest(self, pause: float) -> None:
        """A pause that a new viewer ends; longer without viewers, because a look costs the engine some milliseconds."""
        with self._lock:
            watched = bool(self._watchers)
        self._nudge.wait(pause if watched else max(pause, _UNWATCHED_SECONDS))
        self._nudge.clear()

    def watch_line(self, stop: threading.Event, every_seconds: float = 5.0) -> None:
        """Check services and Kafka until `stop`, in a separate thread: an unavailable broker takes seconds to detect."""
        while self._line_state is not None and not stop.is_set():
            found = self._line_state()
            with self._lock:
                here = self._line
            self._set_line(replace(here, services=found.services, lag=found.lag, kafka_problem=found.kafka_problem))
            stop.wait(every_seconds)

    def _read(self, clients: Sequence[ClickHouse], *, everything: bool) -> None:
        """Read and draw what is due. The new tip appears with the first tier; then each panel is shown once it is drawn.

        The slow ones come last, and once each was read, one at a time.
        """
        context = self.context_of(self.now())
        memory = Memory()
        state: dict[str, Any] = {"away_since": None, "problem": ""}
        height = 0
        if everything:
            [(height, at)] = clients[0].query(_TIP, {"chain": context.chain})
            state |= {"tip_height": int(height) or None, "tip_time": at if height else None}
            first = [panel for panel in self._panels if not panel.slow and panel.tier == "now"]
            self._publish(draw_side_by_side(clients, first, context, memory), state)
            for panel in self._panels:
                if not panel.slow and panel.tier != "now":
                    self._publish({panel.name: draw_panel(clients[0], panel, context, memory)}, {})
        slow = self._due_slow()
        for panel in slow:
            self._publish({panel.name: draw_panel(clients[0], panel, context, memory)}, {})
        if everything:
            self._status.progress(1, last_height=int(height))
        elif slow:
            self._publish({}, state)

    def _due_slow(self) -> list[Panel]:
        """The slow panels to read now; they count as read.

        These are all that were never read, or else the one that waits longest: a block that comes meanwhile waits for one panel.
        """
        now = self._clock.monotonic()
        slow = [panel for panel in self._panels if panel.slow]
        due = [panel for panel in slow if panel.name not in self._slow_at]
        if not due:
            old = [panel for panel in slow if now - self._slow_at[panel.name] >= SLOW_SECONDS]
            due = sorted(old, key=lambda panel: self._slow_at[panel.name])[:1]
        self._slow_at |= dict.fromkeys((panel.name for panel in due), now)
        return due

    def _publish(self, fresh: Mapping[str, Drawn], state: Mapping[str, Any]) -> None:
        """Show panels, and the line with these fields of it changed."""
        with self._lock:
            line = replace(self._line, **state)
            changed = {
                name: one
                for name, one in fresh.items()
                if name not in self._drawn or self._drawn[name].markup != one.markup
            }
            if not changed and line == self._line:
                return
            self._sequence += 1
            self._line = line
            self._drawn |= {name: replace(one, sequence=self._sequence) for name, one in changed.items()}
        self._wake()

    def _set_line(self, line: Line) -> None:
        with self._lock:
            if line == self._line:
                return
            self._sequence += 1
            self._line = line
        self._wake()

    def _away(self, error: BaseException) -> None:
        reason = redact(" ".join(str(error).split()))[:300]
        self._status.waiting("clickhouse", reason)
        with self._lock:
            line = self._line
        if line.away_since is None:
            log.warning("the page shows the last figures: ClickHouse does not answer", reason=reason)
            self._set_line(replace(line, away_since=self.now(), problem=reason))

    def _wake(self) -> None:
        with self._lock:
            watchers = tuple(self._watchers)
        for loop, event in watchers:
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:  # its loop has ended
                self.unwatch((loop, event))


def _close(clients: list[ClickHouse]) -> None:
    """Close every connection, and keep none."""
    while clients:
        clients.pop().close()
