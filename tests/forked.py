"""Services as processes of their own that need not import everything first: a third of the CPU time of a test run went there.

A *fork server*, one for each process that runs tests, has imported the product. Asked for a command line, it forks, and the child is
`counterpoise …` from there on: with its own pid, environment, working directory, standard streams and exit code, and nobody
else's memory. It is killed, frozen and waited for as any other process. Supervisors, and whatever is not started through here,
start in the plain way.

As a script (`python forked.py FD`) it is the server, with its end of the connection as FD.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).resolve().parents[1]
_IMPORTED: Final = (
    "desk.cli.run",
    "desk.supervise.health",
    "ingest.blocks.service",
    "ingest.releases.service",
    "streams.service",
    "alerts.service",
    "scipy.special",
)
_NUMBER: Final = struct.Struct("!q")


class ForkedProcess:
    """What `subprocess.Popen` is to its callers here."""

    def __init__(self, pid: int, stdin: IO[bytes], exit_pipe: int) -> None:
        self.pid = pid
        self.stdin: IO[bytes] | None = stdin
        self.returncode: int | None = None
        self._exit_pipe = exit_pipe
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """The exit code, or minus the signal that ended it; None while it runs."""
        return self._look(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended. subprocess.TimeoutExpired where it has not in time."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing where it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _look(self, timeout: float | None) -> int | None:
        with self._lock:
            if self.returncode is None and select.select([self._exit_pipe], [], [], timeout)[0]:
                told = os.read(self._exit_pipe, _NUMBER.size)
                os.close(self._exit_pipe)
                self.returncode = _NUMBER.unpack(told)[0] if told else -signal.SIGKILL  # the server itself was killed
            return self.returncode


class _ForkServer:
    """The server of this process, as those see it who start processes."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()], cwd=ROOT
            )
        self._connection = ours
        self._lock = threading.Lock()

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], cwd: Path, output: int, error: int
    ) -> ForkedProcess:
        stdin_read, stdin_write = os.pipe()
        exit_read, exit_write = os.pipe()
        asked = json.dumps([list(arguments), dict(environment), str(cwd)]).encode()
        try:
            with self._lock:
                socket.send_fds(self._connection, [_NUMBER.pack(len(asked))], [stdin_read, output, error, exit_write])
                self._connection.sendall(asked)
                told = self._connection.recv(_NUMBER.size, socket.MSG_WAITALL)
        finally:
            os.close(stdin_read)
            os.close(exit_write)
        assert told, "the fork server has ended"
        return ForkedProcess(_NUMBER.unpack(told)[0], os.fdopen(stdin_write, "wb", buffering=0), exit_read)

    def close(self) -> None:
        self._connection.close()
        self._process.wait()


_servers: dict[int, _ForkServer] = {}
_starting = threading.Lock()


def start_forked(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    cwd: Path,
    output: IO[bytes],
    error: IO[bytes] | None = None,
) -> ForkedProcess:
    """`counterpoise ARGUMENTS` with a pipe for standard input. Standard error goes to `error`, or to `output` too."""
    with _starting:
        server = _servers.setdefault(os.getpid(), _servers.get(os.getpid()) or _ForkServer())
    return server.start(arguments, environment, cwd, output.fileno(), (error or output).fileno())


def run_forked(arguments: Sequence[str], environment: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """The same to its end, with empty standard input, as `subprocess.run` with captured text returns it."""
    from tests.waiting import PATIENCE_SECONDS  # not for the server, which is a script

    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error:
        process = start_forked(arguments, environment, cwd, output, error)
        if process.stdin is not None:
            process.stdin.close()
        try:
            code = process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()
        told = []
        for file in (output, error):
            file.seek(0)
            told.append(file.read().decode())
    return subprocess.CompletedProcess(list(arguments), code, *told)


def close_fork_server() -> None:
    """End it, where one was started here."""
    if server := _servers.pop(os.getpid(), None):
        server.close()


def _serve(connection: socket.socket) -> int:
    """Fork for each request until the connection closes. Returns in each child, with its exit code, too."""
    running: dict[int, int] = {}
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    while True:
        ready, _, _ = select.select([connection.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_who_ended(running)
        if connection.fileno() not in ready:
            continue
        head, handed, _, _ = socket.recv_fds(connection, _NUMBER.size, 4)
        if not head:
            return 0
        asked = connection.recv(_NUMBER.unpack(head)[0], socket.MSG_WAITALL)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # As in a terminal, also where the tests were started in the background of a shell, which leaves Ctrl-C without effect.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            connection.close()
            for descriptor in (woken, wake, handed[3], *running.values()):
                os.close(descriptor)
            return _be(*json.loads(asked), stdin=handed[0], output=handed[1], error=handed[2])
        *streams, running[pid] = handed
        for descriptor in streams:
            os.close(descriptor)
        connection.sendall(_NUMBER.pack(pid))


def _tell_who_ended(running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with suppress(BrokenPipeError):
            os.write(running[pid], _NUMBER.pack(os.waitstatus_to_exitcode(status)))
        os.close(running.pop(pid))


def _be(arguments: list[str], environment: dict[str, str], cwd: str, *, stdin: int, output: int, error: int) -> int:
    """Be `counterpoise ARGUMENTS` from here on."""
    for place, descriptor in enumerate((stdin, output, error)):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = ["counterpoise", *arguments]
    importlib.reload(
        importlib.import_module("counterpoise.runtime.crash_points")
    )  # it reads its variable when imported
    code: int = importlib.import_module("desk.cli.root").main(arguments)
    return code


def _main(descriptor: int) -> int:
    del sys.path[0]  # the folder of this file
    for name in _IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # what is shared stays shared
    return _serve(socket.socket(fileno=descriptor))


if __name__ == "__main__":
    sys.exit(_main(int(sys.argv[1])))
