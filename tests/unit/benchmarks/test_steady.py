"""`scripts/steady.py`: which runs are busy, where it ends, what it says."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

RED_THE_SECOND_TIME = """
import pathlib, sys
mark = pathlib.Path(sys.argv[1])
mark.write_text(mark.read_text() + "x")
print(mark.read_text())
sys.exit(mark.read_text() == "xx")
"""
SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "steady.py"
turns = runpy.run_path(str(SCRIPT))["turns"]


@given(st.integers(1, 40).flatmap(lambda runs: st.tuples(st.just(runs), st.integers(0, runs))))
def test_busy_runs_are_as_many_as_asked_for_and_spread(asked: tuple[int, int]) -> None:
    runs, busy = asked
    found = turns(runs, busy)
    assert (len(found), sum(found)) == (runs, busy)
    halves = found[: runs // 2], found[(runs + 1) // 2 :]
    assert abs(sum(halves[0]) - sum(halves[1])) <= 1
    assert not found[0] or busy == runs


def steady(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--folder", str(tmp_path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_all_green_is_a_line_each_and_a_red_run_is_the_last(tmp_path: Path) -> None:
    done = steady(tmp_path, "--runs", "3", "--busy", "1", "true")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[:4] for line in done.stdout.splitlines()] == [
        ["1", "quiet", "exit", "0"],
        ["2", "quiet", "exit", "0"],
        ["3", "busy", "exit", "0"],
    ]
    mark = tmp_path / "mark"
    mark.write_text("")
    done = steady(tmp_path, "--runs", "3", "--busy", "3", "--", sys.executable, "-c", RED_THE_SECOND_TIME, str(mark))
    assert done.returncode == 1
    first, second, path = done.stdout.splitlines()
    assert (first.split()[:4], second.split()[:4]) == (["1", "busy", "exit", "0"], ["2", "busy", "exit", "1"])
    assert Path(path).read_text() == "xx\n"


def test_nonsense_is_refused(tmp_path: Path) -> None:
    done = steady(tmp_path, "--runs", "2", "--busy", "3", "true")
    assert done.returncode == 2
    assert "--busy is at most --runs" in done.stderr
