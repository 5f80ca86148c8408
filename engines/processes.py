"""Processes by their id: is it running, is it really ours, and how to end it without harming a stranger.

An id proves nothing, because ids are used again. A process is ours where this user runs it, it began at the moment that was written
down, and its command line is the one that we start.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from counterpoise.runtime.python_module import module_environment


def start_apart(command: Sequence[str], log: IO[bytes], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a module of ours in another session, with its output in a log. An interrupt of the terminal reaches only the caller."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        env=module_environment(environment),
    )


def command_of(pid: int) -> str | None:
    """The command line of a running process, its words joined by spaces; None where there is none (or only its corpse)."""
    if pid <= 0:
        return None
    if sys.platform == "linux":
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return None
        return raw.replace(b"\0", b" ").decode(errors="replace").strip() or None
    listed = subprocess.run(
        ["ps", "-ww", "-o", "state=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, command = listed.stdout.strip().partition(" ")
    return None if state.startswith("Z") else command.strip() or None


def started_at(pid: int) -> str | None:
    """When the process began, in the system's own words: equal for the same process only, also over a restart of the machine."""
    if pid <= 0:
        return None
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return None
        return f"{boot}/{int(fields[19])}"
    return _ps(pid, "lstart=")


def owner_of(pid: int) -> int | None:
    """The user who runs the process."""
    if pid <= 0:
        return None
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}").stat().st_uid
        except OSError:
            return None
    said = _ps(pid, "uid=")
    return int(said) if said else None


def is_ours(pid: int, marker: str, started: str) -> bool:
    """True where this user runs `pid`, it began at `started` (see `started_at`), and its command line holds `marker`."""
    command = command_of(pid)
    return bool(
        marker and command and marker in command and owner_of(pid) == os.geteuid() and started_at(pid) == started
    )


def end_process(pid: int, marker: str, started: str, *, grace_seconds: float = 10.0) -> bool:
    """End `pid` if it is ours: SIGTERM, then after the grace SIGKILL. True where there was something to end."""
    with _handle(pid) as send:
        return _end(pid, marker, started, send, grace_seconds)


def _end(pid: int, marker: str, started: str, send: Callable[[signal.Signals], None], grace_seconds: float) -> bool:
    if not is_ours(pid, marker, started):
        return False
    deadline = time.monotonic() + grace_seconds
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            send(sign)
        except ProcessLookupError:
            return True
        while is_ours(pid, marker, started):
            _reap(pid)
            if sign == signal.SIGTERM and time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return True
    return True


@contextlib.contextmanager
def _handle(pid: int) -> Iterator[Callable[[signal.Signals], None]]:
    """How to signal the process that has the id now, even if another gets the id later; where there is none, by the id."""
    descriptor: int | None = None
    if sys.platform == "linux" and pid > 0:
        with contextlib.suppress(OSError):  # no such process, or a kernel without them
            descriptor = os.pidfd_open(pid)
    try:
        if descriptor is None:
            yield lambda sign: os.kill(pid, sign)
        else:
            held = descriptor
            yield lambda sign: signal.pidfd_send_signal(held, sign)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _ps(pid: int, column: str) -> str | None:
    listed = subprocess.run(["ps", "-o", column, "-p", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.strip() or None


def _reap(pid: int) -> None:
    """Collect it where it is a child of ours; it would stay a corpse otherwise."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
