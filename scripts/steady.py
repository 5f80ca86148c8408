"""Run a test command many times in a row, some of them with a busy process on every core, and end at the first red one.

    python scripts/steady.py [--runs 10] [--busy N] [COMMAND …]        # COMMAND: make test

A test that waits for the right thing is green on a busy machine too. Quiet and busy runs take turns. Each ends in one line: its
number, what ran beside it, its exit code, its minutes, and the CPU minutes of everything it started. What the command prints goes
to a file for each run, under `build/steady`; the path of a red one is the last line. Exit code: that of the first red run, else 0.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "build" / "steady"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument(
        "--busy", type=int, help="how many of them beside a busy process on every core; half if left out"
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the output of each run goes")
    parser.add_argument("command", nargs="*", default=["make", "test"])
    chosen = parser.parse_args()
    if chosen.busy is None:
        chosen.busy = chosen.runs // 2
    if not 0 <= chosen.busy <= chosen.runs or chosen.runs < 1:
        parser.error("--busy is at most --runs, and --runs at least 1")
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for number, is_busy in enumerate(turns(chosen.runs, chosen.busy), 1):
        output = chosen.folder / f"{number:02d}.txt"
        code = run(chosen.command, output, is_busy=is_busy, number=number)
        if code:
            _say(str(output))
            return code
    return 0


def turns(runs: int, busy: int) -> list[bool]:
    """Which runs are busy ones: spread evenly, a quiet one first."""
    return [(number + 1) * busy // runs > number * busy // runs for number in range(runs)]


def run(command: Sequence[str], output: Path, *, is_busy: bool, number: int) -> int:
    """One run to its end; its line is printed."""
    began, before = time.monotonic(), _children_seconds()
    with output.open("wb") as file, _busy_cores(os.cpu_count() or 1 if is_busy else 0) as spent:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False)
    cpu = _children_seconds() - before - sum(spent)
    minutes = (time.monotonic() - began) / 60
    beside = "busy " if is_busy else "quiet"
    _say(f"{number:3d}  {beside}  exit {done.returncode}  {minutes:6.2f} min  {cpu / 60:6.2f} CPU min")
    return done.returncode


@contextmanager
def _busy_cores(count: int) -> Iterator[list[float]]:
    """A process that only computes for each core; their CPU seconds are in the list at the end."""
    endless = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    spent: list[float] = []
    try:
        yield spent
    finally:
        before = _children_seconds()
        for process in endless:
            process.kill()
            process.wait()
        spent.append(_children_seconds() - before)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _children_seconds() -> float:
    """CPU time of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
