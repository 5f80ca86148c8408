"""Processes by their id: is it running, is it really ours, and how to end it without harming a stranger."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


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


def is_ours(pid: int, marker: str) -> bool:
    """True where `pid` runs and its command line holds `marker`: process ids are used again, so an id alone proves nothing."""
    command = command_of(pid)
    return command is not None and marker in command


def end_process(pid: int, marker: str, *, grace_seconds: float = 10.0) -> bool:
    """End `pid` if it is ours: SIGTERM, then after the grace SIGKILL. True where there was something to end."""
    if not is_ours(pid, marker):
        return False
    deadline = time.monotonic() + grace_seconds
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return True
        while is_ours(pid, marker):
            _reap(pid)
            if sign == signal.SIGTERM and time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return True
    return True


def _reap(pid: int) -> None:
    """Collect it where it is a child of ours; it would stay a corpse otherwise."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
