"""The alerter in a thread of the test, and what it left in ClickHouse."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from typer import Typer
from typer.testing import CliRunner

from alerts.service import run_alerts
from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.client import connect
from counterpoise.contracts.alert_transition import AlertTransition
from counterpoise.runtime.clock import Clock, SystemClock
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from tests.waiting import PATIENCE_SECONDS, wait_for


@dataclass
class Alerter:
    settings: Settings
    status: ServiceStatus
    console: io.StringIO
    seen: list[AlertTransition] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    def until(self, done: Callable[[], bool], what: str) -> None:
        wait_for(lambda: self.failures or done(), what, self.status.snapshot)
        if self.failures:
            raise self.failures[0]

    def at(self, height: int) -> None:
        """Wait until it has taken in a height and said all there is to say."""

        def done() -> bool:
            info = self.status.snapshot()["info"]
            return bool(info.get("height") == height and info.get("undelivered") == 0)

        self.until(done, f"height {height}")


@contextmanager
def alerter(settings: Settings, *, clock: Clock | None = None) -> Iterator[Alerter]:
    stop = threading.Event()

    with ServiceStatus("alerts", settings.run_dir, SystemClock()) as status:
        running = Alerter(settings, status, io.StringIO())

        def work() -> None:
            try:
                run_alerts(
                    settings,
                    clock=clock or SystemClock(),
                    stop=stop,
                    status=status,
                    on_transition=running.seen.append,
                    console=running.console,
                )
            except BaseException as error:
                running.failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield running
        finally:
            stop.set()
            thread.join(timeout=PATIENCE_SECONDS)
            assert not thread.is_alive()
    if running.failures:
        raise running.failures[0]


def rows_of(settings: Settings) -> list[tuple[object, ...]]:
    """All alert rows without what differs between runs: when they were recorded, and by which writer."""
    with connect(clickhouse_target(settings), settings.dataset) as ch:
        return [
            tuple(t.model_dump(exclude={"recorded_at_ms"}, mode="json").items())
            for t in sorted(AlertStore(ch).events.transitions(), key=lambda t: (t.alert_id, t.sequence))
        ]


def states_of(settings: Settings) -> list[tuple[str, int | None, int]]:
    """(state, height, sequence) in the order in which they were written."""
    with connect(clickhouse_target(settings), settings.dataset) as ch:
        return [(t.state, t.evidence.height, t.sequence) for t in AlertStore(ch).events.transitions()]


def printed(app: Typer, *arguments: str, columns: int) -> str:
    """What a command prints at that width; it must end with 0. A CounterpoiseError is raised as it is."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False, env={"COLUMNS": str(columns)})
    assert result.exit_code == 0, result.output
    return result.output
