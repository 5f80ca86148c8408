"""Start the embedded ClickHouse server as a separate process, and keep its handle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from counterpoise.errors import EngineError
from counterpoise.runtime.private_files import open_private
from counterpoise.runtime.python_module import module_command
from engines.clickhouse.client_limits import DEFAULT_LIMITS, Limits
from engines.processes import start_apart

_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class ClickHouseProcess:
    """A running server. `port` speaks the native protocol, `http_port` HTTP, both on 127.0.0.1."""

    pid: int
    port: int
    http_port: int
    _process: subprocess.Popen[bytes] = field(repr=False, compare=False)

    def returncode(self) -> int | None:
        """The exit code once the process has ended (negative: the signal that ended it), None while it lives."""
        return self._process.poll()

    def stop(self, patience_seconds: float = 20.0) -> None:
        """End it in order (SIGTERM); after `patience_seconds` kill it. Stopping twice does no harm."""
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_seconds)
                return
        self.kill()

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would; what it acknowledged is kept."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()


def start_clickhouse(
    path: Path,
    *,
    password_file: Path,
    port: int = 0,
    http_port: int = 0,
    reader_password_file: Path | None = None,
    log_file: Path,
    limits: Limits = DEFAULT_LIMITS,
    desk_file: Path | None = None,
    patience_seconds: float = 60.0,
) -> ClickHouseProcess:
    """Start a server on the data directory `path` and return when it answers (about a second; longer after a kill).

    Of `limits`, memory, the reader's and the allowed hosts apply. Port 0 takes a free one. The server's log is appended to
    `log_file`. The process has its own session, so that an interrupt of the terminal reaches only the caller, who decides.
    Raises EngineError with the server's one line when it cannot start, or is not ready after
    `patience_seconds` (it is killed then). `desk_file` holds the URL that /play leads to, from when it exists.
    """
    with tempfile.TemporaryDirectory(prefix="clickhouse-start-") as scratch, open_private(log_file, "append") as log:
        ready_file = Path(scratch) / "ready.json"
        command = [
            *module_command("engines.clickhouse"),
            "--path",
            str(path),
            "--port",
            str(port),
            "--http-port",
            str(http_port),
        ]
        command += ["--password-file", str(password_file), "--ready-file", str(ready_file)]
        if reader_password_file:
            command += ["--reader-password-file", str(reader_password_file)]
        command += [
            *("--max-memory-bytes", str(limits.server_memory_bytes)),
            *("--reader-memory-bytes", str(limits.reader_memory_bytes)),
            *("--reader-seconds", str(limits.reader_seconds)),
            *("--reader-statements", str(limits.reader_statements)),
        ]
        for host in sorted(limits.allowed_hosts):
            command += ["--allowed-host", host]
        if desk_file:
            command += ["--desk-file", str(desk_file)]
        before = log.tell()
        # It needs no setting of ours, and some are secrets.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERPOISE_")}
        process = start_apart(command, log, environment)
        deadline = time.monotonic() + patience_seconds
        while not ready_file.exists():
            if process.poll() is not None:
                raise EngineError(_last_line(log_file, before) or f"ClickHouse ended with {process.returncode}.")
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
                raise EngineError(f"ClickHouse on {path} was not ready after {patience_seconds:g} s; see {log_file}.")
            time.sleep(_POLL_SECONDS)
        ready = json.loads(ready_file.read_text())
    return ClickHouseProcess(process.pid, ready["port"], ready["http_port"], process)


def _last_line(log_file: Path, start: int) -> str:
    """The last line that was written to the log from `start` on; "" when there is none."""
    with open_private(log_file, "read") as log:
        log.seek(start)
        lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
