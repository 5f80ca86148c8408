"""What a service does, written into services_log every ten seconds, so that `counterpoise status` sees all machines.

A report is worth less than the work: a database that is away costs the service nothing but one line in the log.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import structlog

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.rows.service_rows import service_columns
from counterpoise.redaction import redact
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import ClickHouseTarget

REPORT_EVERY_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 2.0
"""The longest that the last report delays the end of a service."""
_FIRST_LOOK_SECONDS: Final = 1.0
_STARTING_SECONDS: Final = 10.0
"""A service that refuses to start does so by then, in one line, and is not reported."""
_TIMEOUT_SECONDS: Final = 5.0

log = structlog.get_logger("status")


class ServiceReporter:
    """Use with `with`, inside that of the status: a daemon thread with a connection of its own reports until the end of the block.

    While the service waits for ClickHouse nothing is sent. A report that fails is skipped, whatever the reason; the log has one line
    until one succeeds. The last report has the state `finished` where the service set `finished`, else `stopped`. The end waits at
    most CLOSE_SECONDS for it. A service that ends by an error has no last report, so that others see it fall silent.
    """

    def __init__(
        self,
        status: ServiceStatus,
        run_dir: Path,
        target: ClickHouseTarget,
        database: str,
        *,
        every_seconds: float = REPORT_EVERY_SECONDS,
    ) -> None:
        self._status, self._folder, self._every_seconds = status, str(run_dir.absolute()), every_seconds
        timeout = min(_TIMEOUT_SECONDS, target.connect_timeout_seconds)
        self._target = replace(target, connect_timeout_seconds=timeout, query_timeout_seconds=_TIMEOUT_SECONDS)
        self._database = database
        self._version = version("counterpoise")
        self._reported = False
        self._failed = False
        self._closed = threading.Event()
        self._crashed = False
        self._thread = threading.Thread(target=self._run, name="service-reporter", daemon=True)

    def __enter__(self) -> ServiceReporter:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._crashed = kind is not None
        self._closed.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        pause = min(_FIRST_LOOK_SECONDS, self._every_seconds)
        with connect(self._target, self._database) as clickhouse:
            while not self._closed.wait(pause):
                said = self._status.snapshot()
                young = said["updated_at"] - said["started_at"] < _STARTING_SECONDS
                if said["state"] == "starting" and young:
                    continue
                pause = self._every_seconds
                self._report(clickhouse, said, said["state"])
            said = self._status.snapshot()
            if self._reported and not self._failed and not self._crashed:
                self._report(clickhouse, said, "finished" if said["info"].get("finished") else "stopped")

    def _report(self, clickhouse: ClickHouse, said: dict[str, Any], state: str) -> None:
        if state == "waiting" and said["waiting_on"] == "clickhouse":
            return
        try:
            clickhouse.insert("services_log", service_columns(said, self._folder, self._version, state))
        except Exception as error:  # whatever it is, it is no reason to end or to delay the service
            clickhouse.close()
            if not self._failed:
                log.warning(
                    "reports for other machines are not stored", reason=redact(" ".join(str(error).split()))[:300]
                )
            self._failed = True
            return
        if self._failed:
            log.info("reports for other machines are stored again")
        self._reported, self._failed = True, False
