"""The market ingest service: sources at their cadence, the drop folder, the push endpoint, and the journal between them and Kafka."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import structlog

from counterpoise.clickhouse.client import ClickHouse, connect_consistent
from counterpoise.clickhouse.dataset_mark import open_dataset
from counterpoise.runtime.clock import Clock, SystemClock
from counterpoise.runtime.retry import StoppingError
from counterpoise.runtime.service_status import UNWRITTEN_EVERY_SECONDS, ServiceStatus
from counterpoise.series.catalogue import Catalogue
from counterpoise.series.load import load_catalogue
from counterpoise.settings.endpoints import clickhouse_target, kafka_target
from counterpoise.settings.model import Settings
from ingest.ingest_waiter import ingest_waiter
from ingest.publisher import Publisher
from ingest.releases.drop_folder import DropFolder
from ingest.releases.journal.entry import ReadStored
from ingest.releases.journal.rejected_items import RejectedItems
from ingest.releases.journal.release_journal import ReleaseJournal
from ingest.releases.push.push_app import PushEndpoint, make_app
from ingest.releases.push.push_server import PushServer, push_token
from ingest.releases.relay import Relay
from ingest.releases.schedule import Schedule
from ingest.releases.sources.release_sources import configured_sources
from ingest.releases.stored_releases import StoredReleases

_SCHEDULE_ROUND_SECONDS = 1.0
_JOIN_SECONDS = 10.0

log = structlog.get_logger("market")


def run_market(
    settings: Settings,
    *,
    clock: Clock | None = None,
    stop: threading.Event,
    status: ServiceStatus,
    stored: ReadStored | None = None,
    catalogue: Catalogue | None = None,
) -> None:
    """Run the configured market sources until `stop` is set. Migrations must have run.

    What is accepted is in the journal before anything else happens to it, and goes to Kafka until `stored` (ClickHouse, where not
    given) has it. Whatever is down is waited for, while the other entrances stay open. ConfigError where a setting cannot work; any
    other error of an entrance ends the service, for its supervisor to start it again.
    """
    clock = clock or SystemClock()
    catalogue = catalogue or load_catalogue()
    folder = settings.run_dir / "market"
    with ExitStack() as stack:
        journal = ReleaseJournal(folder / "journal", max_bytes=settings.market.journal_max_bytes)
        stack.callback(journal.close)
        intake = _Intake(settings, catalogue, journal, folder, clock=clock, stop=stop, status=status)
        stack.callback(intake.close)
        # Also while it waits for what is down: an entrance that ended then would stay closed until that is back.
        waiter = ingest_waiter(
            clock, stop, status, stale_after_seconds=settings.ingest.stale_after_seconds, check=intake.check
        )
        publisher = Publisher(settings, kafka_target(settings), waiter, status)
        stack.callback(publisher.close)
        clickhouse: ClickHouse | None = None
        if stored is None:
            clickhouse = stack.enter_context(connect_consistent(clickhouse_target(settings), settings.dataset))
            stored = StoredReleases(clickhouse)
        relay = Relay(
            journal,
            publisher,
            stored,
            waiter=waiter,
            status=status,
            set_aside_after_seconds=settings.market.set_aside_after_seconds,
            rejected=intake.rejected,
        )
        try:
            intake.open()
            if clickhouse is not None:
                opened = clickhouse
                waiter.until_done("clickhouse", lambda: open_dataset(opened, settings.dataset_of))
            read_stored = stored
            waiter.until_done("clickhouse", lambda: intake.schedule.forget_what_is_lost(read_stored))
            intake.start_asking()
            publisher.open()
            status.working()
            relay.run()
        except StoppingError:
            log.info("market ingest stopped")


class _Intake:
    """Everything that lets releases in, each in a thread of its own."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        journal: ReleaseJournal,
        folder: Path,
        *,
        clock: Clock,
        stop: threading.Event,
        status: ServiceStatus,
    ) -> None:
        self._stop = stop
        self._status = status
        self._stack = ExitStack()
        self._threads: list[threading.Thread] = []
        self._failure: BaseException | None = None
        self._unwritten_at: dict[str, float] = {}
        self.rejected = RejectedItems(folder / "rejected")
        market = settings.market
        with ExitStack() as stack:
            sources = configured_sources(market, catalogue, clock=clock, pause=self._pause)
            self.schedule = Schedule(
                sources, journal, folder / "sources", clock=clock, status=status, on_rejected=self.rejected.put
            )
            stack.callback(self.schedule.close)
            self._drop: DropFolder | None = None
            if "drop" in market.sources:
                self._drop = DropFolder(market.drop, catalogue, journal, clock=clock, count=status.count)
                stack.callback(self._drop.close)
            self._scan_seconds = market.drop.scan_seconds
            self._push: PushServer | None = None
            if "push" in market.sources:
                token = push_token(market.push)
                endpoint = PushEndpoint(market.push, token, journal, clock=clock, status=status, catalogue=catalogue)
                self._push = PushServer(make_app(endpoint), market.push)
                stack.callback(self._push.stop)
            if not market.sources:
                log.warning("no market source is configured: set COUNTERPOISE_MARKET__SOURCES")
            self._stack = stack.pop_all()

    def open(self) -> None:
        """Open the push endpoint and the drop folder, which need nobody else."""
        if self._push is not None:
            self._push.start()
            self._status.set(push_port=self._push.port)
        if self._drop is not None:
            self._start("drop", self._drop.scan, self._scan_seconds)

    def start_asking(self) -> None:
        """Ask the sources from now on."""
        self._start("sources", self.schedule.ask_due, _SCHEDULE_ROUND_SECONDS)

    def check(self) -> None:
        """Raise what ended an entrance that should be open."""
        if self._failure is not None:
            raise self._failure
        if self._push is not None and not self._push.is_alive():
            raise RuntimeError("the push endpoint's thread ended")

    def close(self) -> None:
        """Close them all; what is under way is finished."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)
        self._stack.close()

    def _start(self, name: str, work: Callable[[], object], every_seconds: float) -> None:
        def run() -> None:
            try:
                while True:
                    try:
                        work()
                    except OSError as error:  # a full disk; what came in is still where it was
                        self._log_unwritten(name, error)
                    self._pause(every_seconds)
            except StoppingError:
                pass
            except BaseException as error:
                self._failure = error

        thread = threading.Thread(target=run, name=f"market-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _log_unwritten(self, name: str, error: OSError) -> None:
        now = time.monotonic()
        if now - self._unwritten_at.get(name, -UNWRITTEN_EVERY_SECONDS) >= UNWRITTEN_EVERY_SECONDS:
            self._unwritten_at[name] = now
            log.warning(
                "a file cannot be written; trying again", entrance=name, file=error.filename, reason=error.strerror
            )

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise StoppingError("stopped")
