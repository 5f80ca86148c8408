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
from counterpoise.errors import ChangingError, CounterpoiseError
from counterpoise.redaction import redact
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.service_status import ServiceStatus
from desk.asker import Memory
from desk.web import markup
from desk.web.drawing import Drawn, draw_panel, draw_side_by_side
from desk.web.panels.panel import PageContext, Panel
from desk.web.reading_budget import ReadingBudget
from desk.web.reading_order import ReadingOrder

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
_FIRST_SHARE, _REST_SHARE = 0.1, 0.2
_READING_AHEAD_SECONDS: Final = 3.0
_LONGEST_WAIT_SECONDS: Final = 2.0
"""Where blocks come without end, most of the time is left to who brings them; a lone block is read at once.

The budget of the first tier is another one: blocks that come every few seconds do not wait for what the others took.
"""
_BROKEN: Final = markup.nothing("This panel cannot be drawn now. The log of the desk has the error.")
_TIP: Final = "SELECT max(height), argMax(time, height) FROM latest_shares WHERE chain = {chain:String}"


@dataclass(frozen=True, slots=True)
class LineState:
    """The state of the line for the head of the page. `tip_time` is the header time of the newest scored block."""

    tip_height: int | None = None
    tip_time: datetime | None = None
    away_since: datetime | None = None
    problem: str = ""
    services: tuple[tuple[str, str, bool, str], ...] = ()
    """Name, state, whether it is healthy, and a detail, of each service of the line."""
    lag: int | None = None
    kafka_problem: str = ""
    rules_problem: str = ""
    rules_in_use: bool = True
    """False: the rules file had a mistake at every reading, so that there are no rules of before."""


class Hub:
    """See the module. `connect` makes a read-only client; `context_of` gives the subject of the page at a moment."""

    def __init__(
        self,
        connect: Callable[[], ClickHouse],
        context_of: Callable[[datetime], PageContext],
        panels: Iterable[Panel],
        *,
        clock: Clock,
        status: ServiceStatus,
        line_state: Callable[[], LineState] | None = None,
        refresh_seconds: float = 0.1,
    ) -> None:
        self._connect = connect
        self.context_of = context_of
        self._order = ReadingOrder(panels)
        self._clock = clock
        self._status = status
        self._line_state = line_state
        self._refresh_seconds = refresh_seconds
        self._drawn: dict[str, Drawn] = {}
        self._line = LineState()
        self._sequence = 0
        self._lock = threading.Lock()
        self._watchers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._memory = Memory()
        self._seen: Any = None
        self._height: int | None = None
        self._broken: set[str] = set()
        """Panels that could not be drawn: the log has each once, until it can be drawn again."""
        self._first_budget = ReadingBudget(_FIRST_SHARE, _READING_AHEAD_SECONDS, _LONGEST_WAIT_SECONDS)
        self._rest_budget = ReadingBudget(_REST_SHARE, _READING_AHEAD_SECONDS, _LONGEST_WAIT_SECONDS)
        self._nudge = threading.Event()
        self.ended = False
        """Nothing comes any more: viewers leave."""

    @property
    def drawn(self) -> Mapping[str, Drawn]:
        """Every panel as it was drawn last."""
        with self._lock:
            return dict(self._drawn)

    @property
    def line(self) -> tuple[LineState, int]:
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
        clients: list[ClickHouse] = []
        try:
            while not stop.is_set():
                try:
                    while len(clients) < _CONNECTIONS:
                        clients.append(self._connect())
                    pause = self.look(clients)
                    self._status.working()
                except ChangingError as error:
                    log.info("the page is read again", reason=str(error))
                    pause, self._seen = _AGAIN_SECONDS, None
                except (CounterpoiseError, ClickHouseError, OSError) as error:
                    self._away(error)
                    pause = _AGAIN_SECONDS
                    while clients:
                        clients.pop().close()
                    self._seen = None
                self._status.beat()
                if pause:
                    self._rest(pause)
        finally:
            for client in clients:
                client.close()

    def look(self, clients: Sequence[ClickHouse]) -> float:
        """Look once: the first tier where something changed, and one of the panels that wait. Seconds until the next look."""
        [stored] = clients[0].query(_NEWS)
        context = self.context_of(self.now())
        news = (stored, context.line, context.window_blocks)  # an edited rule is news too
        began = self._clock.monotonic()
        if news != self._seen and not self._first_budget.wait(began):
            self._read_first(clients)
            self._seen = news
            began = _spend(self._first_budget, began, self._clock.monotonic())
        if news != self._seen:  # the first tier has to wait: what was remembered of it is of the block before
            self._memory = Memory()
        if self._order.pending and not self._rest_budget.wait(began):
            self._read_one(clients[0], self._order.next())
            began = _spend(self._rest_budget, began, self._clock.monotonic())
        if self._order.pending:
            return self._rest_budget.wait(began) and self._refresh_seconds
        slow = self._order.due_slow(began)
        if slow:
            self._memory = Memory()  # what they show also changes without a block
        for panel in slow:
            self._read_one(clients[0], panel)
        if self._height is not None:
            self._status.progress(1, last_height=self._height)
            self._height = None
        return self._refresh_seconds

    def _rest(self, pause: float) -> None:
        """A pause that a new viewer ends; longer without viewers, because a look costs the engine some milliseconds."""
        with self._lock:
            watched = bool(self._watchers)
        self._nudge.wait(pause if watched else max(pause, _UNWATCHED_SECONDS))
        self._nudge.clear()

    def watch_line(self, stop: threading.Event, every_seconds: float = 5.0) -> None:
        """Check services and Kafka until `stop`, in a separate thread: an unavailable broker takes seconds to detect."""
        failed = False
        while self._line_state is not None and not stop.is_set():
            try:
                found, failed = self._line_state(), False
            except Exception:  # a bug in one look ends no later one
                if not failed:
                    log.exception("the state of the services cannot be read")
                failed = True
                found = LineState(services=(("services", "not known", False, "the log of the desk has the error"),))
            with self._lock:
                here = self._line
            self._set_line(
                replace(
                    here,
                    services=found.services,
                    lag=found.lag,
                    kafka_problem=found.kafka_problem,
                    rules_problem=found.rules_problem,
                    rules_in_use=found.rules_in_use,
                )
            )
            stop.wait(every_seconds)

    def _read_first(self, clients: Sequence[ClickHouse]) -> None:
        """Read what a block waits for. The new tip appears with it, and the other panels wait for their turns."""
        context = self.context_of(self.now())
        self._memory = Memory()
        [(height, at)] = clients[0].query(_TIP, {"chain": context.chain})
        tip = {"tip_height": int(height) or None, "tip_time": at if height else None}
        drawn = draw_side_by_side(clients, self._order.first, context, self._memory, self._draw)
        self._publish(drawn, {"away_since": None, "problem": "", **tip})
        self._order.news()
        self._height = int(height)

    def _read_one(self, client: ClickHouse, panel: Panel | None) -> None:
        """Read a panel and show it. What the others of this reading asked is not asked again."""
        if panel is not None:
            self._publish({panel.name: self._draw(client, panel, self.context_of(self.now()), self._memory)}, {})

    def _draw(self, client: ClickHouse, panel: Panel, context: PageContext, memory: Memory) -> Drawn:
        """A panel; words in its place where it has a bug, which costs no other panel."""
        try:
            drawn = draw_panel(client, panel, context, memory)
        except (CounterpoiseError, ClickHouseError, OSError):  # ClickHouse is away, or what was read changes just now
            raise
        except Exception:
            if panel.name not in self._broken:
                log.exception("a panel cannot be drawn", panel=panel.name)
            self._broken.add(panel.name)
            self._status.count("panel_errors")
            return Drawn(panel, _BROKEN, (), 0)
        self._broken.discard(panel.name)
        return drawn

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

    def _set_line(self, line: LineState) -> None:
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


def _spend(budget: ReadingBudget, began: float, ended: float) -> float:
    """Take a reading out of its budget; when it ended."""
    budget.spend(began=began, ended=ended)
    return ended
