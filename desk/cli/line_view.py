"""What a replay shows while it runs: the window that ends in the newest scored block, and alerts as they fire and clear."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from alerts.rules.condition import condition_of
from alerts.signals.window_counts import WindowPlace
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.formats import TERMINAL
from counterpoise.windows import RAW, USUAL_WINDOW_BLOCKS, VIEWS
from desk.cli.console import Console

BAR_CELLS = 32
SHOWN_ALERTS = 8
PANEL_LINES, PANEL_COLUMNS = 2, 4
"""What the panel's border and its padding take."""
PLAIN_STEPS = 25
"""Without a terminal, one line is printed every so many parts of the way."""

_LATEST = """
    SELECT height, time, n, unknown, top4_share, top4_share_low, top4_share_high, hhi_10000, effective_pools_d2, nakamoto_half,
           p_top4_above_75, leaders
    FROM latest_concentration
    WHERE chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16}
"""

# The value is that of a rule's first condition, which may have a view and a window of its own.
_EVENTS = """
    WITH
        JSONExtractRaw(evidence, 'rule', 'when') AS conditions,
        if(JSONType(conditions, 'any') = 'Array', 'any', 'all') AS joint,
        JSONExtractString(conditions, joint, 1, 'view') AS own_view,
        JSONExtractUInt(conditions, joint, 1, 'window_blocks') AS own_window
    SELECT alert_id, sequence, event_time, state, rule_id, height, value, interval_low, interval_high, threshold, summary,
           JSONExtractString(evidence, 'metric') AS metric,
           if(own_view = '', e.view, own_view), if(own_window = 0, e.window_blocks, own_window)
    FROM alert_events AS e
    WHERE state IN ('firing', 'resolved', 'retracted')
    ORDER BY event_time, alert_id, sequence
"""


@dataclass(frozen=True, slots=True)
class LineMoment:
    """The newest scored window."""

    height: int
    time: datetime
    n: int
    unknown: int
    top4_share: float
    top4_low: float
    top4_high: float
    hhi_points: float
    effective_pools: float
    nakamoto_half: int
    """0 where all known pools together have no majority."""
    p_above: float
    leaders: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One notified transition."""

    key: tuple[str, int]
    time: datetime
    state: str
    rule_id: str
    height: int | None
    value: float | None
    low: float | None
    high: float | None
    threshold: float | None
    summary: str
    metric: str = ""
    view: str = ""
    window_blocks: int = 0
    """The window of the value; 0, and no view, where the rule has none."""

    def text(self) -> Text:
        """One line for a terminal."""
        style = {"firing": "bold red", "resolved": "bold green"}.get(self.state, "yellow")
        word = {"firing": "FIRING", "resolved": "CLEARED", "retracted": "RETRACTED"}[self.state]
        line = Text.assemble((f"{self.time:%Y-%m-%d %H:%M}", "dim"), "  ", (f"{word:<9}", style), f" {self.rule_id}")
        if window := self._window():
            line.append(f"  {window}")
        if self.value is not None:
            self._append_value(line, self.value)
        if self.height is not None:
            line.append(f"  height {self.height}", "dim")
        return line

    def _append_value(self, line: Text, value: float) -> None:
        """The value with interval and line; without signal and window the unit is the rule's, and its words are shown."""
        words = condition_of(self.metric)
        if words is None and not self.window_blocks:
            line.append(f"  {self.summary}")
            return
        in_words = words is not None and not words.is_share

        def write(number: float, digits: int | None = 1) -> str:
            lines = [] if self.threshold is None else [self.threshold]
            if words is not None and in_words:
                return words.format(number, lines)
            return TERMINAL.share(number, digits, lines=lines)

        line.append(f"  {write(value, 2)}")
        if self.low is not None and self.high is not None:
            line.append(f" [{write(self.low)}, {write(self.high)}]", "dim")
        if self.threshold is None or self.state != "firing":
            return
        if words is None or not in_words:
            line.append(f"  line {TERMINAL.share(self.threshold, None)}")
        elif words.source.switch is None:
            line.append(f"  line {words.format_line(self.threshold)}")

    def as_json(self) -> dict[str, Any]:
        """The same for programs, and more: shares are 0 to 1, and `metric` is null for a rule with its own wording."""
        return {
            "alert_id": self.key[0],
            "step": self.key[1],
            "time": f"{self.time:%Y-%m-%dT%H:%M:%SZ}",
            "state": self.state,
            "rule": self.rule_id,
            "metric": self.metric or None,
            "view": self.view or None,
            "window_blocks": self.window_blocks or None,
            "value": _finite(self.value),
            "interval_low": _finite(self.low),
            "interval_high": _finite(self.high),
            "threshold": _finite(self.threshold),
            "height": self.height,
            "summary": self.summary,
        }

    def _window(self) -> str:
        """`1008 blocks (raw)`; empty where the rule judges no window."""
        if self.view not in VIEWS or not self.window_blocks:
            return ""
        place, condition = WindowPlace(self.view, self.window_blocks), condition_of(self.metric)
        return place.words if condition is None else condition.window_words(place)


def _finite(value: float | None) -> float | None:
    """JSON has neither NaN nor infinity."""
    return value if value is not None and math.isfinite(value) else None


def latest_moment(clickhouse: ClickHouse, chain: str) -> LineMoment | None:
    """The chain's newest window of USUAL_WINDOW_BLOCKS, or None before the first score."""
    rows = clickhouse.query(_LATEST, {"chain": chain, "view": RAW, "window": USUAL_WINDOW_BLOCKS})
    return LineMoment(*rows[0]) if rows else None


def alert_lines(clickhouse: ClickHouse) -> list[AlertLine]:
    """Every notified transition so far, by event time."""
    return [AlertLine((row[0], row[1]), *row[2:]) for row in clickhouse.query(_EVENTS)]


class LineView:
    """Draws in place on a terminal, in plain lines elsewhere."""

    def __init__(self, console: Console, first_height: int, last_height: int) -> None:
        self._console = console
        self._first = first_height
        self._last = max(last_height, first_height + 1)
        self._live = Live(console=console, refresh_per_second=8, transient=False) if console.is_terminal else None
        self._alerts: list[AlertLine] = []
        self._seen: set[tuple[Any, ...]] = set()
        self._step = -1
        self._unprinted: list[tuple[int, Text]] = []
        self._notice = ""

    def __enter__(self) -> LineView:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, moment: LineMoment | None, alerts: Sequence[AlertLine], judged_height: int) -> None:
        """Show the newest state; alerts that were shown before are not repeated.

        Plain lines come in the order of their heights, so one waits until the alerter has judged its height (`judged_height`).
        """
        new = [line for line in alerts if line.key not in self._seen]
        self._seen.update(line.key for line in new)
        self._alerts += new
        if self._live is not None:
            self._live.update(self._panel(moment))
            return
        self._unprinted += [(line.height or 0, line.text()) for line in new]
        if moment is not None:
            step = (moment.height - self._first) * PLAIN_STEPS // (self._last - self._first)
            if step != self._step:
                self._step = step
                self._unprinted.append((moment.height, self._plain(moment)))
        self._unprinted.sort(key=lambda line: line[0])
        while self._unprinted and self._unprinted[0][0] <= judged_height:
            self._console.print(self._unprinted.pop(0)[1], soft_wrap=True, markup=False)

    def notify(self, notice: str) -> None:
        """Show what is waited for (a line in the panel, or a separate line once), until it is empty again."""
        if notice == self._notice:
            return
        self._notice = notice
        if self._live is None and notice:
            self._console.print(Text(f"waiting: {notice}", style="yellow"), soft_wrap=True, markup=False)

    def _plain(self, m: LineMoment) -> Text:
        leaders = ", ".join(f"{pool} {TERMINAL.share(count / m.n, 0)}" for pool, count in m.leaders[:4])
        return Text(
            f"{m.time:%Y-%m-%d}  height {m.height}  top-4 {TERMINAL.share(m.top4_share)} "
            f"[{TERMINAL.share(m.top4_low)}, {TERMINAL.share(m.top4_high)}]  "
            f"HHI {m.hhi_points:.0f}  Nakamoto {m.nakamoto_half or '–'}  {leaders}"
        )

    def _panel(self, m: LineMoment | None) -> RenderableType:
        if m is None:
            starting = Text("starting: Kafka, ClickHouse, streams, alerts …", style="dim")
            return Panel(Group(starting, *self._notices()), title="counterpoise")
        head = Table.grid(padding=(0, 3))
        head.add_row(
            Text(f"{m.time:%Y-%m-%d %H:%M} UTC", style="bold"),
            f"height {m.height}",
            f"window {m.n} blocks",
            f"unknown {TERMINAL.share(m.unknown / m.n)}",
        )
        share = Text.assemble(
            "top-4 share ",
            (f"{TERMINAL.share(m.top4_share)}", "bold red" if m.top4_share > 0.75 else "bold"),
            (f" [{TERMINAL.share(m.top4_low)}, {TERMINAL.share(m.top4_high)}]", "dim"),
            f"   P(> 75 %) {TERMINAL.probability(m.p_above, 2)}   HHI {m.hhi_points:.0f}   "
            f"effective pools {TERMINAL.number(m.effective_pools, 2)}   Nakamoto {m.nakamoto_half or '–'}",
        )
        pools = Table.grid(padding=(0, 2))
        for pool, count in m.leaders:
            pools.add_row(pool, Text("█" * round(BAR_CELLS * count / m.n), style="cyan"), TERMINAL.share(count / m.n))
        progress = ProgressBar(total=self._last - self._first, completed=m.height - self._first, width=60)
        above, below = Group(head, share, "", pools, "", progress, ""), Group(*self._notices())
        alerts = self._newest_that_fit(self._lines(above) + self._lines(below))
        return Panel(Group(above, *alerts, below), title="counterpoise", subtitle="Ctrl-C stops")

    def _newest_that_fit(self, taken_lines: int) -> list[Text]:
        """The newest alerts in their order, at most eight and at least one: the end of a view beyond the terminal is cut off."""
        fitting: list[Text] = []
        room = self._console.height - PANEL_LINES - taken_lines
        for line in reversed(self._alerts[-SHOWN_ALERTS:]):
            text = line.text()
            room -= self._lines(text)
            if fitting and room < 0:
                break
            fitting.insert(0, text)
        return fitting or [Text("no alert yet", style="dim")]

    def _lines(self, shown: RenderableType) -> int:
        """How many lines it takes within the panel."""
        inside = self._console.options.update(width=max(self._console.width - PANEL_COLUMNS, 1))
        return len(self._console.render_lines(shown, inside))

    def _notices(self) -> list[Text]:
        return [Text(f"waiting: {self._notice}", style="yellow")] if self._notice else []
