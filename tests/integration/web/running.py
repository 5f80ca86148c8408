"""The desk in a thread over real engines, and a client that has opened it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx

from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.model import Settings
from desk.web.service import link_file, run_desk
from tests.waiting import PATIENCE_SECONDS, wait_for


@dataclass
class RunningDesk:
    """Where it answers, its settings, and the status that it publishes."""

    url: str
    settings: Settings
    status: ServiceStatus

    def link(self) -> str:
        """The link that opens it once."""
        return link_file(self.settings).read_text().strip()

    @contextmanager
    def opened(self) -> Iterator[httpx.Client]:
        """A client with a session."""
        with httpx.Client(
            base_url=self.url, timeout=PATIENCE_SECONDS, trust_env=False, follow_redirects=True
        ) as client:
            assert client.get(self.link()).status_code == 200
            yield client


@contextmanager
def running_desk(settings: Settings) -> Iterator[RunningDesk]:
    """Serve until the block ends; the error that ended it is raised."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            run_desk(settings, clock=SystemClock(), stop=stop, status=status)
        except BaseException as error:
            failures.append(error)

    with ServiceStatus("desk", settings.run_dir, SystemClock()) as status:
        thread = threading.Thread(target=run)
        thread.start()
        try:
            wait_for(lambda: failures or "desk_port" in status.snapshot()["info"], "the desk")
            if not failures:
                port = status.snapshot()["info"]["desk_port"]
                yield RunningDesk(f"http://127.0.0.1:{port}", settings, status)
        finally:
            stop.set()
            thread.join(PATIENCE_SECONDS)
            if failures:  # why the block waited in vain, where it did
                raise failures[0]
            assert not status.snapshot()["counters"]["panel_errors"], "a panel could not be drawn: see the log"
    assert not thread.is_alive()


class Events:
    """The stream of changes, read in a thread."""

    def __init__(self, client: httpx.Client) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self._client = client
        self._stop = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with suppress(httpx.HTTPError, httpx.StreamError), self._client.stream("GET", "/events") as answer:
            kind = ""
            for line in answer.iter_lines():
                if self._stop:
                    return
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self.seen.append((kind, json.loads(line.removeprefix("data: "))))

    def end(self) -> None:
        """Leave at the next line."""
        self._stop = True

    def newest(self, panel: str) -> str:
        """The markup of a panel that came last; empty where none did."""
        return next((one["html"] for kind, one in reversed(self.seen) if kind == "panel" and one["name"] == panel), "")

    def head(self) -> str:
        """The newest head of the page."""
        return next((one["html"] for kind, one in reversed(self.seen) if kind == "line"), "")
