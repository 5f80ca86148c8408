"""Replay a source through the whole pipeline, with a live view."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerts.rules.rule import HeightRule
from alerts.rules_file import load_judged_rules
from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.errors import RetryableError
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.logs import configure_logging
from counterpoise.runtime.private_files import open_private_log, private_folder
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from desk.cli.console import Console
from desk.cli.line_view import AlertLine, LineMoment, LineView, alert_lines, latest_moment
from desk.cli.line_waits import NO_PROGRESS_SECONDS, NoProgress, free_bytes, notice, progress_marks, statuses
from desk.cli.whole_line import Services
from ingest.blocks.replay_job import ReplayReport, run_replay

POLL_SECONDS = 0.25
NOTICE_SECONDS = 1.0
_WAITING = ("ingest", "streams", "alerts")

# A rule whose path is its own has its height; all others are at that of the path that they share.
_ALERTS_AT = (
    "SELECT count(), min(height) FROM alert_state_log FINAL WHERE chain = {chain:String} "
    "AND (rule_id = '_path' OR JSONType(state, 'path') = 'Array')"
)


@dataclass(frozen=True, slots=True)
class LineReport:
    """How it ended. `seconds` run from the first block published to the last alert decided."""

    replay: ReplayReport
    moment: LineMoment | None
    alerts: list[AlertLine]
    seconds: float


def replay_line(
    settings: Settings,
    source: Path | str,
    console: Console,
    *,
    speed: float,
    first_height: int,
    last_height: int,
    from_height: int | None = None,
    to_height: int | None = None,
    after: Callable[[], object] | None = None,
) -> LineReport:
    """Run ingest here, and streams and alerts beside it, until the alerter has judged the last block and `after` has returned.

    If no rule on concentration watches the chain, run until the last block is scored.

    The screen shows what the services wait for. Raises the error that stopped a service, and RetryableError where nothing
    progresses after the last block was published.
    """
    stop = threading.Event()
    clock = SystemClock()
    began = time.monotonic()
    chain = settings.ingest.chain
    reached = height_reached(settings)
    log_file = settings.run_dir / "services.log"
    with (
        _logging_to(settings, settings.run_dir / "replay.log"),
        Services(settings, log_file) as services,
        ServiceStatus("ingest", settings.run_dir, clock) as status,
        connect(clickhouse_target(settings), settings.dataset) as clickhouse,
        ThreadPoolExecutor(1, thread_name_prefix="replay") as pool,
        LineView(console, first_height, last_height) as view,
    ):
        replay = pool.submit(
            run_replay,
            settings,
            source,
            stop=stop,
            status=status,
            speed=speed,
            from_height=from_height,
            to_height=to_height,
        )
        watch = _Watch(settings, services, clickhouse, reached, view)
        try:
            watch.show_until(replay.done)
            report = replay.result()
            progress = NoProgress()
            stands_still = False

            def judged() -> bool:
                nonlocal stands_still
                stands_still = progress.look(time.monotonic(), (watch.height, progress_marks(watch.statuses)))
                return watch.height >= report.last_height or stands_still

            watch.show_until(judged)
            if watch.height < report.last_height:
                late = "the alerter" if reached is judged_height else "streams"
                cause = f": {watch.notice}" if watch.notice else ""
                raise RetryableError(
                    f"{late} did not reach height {report.last_height}: nothing progressed for {NO_PROGRESS_SECONDS:.0f} s "
                    f"after height {watch.height}{cause}: see {log_file}"
                )
            seconds = time.monotonic() - began
            if after is not None:
                after()
        finally:
            stop.set()
        moment, alerts = latest_moment(clickhouse, chain), alert_lines(clickhouse)
        view.update(moment, alerts, report.last_height)
    return LineReport(report, moment, alerts, seconds)


@contextmanager
def _logging_to(settings: Settings, file: Path) -> Iterator[None]:
    """Log warnings of this process to a file: a line on the terminal would tear the view apart."""
    private_folder(file.parent)
    with open_private_log(file) as stream:
        configure_logging(settings.log_format, "warning", service="replay", stream=stream)
        try:
            yield
        finally:
            configure_logging(settings.log_format, "warning", service="replay")


class _Watch:
    """Shows the line until something is done; raises what ended the services."""

    def __init__(
        self,
        settings: Settings,
        services: Services,
        clickhouse: ClickHouse,
        reached: Callable[[ClickHouse, str], int],
        view: LineView,
    ) -> None:
        self._settings, self._services, self._clickhouse = settings, services, clickhouse
        self._reached, self._view = reached, view
        self._noticed_at = -NOTICE_SECONDS
        self._drawn_at = -NOTICE_SECONDS
        self.height = -1
        """The height that is judged or scored."""
        self.statuses: dict[str, Mapping[str, Any]] = {}
        self.notice = ""

    def show_until(self, done: Callable[[], bool]) -> None:
        """Poll and draw until `done`, which is asked after each look."""
        while True:
            if self._services.failure is not None:
                raise self._services.failure
            self._look()
            if done():
                return
            time.sleep(POLL_SECONDS)

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._noticed_at >= NOTICE_SECONDS:
            self._noticed_at = now
            folder = self._settings.state_dir
            self.statuses = statuses(self._settings, _WAITING)
            self.notice = notice(self.statuses, time.time(), folder, free_bytes(folder))
            self._view.notify(self.notice)
        chain = self._settings.ingest.chain
        before = self.height
        self.height = self._reached(self._clickhouse, chain)  # first: all that is told up to there is among the lines
        # Both questions cost ten times as much as that one, and the services share the machine with them.
        if self.height != before or now - self._drawn_at >= NOTICE_SECONDS:
            self._drawn_at = now
            self._view.update(latest_moment(self._clickhouse, chain), alert_lines(self._clickhouse), self.height)


def height_reached(settings: Settings) -> Callable[[ClickHouse, str], int]:
    """What gives the height up to which a replay has come: −1 before the first."""
    return judged_height if is_watched(settings, settings.ingest.chain) else scored_height


def is_watched(settings: Settings, chain: str) -> bool:
    """Whether a rule that is switched on judges the chain's heights."""
    rules = load_judged_rules(settings.alerts.rules_file)
    return any(rule.enabled and rule.chain == chain for rule in rules if isinstance(rule, HeightRule))


def alerts_reached(clickhouse: ClickHouse, chain: str, height: int) -> bool:
    """Whether every rule of the chain has judged this height."""
    return judged_height(clickhouse, chain) >= height


def judged_height(clickhouse: ClickHouse, chain: str) -> int:
    """The height up to which every rule of the chain has judged; −1 before the first."""
    [(rules, lowest)] = clickhouse.query(_ALERTS_AT, {"chain": chain})
    return int(lowest) if rules else -1


def scored_height(clickhouse: ClickHouse, chain: str) -> int:
    """The height up to which the chain is scored; −1 before the first."""
    moment = latest_moment(clickhouse, chain)
    return -1 if moment is None else moment.height
