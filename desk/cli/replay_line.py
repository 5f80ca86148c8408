"""Replay a source through the whole pipeline, with a live view."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from alerts.rules.rule import HeightRule
from alerts.rules_file import load_judged_rules
from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.errors import RetryableError
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.logs import configure_logging
from counterpoise.runtime.private_files import open_private, private_folder
from counterpoise.runtime.status import ServiceStatus
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from desk.cli.console import Console
from desk.cli.line_view import AlertLine, LineMoment, LineView, alert_lines, latest_moment
from desk.cli.whole_line import Services
from ingest.blocks.replay_job import ReplayReport, run_replay

POLL_SECONDS = 0.25
ALERTS_PATIENCE_SECONDS = 120.0

_ALERTS_AT = "SELECT count(), min(height) FROM alert_state_log FINAL WHERE chain = {chain:String}"


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

    Raises the error that stopped a service, and RetryableError if the alerter does not finish.
    """
    stop = threading.Event()
    clock = SystemClock()
    began = time.monotonic()
    chain = settings.ingest.chain
    reached = judged_height if is_watched(settings, chain) else scored_height
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
        try:
            _show_until(lambda: replay.done() or services.failure is not None, clickhouse, chain, reached, view)
            if services.failure is not None:
                raise services.failure
            report = replay.result()
            deadline = time.monotonic() + ALERTS_PATIENCE_SECONDS
            _show_until(
                lambda: (
                    reached(clickhouse, chain) >= report.last_height
                    or services.failure is not None
                    or time.monotonic() > deadline
                ),
                clickhouse,
                chain,
                reached,
                view,
            )
            if services.failure is not None:
                raise services.failure
            if reached(clickhouse, chain) < report.last_height:
                late = "the alerter" if reached is judged_height else "streams"
                raise RetryableError(f"{late} did not reach height {report.last_height}: see {log_file}")
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
    with TextIOWrapper(open_private(file, "replace"), encoding="utf-8") as stream:
        configure_logging(settings.log_format, "warning", service="replay", stream=stream)
        try:
            yield
        finally:
            configure_logging(settings.log_format, "warning", service="replay")


def _show_until(
    done: Callable[[], bool],
    clickhouse: ClickHouse,
    chain: str,
    reached: Callable[[ClickHouse, str], int],
    view: LineView,
) -> None:
    while not done():
        judged = reached(clickhouse, chain)  # first: all that is told up to there is among the lines
        view.update(latest_moment(clickhouse, chain), alert_lines(clickhouse), judged)
        time.sleep(POLL_SECONDS)


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
