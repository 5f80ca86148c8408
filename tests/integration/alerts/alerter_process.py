"""The alerter as a process of its own, for tests that kill it: settings from the environment, until SIGTERM."""

from __future__ import annotations

import signal
import threading

from alerts.service import run_alerts
from counterpoise.clock import SystemClock
from counterpoise.settings import Settings
from counterpoise.telemetry.status import ServiceStatus

if __name__ == "__main__":
    settings = Settings.load()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with ServiceStatus("alerts", settings.run_dir, SystemClock()) as status:
        run_alerts(settings, stop=stop, status=status)
