"""Ends every process that a test run started, however the run itself ended.

Engines and services run in sessions of their own, so neither Ctrl-C nor `kill -9` of pytest reaches them. A run therefore marks its
children: their TMPDIR is a directory of this run, which engines pass on, unlike most variables. The guardian is a small process
that holds the reading end of a pipe. When the run is gone, the pipe closes, and the guardian kills what still carries the mark.

As a script: `python guardian.py DIRECTORY`, with the pipe as standard input.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_KILL_SECONDS = 30.0
_SETTLE_SECONDS = 60.0


@dataclass(frozen=True)
class Guardian:
    """The guardian of this run, as the run holds it."""

    directory: Path
    _process: subprocess.Popen[bytes]

    def left_running(self) -> list[str]:
        """What this run started and did not end, one line each. A process that is about to end gets some seconds for it."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while (found := marked(self.directory)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [f"{pid} {command}" for pid, command in found.items()]

    def dismiss(self) -> None:
        """Let it do its work now, and wait for that."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def start_guardian(folder: Path) -> Guardian:
    """Mark this process's later children as of one run, with a directory in `folder`, and start the guardian of that run."""
    outer = tempfile.gettempdir()  # asked first: this process itself keeps its temporary directory
    directory = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", __file__, str(directory)],
        stdin=subprocess.PIPE,
        start_new_session=True,
        env=os.environ | {"TMPDIR": outer},
    )
    os.environ["TMPDIR"] = str(directory)
    return Guardian(directory, process)


def marked(directory: Path) -> dict[int, str]:
    """The live processes that carry the mark of a run, or of a run within it: id and command line."""
    mark = str(directory)
    found: dict[int, str] = {}
    for pid, variables, command in _processes():
        if pid != os.getpid() and any(v == f"TMPDIR={mark}" or v.startswith(f"TMPDIR={mark}/") for v in variables):
            found[pid] = command
    return found


def kill_marked(directory: Path) -> None:
    """Kill them, again and again: what one of them starts at the last moment carries the mark too."""
    deadline = time.monotonic() + _KILL_SECONDS
    while (found := marked(directory)) and time.monotonic() < deadline:
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _processes() -> list[tuple[int, list[str], str]]:
    """Of every process whose environment may be read: its id, variables and command line."""
    proc = Path("/proc")
    if not (proc / "self" / "environ").exists():  # macOS
        return _listed()
    found = []
    for entry in proc.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                variables = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                found.append((int(entry.name), variables, command))
    return found


def _listed() -> list[tuple[int, list[str], str]]:
    listing = subprocess.run(["ps", "-axwwE", "-o", "pid=,command="], capture_output=True, text=True, check=False)
    rows = [line.split(maxsplit=1) for line in listing.stdout.splitlines()]
    return [(int(row[0]), row[1].split(), row[1]) for row in rows if len(row) == 2]


def _main(directory: Path) -> None:
    while os.read(0, 1):  # until the other end is closed, by its owner or by the kernel
        pass
    kill_marked(directory)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
