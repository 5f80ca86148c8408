"""Services of the dataset on other machines, or with other state directories, by their last report in ClickHouse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.service_reporter import REPORT_EVERY_SECONDS

SILENT_AFTER_SECONDS: Final = REPORT_EVERY_SECONDS * 3
SHOWN_SECONDS: Final = 3600
"""A process that reported nothing for so long is not shown any more."""

_TICK_SECONDS: Final = 0.001
"""Times are stored to the millisecond."""

STANDS_BY: Final = "alerter"
"""What an alerter waits on while another one judges."""

_RUNS: Final = ("starting", "working", "waiting")

_REPORTS: Final = f"""
SELECT service, instance, host, folder, pid, software_version, state, waiting_on, wait_reason, heights,
    last_progress_at, started_at, age_seconds
FROM services WHERE age_seconds < {SHOWN_SECONDS} ORDER BY service, host, started_at
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class RemoteService:
    """One process as it last reported, `age_seconds` ago by ClickHouse's clock; the other times are by the clock of its host.

    `state` is its own, or `silent`. `problem` is empty where it works or has finished.
    """

    service: str
    instance: str
    host: str
    folder: str
    pid: int
    version: str
    state: str
    waiting_on: str
    problem: str
    heights: dict[str, int]
    last_progress_at: float | None
    started_at: float
    age_seconds: float

    @property
    def runs(self) -> bool:
        """Whether it works, waits or has finished its file: the service needs no other process."""
        return self.state in _RUNS or self.state == "finished"

    @property
    def stands_by(self) -> bool:
        """Whether it is an alerter that waits until another one ends."""
        return self.waiting_on == STANDS_BY


def read_reports(clickhouse: ClickHouse) -> list[RemoteService]:
    """Every process that reported within SHOWN_SECONDS, those of this machine included."""
    return [_report(row) for row in clickhouse.query(_REPORTS)]


def _report(row: tuple[Any, ...]) -> RemoteService:
    *head, state, waiting_on, reason, heights, progress, started, age = row
    problem = f"on {waiting_on}: {reason}" if state == "waiting" else ""
    if state in _RUNS and age > SILENT_AFTER_SECONDS:
        state, problem = "silent", f"reported nothing for {age:.0f} s"
    progressed_at = None if progress is None else progress.timestamp()
    tail = state, waiting_on, problem, dict(heights), progressed_at, started.timestamp(), age
    fields: tuple[Any, ...] = (*head, *tail)
    return RemoteService(*fields)


def elsewhere(
    reports: Iterable[RemoteService], here: Iterable[tuple[Path, Mapping[str, Any]]]
) -> tuple[RemoteService, ...]:
    """The reports of processes that are not in `here`: the statuses that files of this machine hold, each with its folder.

    Left out is what stopped in order, and what a later process of the same service, host and folder has replaced.
    """
    reports = list(reports)
    newest: dict[tuple[str, str, str], float] = {}
    known: set[str] = set()
    places = [((r.service, r.host, r.folder), r.started_at) for r in reports]
    for folder, status in here:
        known.add(str(status.get("instance")))
        place = str(status.get("service")), str(status.get("host")), str(folder.absolute())
        places.append((place, float(status.get("started_at") or 0)))
    for place, started_at in places:
        newest[place] = max(started_at, newest.get(place, started_at))
    return tuple(
        r
        for r in reports
        if r.instance not in known
        and r.state != "stopped"
        and r.started_at >= newest[r.service, r.host, r.folder] - _TICK_SECONDS
    )
