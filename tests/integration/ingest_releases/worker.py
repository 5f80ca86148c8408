"""The market service as a process of its own, from the environment; what the kill tests kill."""

from __future__ import annotations

import signal
import threading

from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.status import ServiceStatus
from counterpoise.settings.model import Settings
from ingest.releases.service import run_market


def main() -> None:
    """Run until SIGTERM."""
    settings = Settings.load()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with ServiceStatus("market", settings.run_dir, SystemClock()) as status:
        run_market(settings, stop=stop, status=status)


if __name__ == "__main__":
    main()
