"""The state of engines and services, lag and the last block in one value. `counterpoise status` shows it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.error_codes import DriverError
from counterpoise.errors import CounterpoiseError, RetryableError
from counterpoise.kafka.lag import CONSUMERS, PartitionLag, group_id, read_lag, total_lag
from counterpoise.metrics.scoring_format import SCORING_FORMAT
from counterpoise.redaction import redact
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.service_status import SILENT_AFTER_SECONDS, newest_status, read_status
from counterpoise.settings.endpoints import clickhouse_target, kafka_target
from counterpoise.settings.model import Settings
from desk.supervise.elsewhere import SHOWN_SECONDS, STANDS_BY, RemoteService, elsewhere, read_reports
from desk.supervise.run_folders import run_folders

SERVICES: Final = ("ingest", "market", "streams", "alerts", "desk")
"""In the order of the line. `market` is left out where no market source is configured and it never ran, `desk` where it is off."""
_START_EMBEDDED: Final = ": `counterpoise up` starts it again"

_LAST_BLOCK: Final = """
SELECT chain, max(height), argMax(hash, height), toUnixTimestamp(argMax(time, height))
FROM latest_blocks WHERE status = 'canonical' GROUP BY chain ORDER BY chain
"""
_PARKED: Final = """
SELECT count() FROM blocks_log FINAL WHERE chain = {chain:String} AND height > {height:UInt32} AND status = 'parked'
"""


_TO_RESCORE = """
SELECT DISTINCT chain FROM concentration_latest_log FINAL
WHERE (attribution_id, chain) IN (SELECT attribution_id, chain FROM attribution_pointer_log FINAL)
  AND (attribution_id, chain) NOT IN
      (SELECT attribution_id, chain FROM scoring_log FINAL WHERE format = {format:String} AND whole)
ORDER BY chain
"""


@dataclass(frozen=True, slots=True)
class EngineReport:
    """`where` is its address, of several ClickHouse servers the one that answers; `problem` is None where it answers."""

    name: str
    where: str
    problem: str | None
    answer_ms: float | None


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """`state` is the service's own status, or `never ran`, `died` (its process is gone) or `silent` (it stopped reporting).

    `restarts` is how often its supervisor started it again; None where no supervisor of it runs here.
    """

    name: str
    state: str
    healthy: bool
    detail: str
    lag_messages: int | None
    last_progress_at: float | None
    status: dict[str, Any] | None
    restarts: int | None = None
    instance: str = ""
    """Name of its run folder; empty for the common one."""

    @property
    def runs(self) -> bool:
        """Whether it works or waits, or its work is done."""
        return self.healthy or self.state == "waiting"

    @property
    def may_be_gone(self) -> bool:
        """Whether it may be a container that was removed: a named instance that reports nothing."""
        return bool(self.instance) and self.state == "silent"

    @property
    def stands_by(self) -> bool:
        """Whether it is an alerter that waits until another one ends."""
        return self.state == "waiting" and self.status is not None and self.status.get("waiting_on") == STANDS_BY


@dataclass(frozen=True, slots=True)
class LastBlock:
    """The tip of a chain in ClickHouse; `age_seconds` since its header's time.

    `parked` counts the blocks above it that cannot be scored, because a block between is missing.
    """

    chain: str
    height: int
    hash: str
    time: int
    age_seconds: float
    parked: int


@dataclass(frozen=True, slots=True)
class Health:
    """`healthy`: both engines answer, every service runs (or finished its work) here or elsewhere, and none waits.

    A process that fell silent or stands by counts only where no other process of its service runs.
    `to_rescore`: chains whose history an older version scored, so that newer metrics lack their days there. `elsewhere`: processes
    with other state directories.
    """

    dataset: str
    at: float
    engines: tuple[EngineReport, ...]
    services: tuple[ServiceReport, ...]
    lag: tuple[PartitionLag, ...]
    last_blocks: tuple[LastBlock, ...]
    last_slack_success_at: float | None
    to_rescore: tuple[str, ...] = ()
    elsewhere: tuple[RemoteService, ...] = ()

    @property
    def healthy(self) -> bool:
        return all(e.problem is None for e in self.engines) and all(well for _, _, well, _ in self.processes)

    @property
    def processes(self) -> tuple[tuple[str, str, bool, str], ...]:
        """Name, state, whether it is well, and a detail, of each process here and elsewhere.

        Who stands by or may be gone is well where another process does the work.
        """
        running = {s.name for s in self.services if s.runs and not s.stands_by}
        running |= {r.service for r in self.elsewhere if r.runs and not r.stands_by}
        here = (
            (
                f"{s.name} {s.instance}".rstrip(),
                s.state,
                s.healthy or ((s.stands_by or s.may_be_gone) and s.name in running),
                s.detail,
            )
            for s in self.services
        )
        there = (
            (
                f"{r.service} {r.host}",
                r.state,
                not r.problem or ((r.stands_by or r.state == "silent") and r.service in running),
                r.problem,
            )
            for r in self.elsewhere
        )
        return (*here, *there)

    @property
    def lag_messages(self) -> int | None:
        """Messages that no worker of a group has acknowledged; None where Kafka does not answer."""
        return sum(row.lag for row in self.lag) if self.lag else None

    def as_json(self) -> dict[str, Any]:
        """JSON values only."""
        return {
            "dataset": self.dataset,
            "at": self.at,
            "healthy": self.healthy,
            "engines": [asdict(e) for e in self.engines],
            "services": [asdict(s) for s in self.services],
            "lag": [row.as_json() for row in self.lag],
            "last_blocks": [asdict(block) for block in self.last_blocks],
            "last_slack_success_at": self.last_slack_success_at,
            "to_rescore": list(self.to_rescore),
            "elsewhere": [asdict(r) for r in self.elsewhere],
        }


def collect(settings: Settings, clock: Clock) -> Health:
    """Collect the whole state once. Takes some seconds if an engine does not answer; raises ConfigError if an address is missing."""
    now = clock.now()
    kafka, lag = _look_at_kafka(settings)
    seen = _look_at_clickhouse(settings, now)
    found = _statuses(settings, now)
    remote = elsewhere(seen.reports, [(folder, status) for folder, _, status in found])
    services = tuple(
        report
        for name in SERVICES
        for report in _reports_on(settings, name, found, now, lag)
        if report.runs or report.state in ("died", "silent") or not any(r.service == name and r.runs for r in remote)
    )
    slack = [s.status["info"].get("last_slack_success_at") for s in services if s.status]
    return Health(
        settings.dataset,
        now,
        (kafka, seen.engine),
        services,
        tuple(lag or ()),
        seen.last_blocks,
        max((at for at in slack if isinstance(at, int | float)), default=None),
        seen.to_rescore,
        remote,
    )


def running_services(settings: Settings, clock: Clock) -> list[str]:
    """The processes of the dataset that may write: here those that run or are frozen, and those elsewhere that report."""
    now = clock.now()
    found = _statuses(settings, now)
    here = [judge(name, status, now, None) for _, name, status in found]
    there = elsewhere(_look_at_clickhouse(settings, now).reports, [(folder, status) for folder, _, status in found])
    return [one.name for one in here if one.state in ("working", "waiting", "silent")] + [
        f"{one.service} on {one.host}" for one in there if one.runs
    ]


def _statuses(settings: Settings, now: float) -> list[tuple[Path, str, dict[str, Any]]]:
    """What services of this machine last wrote, or answer where they cannot write, with its folder and the service's name."""
    pairs = ((folder, name) for folder in run_folders(settings) for name in SERVICES)
    found = ((folder, name, newest_status(folder, name, settings.health.host, now)) for folder, name in pairs)
    return [(folder, name, said) for folder, name, said in found if said is not None]


def _reports_on(
    settings: Settings,
    name: str,
    found: list[tuple[Path, str, dict[str, Any]]],
    now: float,
    lag: list[PartitionLag] | None,
) -> list[ServiceReport]:
    """The processes of a service on this machine; `never ran` where there is none and the settings need one.

    Beside a running one, those that ended in order are left out, and instances that fell silent more than SHOWN_SECONDS ago.
    """
    lag_messages = _lag_of(settings, name, lag)
    reports = [
        replace(
            judge(name, status, now, lag_messages, _supervised(folder, name)),
            instance="" if folder == settings.run_root else folder.name,
        )
        for folder, of, status in found
        if of == name
    ]
    if any(report.runs for report in reports):
        return [r for r in reports if r.state != "stopped" and not (r.instance and _is_past(r, now))] or reports
    if not reports and name in configured_services(settings):
        return [judge(name, None, now, lag_messages, _supervised(settings.run_dir, name))]
    return reports


def _is_past(report: ServiceReport, now: float) -> bool:
    at = float((report.status or {}).get("updated_at") or 0)
    return report.state == "silent" and now - at > SHOWN_SECONDS


def configured_services(settings: Settings) -> tuple[str, ...]:
    """The services that `counterpoise run all` runs."""
    wanted = {"market": bool(settings.market.sources), "desk": settings.desk.enabled}
    return tuple(name for name in SERVICES if wanted.get(name, True))


def judge(
    name: str,
    status: Mapping[str, Any] | None,
    now: float,
    lag_messages: int | None,
    supervised: Mapping[str, Any] | None = None,
) -> ServiceReport:
    """The report on a service from its last status at UTC `now`, and from the last note of a running supervisor."""
    restarts = int(supervised["restarts"]) if supervised is not None else None
    tended = (
        f"its supervisor starts it again: restart {restarts}, {supervised['last']}" if supervised and restarts else ""
    )
    if status is None:
        detail = tended or f"counterpoise run {name}"
        return ServiceReport(name, "never ran", False, detail, lag_messages, None, None, restarts)
    state, healthy, detail = str(status["state"]), bool(status.get("healthy")), ""
    quiet_seconds = now - float(status.get("updated_at") or 0)
    if state == "stopped":
        healthy = bool(status["info"].get("finished"))
        detail = "its work is done" if healthy else tended or f"counterpoise run {name}"
    elif status.get("host") == socket.gethostname() and not _pid_exists(int(status["pid"])):
        state, healthy, detail = "died", False, tended or f"process {status['pid']} is gone: counterpoise run {name}"
    elif quiet_seconds > SILENT_AFTER_SECONDS:
        state, healthy, detail = "silent", False, f"reported nothing for {quiet_seconds:.0f} s"
    elif state == "waiting":
        waited = now - float(status.get("waiting_since") or now)
        detail = f"on {status.get('waiting_on')} for {waited:.0f} s: {status.get('wait_reason')}"
    elif problem := status.get("file_problem"):
        detail = f"it works, and cannot write into its state directory: {problem}"
    elif stale := status["info"].get("stale_sources"):
        detail = f"stale: {', '.join(stale)}"
    elif problem := status["info"].get("source_problem"):
        healthy, detail = False, problem
    elif problem := status["info"].get("rules_problem"):
        detail = f"the rules of before are in use: {problem}"
    elif problem := status["info"].get("no_rules"):
        detail = f"no rules are in use, and the page draws no line: {problem}"
    at = status.get("last_progress_at")
    return ServiceReport(name, state, healthy, detail, lag_messages, at, dict(status), restarts)


def _supervised(folder: Path, name: str) -> Mapping[str, Any] | None:
    """What the supervisor of a service that runs on this machine last noted about it: pid, restarts, last."""
    for label in ("supervisor", f"supervisor-{name}"):
        said = read_status(folder, label)
        if said is None or said["state"] == "stopped" or said.get("host") != socket.gethostname():
            continue
        noted: Mapping[str, Any] | None = said["info"].get(name)
        if noted is not None and _pid_exists(int(said["pid"])):
            return noted
    return None


def _lag_of(settings: Settings, name: str, lag: list[PartitionLag] | None) -> int | None:
    if lag is None or name not in CONSUMERS:
        return None
    return total_lag(lag, group_id(settings.dataset, name))


def _look_at_kafka(settings: Settings) -> tuple[EngineReport, list[PartitionLag] | None]:
    target = kafka_target(settings)
    bootstrap = target.bootstrap
    started = time.perf_counter()
    try:
        lag = read_lag(target, settings.dataset)
    except CounterpoiseError as error:
        step = _START_EMBEDDED if settings.kafka.bootstrap_servers is None else ""
        return EngineReport("kafka", redact(bootstrap), redact(str(error)) + step, None), None
    return EngineReport("kafka", redact(bootstrap), None, _ms(started)), lag


@dataclass(frozen=True, slots=True)
class _Stored:
    """What ClickHouse answers; empty where it does not."""

    engine: EngineReport
    last_blocks: tuple[LastBlock, ...] = ()
    to_rescore: tuple[str, ...] = ()
    reports: tuple[RemoteService, ...] = ()


def _look_at_clickhouse(settings: Settings, now: float) -> _Stored:
    target = clickhouse_target(settings, read_only=True)
    where = target.where
    started = time.perf_counter()
    try:
        with connect(target, settings.dataset) as clickhouse:
            rows = [
                (*tip, clickhouse.query(_PARKED, {"chain": tip[0], "height": tip[1]})[0][0])
                for tip in clickhouse.query(_LAST_BLOCK)
            ]
            older = clickhouse.query(_TO_RESCORE, {"format": SCORING_FORMAT})
            reports = read_reports(clickhouse)
            where = clickhouse.server
    except (CounterpoiseError, DriverError) as error:
        step = _START_EMBEDDED if settings.clickhouse.host is None and isinstance(error, RetryableError) else ""
        return _Stored(EngineReport("clickhouse", where, redact(" ".join(str(error).split()))[:300] + step, None))
    blocks = tuple(LastBlock(chain, height, hash_, at, now - at, parked) for chain, height, hash_, at, parked in rows)
    engine = EngineReport("clickhouse", where, None, _ms(started))
    return _Stored(engine, blocks, tuple(chain for (chain,) in older), tuple(reports))


def _ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


def _pid_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
