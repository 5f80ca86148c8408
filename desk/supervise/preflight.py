"""Check, one by one, what the product needs of a machine and of its settings; each check is a line with what to do about it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from counterpoise.errors import CounterpoiseError
from counterpoise.http_dates import http_date
from counterpoise.kafka.clients import require_broker
from counterpoise.runtime.clock import Clock, SystemClock
from counterpoise.runtime.probe import Probe, Verdict
from counterpoise.settings.endpoints import EmbeddedEndpoints, clickhouse_target, kafka_target
from counterpoise.settings.model import Settings
from desk.strange_variables import PREFIX, describe, strange_variables
from engines.kafka import broker_binary
from engines.ports import CLICKHOUSE_HTTP_PORT, CLICKHOUSE_PORT, HOST, KAFKA_PORT
from engines.stack import data_dir, records

PLATFORMS: Final = frozenset({("linux", "x86_64"), ("linux", "aarch64"), ("linux", "arm64"), ("darwin", "arm64")})
MIN_FREE_BYTES: Final = 2 * 1024**3
WORST_CLOCK_ERROR_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class PreflightResult:
    """One check: its subject, its verdict, and one line with the observation or the next step."""

    check: str
    verdict: Verdict
    said: str


_NO_TIME: Final = PreflightResult("clock", "skipped", "no time was requested")


def examine(settings: Settings, *, offline: bool = False) -> Iterator[PreflightResult]:
    """Every check in turn; `offline` skips network requests beyond Kafka, ClickHouse and this machine.

    Only `problem` means that something cannot work. No secret's value is ever in a finding.
    """
    yield _variables()
    yield _python()
    yield _platform()
    embedded = settings.kafka.bootstrap_servers is None or settings.clickhouse.host is None
    yield from _wheels(embedded)
    yield _state_dir(settings.state_dir)
    yield _disk(settings.state_dir)
    yield from _engines_here(settings)
    yield _kafka(settings)
    yield _clickhouse(settings)
    yield from _receivers(settings)
    yield from _network(settings, offline=offline)


def _variables() -> PreflightResult:
    """A misspelt variable has no effect and raises no error. This check names it."""
    strange = strange_variables(os.environ)
    if not strange:
        return PreflightResult("variables", "ok", f"every {PREFIX}… in the environment is a setting")
    return PreflightResult("variables", "warning", f"not a setting, and never read: {describe(strange)}")


def _python() -> PreflightResult:
    said = f"{platform.python_version()} at {sys.executable}"
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        return PreflightResult("python", "ok", said)
    return PreflightResult("python", "problem", f"{said}; 3.11, 3.12 or 3.13 is needed")


def _platform() -> PreflightResult:
    here = (sys.platform, platform.machine())
    said = f"{here[0]}/{here[1]}"
    if here in PLATFORMS:
        return PreflightResult("platform", "ok", said)
    return PreflightResult(
        "platform",
        "warning",
        f"{said}: no embedded engines for it; point the settings at your own Kafka and ClickHouse",
    )


def _wheels(needed: bool) -> Iterator[PreflightResult]:
    if not needed:
        yield PreflightResult("embedded engines", "skipped", "the settings name a Kafka and a ClickHouse")
        return
    try:
        yield PreflightResult("kafka engine", "ok", broker_binary())
    except CounterpoiseError as error:
        yield PreflightResult("kafka engine", "problem", str(error))
    if importlib.util.find_spec("chdb") is None:
        yield PreflightResult(
            "clickhouse engine", "problem", "chdb-core is missing: pip install 'counterpoise[embedded]'"
        )
    else:
        yield PreflightResult("clickhouse engine", "ok", "chdb-core is installed")


def _state_dir(folder: Path) -> PreflightResult:
    existing = next((p for p in (folder, *folder.parents) if p.exists()), folder)
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return PreflightResult("state directory", "ok", str(folder))
    return PreflightResult(
        "state directory", "problem", f"{folder} cannot be written: choose another with COUNTERPOISE_STATE_DIR"
    )


def _disk(folder: Path) -> PreflightResult:
    existing = next((p for p in (folder, *folder.parents) if p.exists()), Path("/"))
    free = shutil.disk_usage(existing).free
    said = f"{free / 1024**3:.1f} GiB free under {existing}"
    return (
        PreflightResult("disk", "ok", said)
        if free >= MIN_FREE_BYTES
        else PreflightResult("disk", "problem", f"{said}; 2 GiB are needed")
    )


def _engines_here(settings: Settings) -> Iterator[PreflightResult]:
    """The engines that `up` started, or whether it could start them: free ports and an unlocked data directory."""
    if settings.kafka.bootstrap_servers is not None and settings.clickhouse.host is not None:
        return
    known = {record.name: record for record in records(settings.state_dir.absolute())}
    running = {name: record for name, record in known.items() if record.runs()}
    for name, ports in (("kafka", (KAFKA_PORT,)), ("clickhouse", (CLICKHOUSE_PORT, CLICKHOUSE_HTTP_PORT))):
        record = known.get(name)
        if record is not None and name not in running:
            said = f"process {record.pid}, which `counterpoise up` started, is gone: `counterpoise up` starts another"
            yield PreflightResult(f"embedded {name}", "problem", said)
            continue
        if record is not None:
            verdict: Verdict = "ok" if record.answers() else "problem"
            yield PreflightResult(
                f"embedded {name}",
                verdict,
                f"process {record.pid} on port {record.port}" + ("" if verdict == "ok" else " is silent"),
            )
            continue
        taken = [port for port in ports if _listens(port)]
        if taken:
            yield PreflightResult(
                f"embedded {name}",
                "warning",
                f"not running, and port {taken[0]} is taken: `counterpoise up` with --{name}-port 0",
            )
        else:
            yield PreflightResult(f"embedded {name}", "ok", "not running; its ports are free: `counterpoise up`")
    lock = data_dir(settings.state_dir.absolute()) / "status"
    if "clickhouse" not in running and lock.exists() and (holder := _holder(lock)):
        yield PreflightResult(
            "data directory",
            "problem",
            f"{lock.parent} is in use by process {holder}, which `counterpoise` did not start: end it",
        )


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0


def _holder(file: Path) -> int | None:
    """The process that has `file` open; None where the system does not show it."""
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(entry.resolve() == file.resolve() for entry in folder.iterdir()):
                return int(folder.parent.name)
        except OSError:  # another user's process, or one that just ended
            continue
    return None


def _not_started(settings: Settings) -> bool:
    """True if no embedded engine runs and the settings name no other: there is nothing to reach yet, which is normal."""
    return not EmbeddedEndpoints.path(settings.state_dir).exists()


def _kafka(settings: Settings) -> PreflightResult:
    if settings.kafka.bootstrap_servers is None and _not_started(settings):
        return PreflightResult("kafka", "skipped", "not started yet: `counterpoise up`")
    try:
        target = kafka_target(settings)
        require_broker(target)
    except CounterpoiseError as error:
        return PreflightResult("kafka", "problem", str(error))
    said = f"{target.bootstrap} answers: {target.security.description()}"
    if target.security.is_readable_on_the_way:
        secret = "password" if target.security.token_file is None else "token"
        return PreflightResult(
            "kafka", "warning", f"{said}; the {secret} crosses the network unencrypted: use SASL_SSL"
        )
    return PreflightResult("kafka", "ok", said)


def _clickhouse(settings: Settings) -> PreflightResult:
    if settings.clickhouse.host is None and _not_started(settings):
        return PreflightResult("clickhouse", "skipped", "not started yet: `counterpoise up`")
    from counterpoise.clickhouse.client import connect  # noqa: PLC0415 - heavy, and the rest must work without it

    answers, faults, is_strange = [], [], False
    try:
        targets = clickhouse_target(settings).each()
    except CounterpoiseError as error:
        return PreflightResult("clickhouse", "problem", str(error))
    for target in targets:
        try:
            with connect(target, "default") as clickhouse:
                version, skew = clickhouse.query("SELECT version(), toFloat64(now64(3, 'UTC'))")[0]
        except CounterpoiseError as error:
            faults.append(str(error))
            continue
        said = (
            f"{target.where} answers, version {version}: {'no TLS' if target.tls is None else target.tls.description()}"
        )
        off = abs(float(skew) - time.time())
        if off > WORST_CLOCK_ERROR_SECONDS:
            said += f"; its clock and this machine's differ by {off:.0f} s"
            is_strange = True
        answers.append(said)
    verdict: Verdict = "problem" if not answers else "warning" if faults or is_strange else "ok"
    return PreflightResult("clickhouse", verdict, "; ".join(answers + faults))


def _receivers(settings: Settings) -> Iterator[PreflightResult]:
    """Receivers of alerts that have settings."""
    from alerts.outbox.receivers.receivers import probes  # noqa: PLC0415 - heavy, and the rest must work without it

    for name, probe in probes(settings):
        yield PreflightResult(name, probe.verdict, probe.said)


def _network(settings: Settings, *, offline: bool) -> Iterator[PreflightResult]:
    """The source of blocks, this machine's clock by its Date header, and the sources of the AI side."""
    if offline:
        yield PreflightResult("source", "skipped", "not checked")
        yield _NO_TIME
        return
    from ingest.blocks.sources.block_sources import configured_source  # noqa: PLC0415 - heavy, as below

    clock = SystemClock()
    try:
        with closing(configured_source(settings, clock)) as source:
            probe = source.probe()
    except CounterpoiseError as error:
        probe = Probe("problem", str(error))
    yield PreflightResult("source", probe.verdict, probe.said)
    yield _NO_TIME if probe.date is None else _clock(probe.date)
    if settings.market.sources:
        yield from _market_sources(settings, clock)


def _market_sources(settings: Settings, clock: Clock) -> Iterator[PreflightResult]:
    from counterpoise.series.load import load_catalogue  # noqa: PLC0415
    from ingest.releases.sources.release_sources import configured_sources  # noqa: PLC0415

    try:
        sources = configured_sources(settings.market, load_catalogue(), clock=clock, pause=clock.sleep)
    except CounterpoiseError as error:
        yield PreflightResult("market sources", "problem", str(error))
        return
    for source in sources:
        with closing(source):
            probe = source.probe()
        yield PreflightResult(f"market source {source.name}", probe.verdict, probe.said)


def _clock(header: str) -> PreflightResult:
    theirs = http_date(header)
    if theirs is None:
        return PreflightResult("clock", "skipped", "the source sent no valid time")
    off = abs((datetime.now(UTC) - theirs).total_seconds())
    if off > WORST_CLOCK_ERROR_SECONDS:
        return PreflightResult(
            "clock",
            "warning",
            f"{off:.0f} s away from the source's: dead-man alerts and ages would be wrong; set it with NTP",
        )
    return PreflightResult("clock", "ok", f"within {max(off, 1):.0f} s of the source's")
