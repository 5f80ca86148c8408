"""What a service is doing right now, as a file in its run directory and over HTTP on loopback, where both hold the same JSON.

`working` makes progress or has nothing to do; `waiting` needs an answer of something else, and has the start of the wait. The
supervisor, `counterpoise status` and health checks read it; nothing else depends on it.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal

import structlog

from counterpoise.redaction import redact
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.private_files import MAX_BYTES, private_folder, read_private, write_private
from counterpoise.runtime.service_metrics import LATENCY_BUCKETS, LIVE_WITHIN_SECONDS, counters_of, steps_of
from counterpoise.urls import split_url

_HOST = socket.gethostname()
_PIDS: Final = 2**31
_ANSWER_SECONDS: Final = 2.0
_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")

log = structlog.get_logger("status")

ServiceState = Literal["starting", "working", "waiting", "stopped"]

WRITE_INTERVAL_SECONDS = 0.5
HEARTBEAT_SECONDS = 5.0
"""The file is written at least this often, so that its `updated_at` distinguishes a live process from a dead one."""
SILENT_AFTER_SECONDS: Final = HEARTBEAT_SECONDS * 3
"""The age of a file at which its process is frozen, or cannot write."""
UNWRITTEN_EVERY_SECONDS = 60.0
"""A file that cannot be written, as on a full disk, is a line in the log so often, also where the space comes and goes."""
TOLD_AFTER_SECONDS = 1.0
"""A wait that lasts for so long is a line in the log, and so is its end."""


@dataclass(slots=True)
class _Fields:
    service: str
    pid: int
    started_at: float
    instance: str
    state: ServiceState = "starting"
    waiting_on: str | None = None
    wait_reason: str | None = None
    waiting_since: float | None = None
    last_progress_at: float | None = None
    last_beat_at: float | None = None
    health_port: int | None = None
    counters: dict[str, int] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    latencies: dict[tuple[str, str], tuple[list[int], float]] = field(default_factory=dict)
    """Counts of each bucket and the sum of seconds, by step and chain."""


class ServiceStatus:
    """Thread-safe; every method returns at once. Times are UTC seconds of `clock`.

    A daemon thread writes `<run_dir>/<service>.json` atomically, at most twice a second while something changes, and logs waits.
    Close it at the end (or use `with`): that writes `stopped`. Where the file cannot be written, the service works on: the log has
    one line per minute, and the file is written once that is possible.
    """

    def __init__(self, service: str, run_dir: Path, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._file_lock = threading.RLock()
        self._fields = _Fields(service, os.getpid(), clock.now(), secrets.token_hex(6))
        self._fields.counters = dict.fromkeys(counters_of(service), 0)
        self._path = run_dir / f"{service}.json"
        self._changed = True
        self._waiting_from = 0.0  # monotonic, as is the next
        self._told: tuple[str, float] | None = None  # which wait the log knows of, and since when it lasts
        self._closed = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._more_metrics: Callable[[], bytes] | None = None
        self._unwritten_at: float | None = None
        self._unwritten = False  # and the log has it
        self._file_problem: str | None = None
        private_folder(run_dir)
        self.write()
        self._writer = threading.Thread(target=self._write_loop, name=f"{service}-status", daemon=True)
        self._writer.start()

    def __enter__(self) -> ServiceStatus:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def set(self, **info: Any) -> None:
        """Set fields of `info`: JSON values only (height, hash, lag, source, last_slack_success_at, …)."""
        with self._lock:
            self._fields.info.update(info)
            self._changed = True

    def set_of_chain(self, chain: str, **info: Any) -> None:
        """Set fields of `info` and, as that chain's own, of its `chains`: one process may work on several."""
        with self._lock:
            self._fields.info.update(info)
            chains = self._fields.info.setdefault("chains", {})
            chains[chain] = {**chains.get(chain, {}), **info}
            self._changed = True

    def keep_chains(self, chains: Iterable[str]) -> None:
        """Forget what was set of every other chain: this process does not work on it any more."""
        with self._lock:
            known = self._fields.info.get("chains")
            if known:
                kept = set(chains)
                self._fields.info["chains"] = {chain: fields for chain, fields in known.items() if chain in kept}
                self._changed = True

    def time_chains(self, chains: Iterable[str]) -> None:
        """Begin the histograms of these chains, each with 0, for every step of the service; those that have begun stay."""
        with self._lock:
            for chain in chains:
                for step in steps_of(self._fields.service):
                    self._fields.latencies.setdefault((step, chain), _no_latencies())

    def took(self, step: str, seconds: float, chain: str) -> None:
        """Add one duration to the histogram of a step; what is not live (see LIVE_WITHIN_SECONDS) or negative is passed over."""
        if not 0 <= seconds <= LIVE_WITHIN_SECONDS:
            return
        with self._lock:
            counts, total = self._fields.latencies.get((step, chain), _no_latencies())
            counts[bisect_left(LATENCY_BUCKETS, seconds)] += 1
            self._fields.latencies[step, chain] = counts, total + seconds

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._fields.counters[name] = self._fields.counters.get(name, 0) + n
            self._changed = True

    def progress(self, n: int = 1, **info: Any) -> None:
        """`n` more events are done permanently; the state becomes `working`."""
        with self._lock:
            self._work()
            self._fields.last_progress_at = self._clock.now()
            self._fields.counters["events"] = self._fields.counters.get("events", 0) + n
            self._fields.info.update(info)
            self._changed = True

    def waiting(self, on: str, reason: str) -> None:
        """The service waits until `on` (kafka, clickhouse, slack, source …) answers. `waiting_since` keeps the first call's time."""
        with self._lock:
            if self._fields.state == "stopped":  # a thread that is slow to end
                return
            if self._fields.state != "waiting" or self._fields.waiting_on != on:
                self._fields.waiting_since, self._waiting_from = self._clock.now(), self._clock.monotonic()
            self._fields.state, self._fields.waiting_on, self._fields.wait_reason = "waiting", on, redact(reason)
            self._changed = True

    def working(self) -> None:
        """The wait, or the start, is over."""
        with self._lock:
            self._work()
            self._changed = True

    def beat(self) -> None:
        """The main loop ran once more. A service that has ever reported this counts as stalled when it stops reporting it."""
        with self._lock:
            self._fields.last_beat_at = self._clock.now()
            self._changed = True

    def snapshot(self) -> dict[str, Any]:
        """The JSON that the file and `/health` hold."""
        with self._lock:
            f = self._fields
            return {
                "service": f.service,
                "pid": f.pid,
                "host": _HOST,
                "instance": f.instance,
                "state": f.state,
                "healthy": f.state in ("starting", "working"),
                "waiting_on": f.waiting_on,
                "wait_reason": f.wait_reason,
                "waiting_since": f.waiting_since,
                "started_at": f.started_at,
                "last_progress_at": f.last_progress_at,
                "last_beat_at": f.last_beat_at,
                "updated_at": self._clock.now(),
                "health_port": f.health_port,
                "file_problem": self._file_problem,
                "counters": dict(f.counters),
                "info": {**f.info, **({"chains": dict(f.info["chains"])} if "chains" in f.info else {})},
                "latencies": [
                    {"step": step, "chain": chain, "counts": list(counts), "seconds": total}
                    for (step, chain), (counts, total) in f.latencies.items()
                ],
            }

    def serve(self, host: str, port: int) -> int:
        """Answer GET /health (200, or 503 while waiting or stopped), /live (200) and /metrics from now on; return the port.

        On a loopback address only requests for a loopback name are answered: a web page that points its own name there
        (DNS rebinding) is not. OSError where the address is taken.
        """
        server = _HealthServer((host, port), self)
        self._server = server
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="health", daemon=True).start()
        with self._lock:
            self._fields.health_port = int(server.server_address[1])
            self._changed = True
        self.write()
        return int(server.server_address[1])

    def add_metrics(self, more: Callable[[], bytes]) -> None:
        """`/metrics` ends with what `more` returns, in Prometheus' text format, from now on. Each scrape calls it."""
        self._more_metrics = more

    def metrics(self) -> bytes:
        """What `/metrics` holds."""
        from counterpoise.runtime.prometheus import exposition  # noqa: PLC0415 - only where one is asked

        return exposition(self.snapshot()) + (self._more_metrics() if self._more_metrics else b"")

    def flush(self) -> None:
        """Write the file now; OSError where that is not possible."""
        with self._file_lock:
            with self._lock:
                self._changed = False
            write_private(self._path, json.dumps(self.snapshot(), default=str) + "\n")

    def write(self) -> None:
        """Write the file now, or log that it cannot be: a full disk must not end the service, and the next round tries again."""
        with self._file_lock:
            before, self._file_problem = self._file_problem, None  # the file that is written has none
            try:
                self.flush()
            except OSError as error:
                self._changed = True
                self._file_problem = error.strerror or str(error)
                now = self._clock.monotonic()
                if self._unwritten_at is None or now - self._unwritten_at >= UNWRITTEN_EVERY_SECONDS:
                    log.warning("status is not written", file=str(self._path), reason=self._file_problem)
                    self._unwritten_at, self._unwritten = now, True
                return
            if before is not None and self._unwritten:
                log.info("status is written again", file=str(self._path))
                self._unwritten = False

    def tell(self) -> None:
        """Log a wait that lasts, and the end of one that was logged; the daemon thread asks for it."""
        with self._lock:
            on, reason, since = self._fields.waiting_on, self._fields.wait_reason, self._waiting_from
        now = self._clock.monotonic()
        if self._told is not None and self._told != (on, since):
            log.info("wait ended", waited_for=self._told[0], seconds=round(now - self._told[1]))
            self._told = None
        if on is not None and self._told is None and now - since >= TOLD_AFTER_SECONDS:
            log.warning("waiting", waiting_on=on, reason=reason)
            self._told = (on, since)

    def close(self) -> None:
        """Set `stopped`, write it, and stop the threads. A second call does nothing."""
        if self._closed.is_set():
            return
        with self._lock:
            self._work()
            self._fields.state = "stopped"
        self._closed.set()
        self._writer.join(timeout=5.0)
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self.write()

    def _work(self) -> None:
        if self._fields.state == "stopped":  # a thread that is slow to end
            return
        self._fields.state = "working"
        self._fields.waiting_on = self._fields.wait_reason = self._fields.waiting_since = None

    def _write_loop(self) -> None:
        quiet_seconds = 0.0
        while not self._closed.wait(WRITE_INTERVAL_SECONDS):
            self.tell()
            quiet_seconds += WRITE_INTERVAL_SECONDS
            if self._changed or quiet_seconds >= HEARTBEAT_SECONDS:
                quiet_seconds = 0.0
                self.write()


def _no_latencies() -> tuple[list[int], float]:
    return [0] * (len(LATENCY_BUCKETS) + 1), 0.0


class _HealthServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], status: ServiceStatus) -> None:
        self.status = status
        super().__init__(address, _HealthHandler)
        self.on_loopback = ip_address(str(self.server_address[0])).is_loopback

    def takes(self, host: str) -> bool:
        """Whether a request's Host header is one to answer."""
        return not self.on_loopback or split_url("//" + host).hostname in _LOOPBACK_NAMES


class _HealthHandler(BaseHTTPRequestHandler):
    server: _HealthServer
    timeout = 10

    def do_GET(self) -> None:
        if not self.server.takes(self.headers.get("Host") or ""):
            self.send_error(403)
            return
        snapshot = self.server.status.snapshot()
        kind, body = "application/json", json.dumps(snapshot, default=str).encode() + b"\n"
        if self.path == "/metrics":
            from counterpoise.runtime.prometheus import CONTENT_TYPE  # noqa: PLC0415 - only where one is asked

            kind, body = CONTENT_TYPE, self.server.status.metrics()
        elif self.path not in ("/health", "/live"):
            self.send_error(404)
            return
        self.send_response(503 if self.path == "/health" and not snapshot["healthy"] else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Health checks are not news."""


def newest_status(run_dir: Path, service: str, host: str, now: float) -> dict[str, Any] | None:
    """As `read_status`, and what the service's health endpoint on `host` answers where the file is older than SILENT_AFTER_SECONDS.

    A service that cannot write its file, as on a full disk, works all the same. One that is frozen answers nothing.
    """
    said = read_status(run_dir, service)
    if said is None or said.get("host") != _HOST or said["state"] == "stopped" or not said.get("health_port"):
        return said
    if now - float(said["updated_at"]) <= SILENT_AFTER_SECONDS:
        return said
    connection = HTTPConnection(host, int(said["health_port"]), timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/health", headers={"Host": "localhost"})
        found = json.loads(connection.getresponse().read(MAX_BYTES))
    except (OSError, ValueError, HTTPException, RecursionError):
        return said
    finally:
        connection.close()
    same = _is_status(found) and found.get("service") == service and found.get("host") == _HOST
    return found if same and float(found["started_at"]) >= float(said.get("started_at") or 0) else said


def read_status(run_dir: Path, service: str) -> dict[str, Any] | None:
    """What the service last wrote; None where it never ran here or the file is not ours."""
    try:
        found = json.loads(read_private(run_dir / f"{service}.json"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if _is_status(found) else None


def _is_status(found: Any) -> bool:
    if not isinstance(found, dict) or not found.keys() >= {"state", "pid", "updated_at", "info"}:
        return False
    return isinstance(found["pid"], int) and 0 < found["pid"] < _PIDS and isinstance(found["info"], dict)
