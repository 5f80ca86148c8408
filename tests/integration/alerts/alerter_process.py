"""The alerter as a process of its own, for tests that kill it: settings from the environment, until SIGTERM.

With ALERTER_CLOCK_FILE its wall clock stands where that file says, in UTC seconds, and its durations run forty times as fast.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from alerts.service import run_alerts
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.model import Settings

_SPEED = 40
"""A sign of life every 0.4 s; no other alerter waits for this one's."""


class FileClock(SystemClock):
    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> float:
        return float(self._file.read_text())

    def monotonic(self) -> float:
        return _SPEED * time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds / _SPEED))


if __name__ == "__main__":
    settings = Settings.load()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    clock_file = os.environ.get("ALERTER_CLOCK_FILE")
    with ServiceStatus("alerts", settings.run_dir, SystemClock()) as status:
        run_alerts(settings, clock=FileClock(Path(clock_file)) if clock_file else None, stop=stop, status=status)
