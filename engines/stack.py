"""Both embedded engines as one thing: started together, written down, found again, ended together.

Everything is in `<state_dir>/embedded`: ClickHouse's data, both logs, the passwords (0600), `engines.json` (which processes) and
`endpoints.json` (where to connect). ClickHouse's data stays; the embedded Kafka's memory goes with its process.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from counterpoise.errors import EngineError
from counterpoise.kafka.broker_probe import kafka_answers
from counterpoise.runtime.private_files import open_private, private_folder, read_private, write_private
from counterpoise.settings.endpoints import EmbeddedEndpoints, desk_address_file
from engines.clickhouse.client_limits import DEFAULT_LIMITS, Limits
from engines.clickhouse.process import ClickHouseProcess, start_clickhouse
from engines.kafka import KafkaProcess, broker_marker, start_kafka
from engines.ports import CLICKHOUSE_HTTP_PORT, CLICKHOUSE_PORT, HOST, KAFKA_PORT, require_free_port
from engines.processes import end_process, is_ours, started_at

_CONNECT_TIMEOUT_SECONDS = 2.0
_PASSWORD_BYTES = 24  # 32 url-safe characters


@dataclass(frozen=True, slots=True)
class Ports:
    """Which ports to take: 0 is any free one, None is the one of the last start, or the usual one."""

    kafka: int | None = None
    clickhouse: int | None = None
    clickhouse_http: int | None = None


ANY_PORTS: Final = Ports(0, 0, 0)


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """One engine as it was started. `marker` identifies its command line, and `started` the process, among all others."""

    name: str
    pid: int
    started: str
    marker: str
    port: int
    http_port: int | None = None

    def runs(self) -> bool:
        """The process is there and is ours."""
        return is_ours(self.pid, self.marker, self.started)

    def answers(self) -> bool:
        """It takes connections."""
        if self.name == "kafka":
            return kafka_answers(HOST, self.port, _CONNECT_TIMEOUT_SECONDS)
        try:
            with socket.create_connection((HOST, self.port), timeout=_CONNECT_TIMEOUT_SECONDS):
                return True
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Stack:
    """Both engines with their handles, as `temporary_stack` gives them."""

    state_dir: Path
    endpoints: EmbeddedEndpoints
    kafka: KafkaProcess
    clickhouse: ClickHouseProcess


def embedded_dir(state_dir: Path) -> Path:
    """Where the engines keep everything."""
    return state_dir / "embedded"


def data_dir(state_dir: Path) -> Path:
    """ClickHouse's data."""
    return embedded_dir(state_dir) / "clickhouse"


def records(state_dir: Path) -> list[EngineRecord]:
    """The engines as last started here; empty where none ever was, or after `down`."""
    try:
        found = json.loads(read_private(embedded_dir(state_dir) / "engines.json"))
        return [_record(state_dir, entry) for entry in found]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _record(state_dir: Path, entry: dict[str, object]) -> EngineRecord:
    """A record with our own idea of the command line: a file that names another marker must not choose what is ended."""
    name, pid, started = entry["name"], entry["pid"], entry["started"]
    port, http_port = entry["port"], entry["http_port"]
    if not (
        isinstance(pid, int)
        and 1 < pid < 2**31
        and isinstance(started, str)
        and isinstance(port, int)
        and isinstance(http_port, int | None)
    ):
        raise ValueError("not a record of an engine")
    if name == "kafka":
        return EngineRecord("kafka", pid, started, broker_marker(port), port)
    if name == "clickhouse":
        return EngineRecord("clickhouse", pid, started, _clickhouse_marker(state_dir), port, http_port)
    raise ValueError("not a record of an engine")


def _clickhouse_marker(state_dir: Path) -> str:
    """What only the server of this data directory has on its command line."""
    return f"-m engines.clickhouse --path {data_dir(state_dir)} "


def up(
    state_dir: Path, ports: Ports = Ports(), limits: Limits = DEFAULT_LIMITS
) -> tuple[EmbeddedEndpoints, tuple[str, ...]]:
    """Start what does not run yet; return where the engines are and the names of those started now.

    EngineError in one line for anything that stands in the way; what this call had started is stopped again.
    """
    with _locked(state_dir):
        endpoints, kafka, clickhouse = _start_missing(state_dir, ports, limits)
    return endpoints, tuple(
        name for name, handle in (("kafka", kafka), ("clickhouse", clickhouse)) if handle is not None
    )


def restart_fallen(state_dir: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[str, ...]:
    """Start again, on their ports, the engines whose process is gone; return their names.

    None where all run, or where `down` ended them: their records are then gone, too. EngineError as `up`.
    """
    if all(record.runs() for record in records(state_dir)):
        return ()
    with _locked(state_dir):
        fallen = tuple(record.name for record in records(state_dir) if not record.runs())
        if fallen:
            _start_missing(state_dir, Ports(), limits)
    return fallen


def down(state_dir: Path) -> tuple[str, ...]:
    """Stop the engines that run; return their names. A process that only has an old engine's id is left alone."""
    if not embedded_dir(state_dir).is_dir():
        return ()
    with _locked(state_dir):
        stopped = tuple(
            r.name for r in records(state_dir) if end_process(r.pid, r.marker, r.started, grace_seconds=20.0)
        )
        for name in ("engines.json", "endpoints.json"):
            (embedded_dir(state_dir) / name).unlink(missing_ok=True)
    return stopped


@contextmanager
def temporary_stack(state_dir: Path, ports: Ports = ANY_PORTS) -> Iterator[Stack]:
    """Both engines for the length of a `with`. What a killed predecessor left running on `state_dir` is ended first."""
    down(state_dir)
    with _locked(state_dir):
        endpoints, kafka, clickhouse = _start_missing(state_dir, ports)
    if kafka is None or clickhouse is None:
        raise EngineError(f"the engines of {state_dir} were started by another process at the same moment: try again")
    try:
        yield Stack(state_dir, endpoints, kafka, clickhouse)
    finally:
        kafka.stop()
        clickhouse.stop()
        down(state_dir)


def _start_missing(
    state_dir: Path, ports: Ports, limits: Limits = DEFAULT_LIMITS
) -> tuple[EmbeddedEndpoints, KafkaProcess | None, ClickHouseProcess | None]:
    folder = embedded_dir(state_dir)
    known = {record.name: record for record in records(state_dir)}
    kafka: KafkaProcess | None = None
    clickhouse: ClickHouseProcess | None = None
    kafka_record = _running(known.get("kafka"), {"kafka": ports.kafka})
    clickhouse_record = _running(
        known.get("clickhouse"), {"clickhouse": ports.clickhouse, "http": ports.clickhouse_http}
    )
    password, reader_password = folder / "password", folder / "reader-password"
    try:
        if kafka_record is None:
            port = _choose(ports.kafka, known.get("kafka"), "port", KAFKA_PORT)
            kafka = start_kafka(port=port, log_file=folder / "kafka.log")
            kafka_record = EngineRecord(
                "kafka", kafka.pid, started_at(kafka.pid) or "", broker_marker(kafka.port), kafka.port
            )
        if clickhouse_record is None:
            port = _choose(ports.clickhouse, known.get("clickhouse"), "port", CLICKHOUSE_PORT)
            http_port = _choose(ports.clickhouse_http, known.get("clickhouse"), "http_port", CLICKHOUSE_HTTP_PORT)
            for taken, what, option in (
                (port, "the embedded ClickHouse", "--clickhouse-port"),
                (http_port, "the embedded ClickHouse's HTTP", "--http-port"),
            ):
                require_free_port(taken, what, option)
            private_folder(data_dir(state_dir))
            for file in (password, reader_password):
                _make_password(file)
            clickhouse = start_clickhouse(
                data_dir(state_dir),
                password_file=password,
                reader_password_file=reader_password,
                port=port,
                http_port=http_port,
                log_file=folder / "clickhouse.log",
                limits=limits,
                desk_file=desk_address_file(state_dir),
            )
            clickhouse_record = EngineRecord(
                "clickhouse",
                clickhouse.pid,
                started_at(clickhouse.pid) or "",
                _clickhouse_marker(state_dir),
                clickhouse.port,
                clickhouse.http_port,
            )
        _write_records(folder, [kafka_record, clickhouse_record])
        endpoints = EmbeddedEndpoints(
            f"{HOST}:{kafka_record.port}",
            HOST,
            clickhouse_record.port,
            clickhouse_record.http_port or 0,
            str(password),
            str(reader_password),
        )
        endpoints.write(state_dir)
    except BaseException:
        if kafka is not None:
            kafka.stop()
        if clickhouse is not None:
            clickhouse.stop()
        raise
    return endpoints, kafka, clickhouse


def _running(record: EngineRecord | None, asked: dict[str, int | None]) -> EngineRecord | None:
    """The record where that engine runs and answers; EngineError where it runs on other ports than asked for, or hangs."""
    if record is None or not record.runs():
        return None
    if not record.answers():
        raise EngineError(
            f"the embedded {record.name} (process {record.pid}) runs but does not answer: `counterpoise down`, then `up`"
        )
    for name, port in asked.items():
        has = record.http_port if name == "http" else record.port
        if port and port != has:
            raise EngineError(
                f"the embedded {record.name} already runs with {name} port {has}, not {port}: `counterpoise down` first"
            )
    return record


def _choose(asked: int | None, last: EngineRecord | None, field: str, usual: int) -> int:
    if asked is not None:
        return asked
    return int(getattr(last, field) or usual) if last is not None else usual


def _make_password(file: Path) -> None:
    """Write a new password readable by this user only, unless there is one (a full disk may have left an empty file)."""
    with suppress(FileNotFoundError), open_private(file, "update") as found:
        os.fchmod(found.fileno(), 0o600)
        if os.fstat(found.fileno()).st_size:
            return
    write_private(file, secrets.token_urlsafe(_PASSWORD_BYTES) + "\n")


def _write_records(folder: Path, found: list[EngineRecord]) -> None:
    write_private(folder / "engines.json", json.dumps([asdict(record) for record in found], indent=1) + "\n")


@contextmanager
def _locked(state_dir: Path) -> Iterator[None]:
    """One `up` or `down` at a time on a state directory; makes it, for this user only."""
    folder = embedded_dir(state_dir)
    try:
        private_folder(state_dir)
        private_folder(folder).chmod(0o700)
        lock = open_private(folder / "lock", "lock")
    except OSError as error:
        raise EngineError(
            f"the state directory {state_dir} cannot be used: {error.strerror}; choose another with --state-dir or "
            "COUNTERPOISE_STATE_DIR"
        ) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        except OSError as error:  # a full disk, for example
            raise EngineError(
                f"the embedded engines cannot use the state directory {state_dir}: {error.strerror or error}"
            ) from None
