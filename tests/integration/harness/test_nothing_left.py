"""A run of tests that is interrupted or killed leaves no process behind, and one that leaves some behind has failed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.guardian import marked
from tests.waiting import PATIENCE_SECONDS, wait_for

ROOT = Path(__file__).resolve().parents[3]

STANDING = """
import subprocess, sys, time
from pathlib import Path

ORPHAN = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleep!r}], start_new_session=True)"

def test_that_stands(kafka, clickhouse):
    subprocess.run([sys.executable, "-c", ORPHAN], check=True)
    Path({ready!r}).touch()
    time.sleep({seconds})
"""
SLEEP = "import time; time.sleep(900)"
HEEDS_SIGINT = """
import signal, sys, pytest
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(pytest.console_main())
"""
"""A shell lets what it starts in the background ignore SIGINT, and this run of tests may be such a process."""


@contextmanager
def a_run(directory: Path, *options: str, seconds: int) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run of one test with engines and an orphan, in tests of a copy of the conftest; once it stands, and its mark."""
    suite = directory / "tests"
    suite.mkdir()
    (suite / "conftest.py").write_text("from tests.conftest import *\n")
    ready = directory / "ready"
    (suite / "test_standing.py").write_text(STANDING.format(ready=str(ready), seconds=seconds, sleep=SLEEP))
    command = [
        sys.executable,
        "-c",
        HEEDS_SIGINT,
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(suite),
        "-c",
        os.devnull,
    ]
    process = subprocess.Popen(
        [*command, f"--basetemp={directory / 'temp'}", *options, str(suite)],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(directory)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: ready.exists() or process.poll() is not None, "the test to stand")
        yield process, directory
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("sign", "options"), [(signal.SIGINT, ("-n", "1")), (signal.SIGKILL, ())], ids=["interrupted", "killed"]
)
def test_a_run_that_is_ended_leaves_nothing(tmp_path: Path, sign: signal.Signals, options: tuple[str, ...]) -> None:
    with a_run(tmp_path, *options, seconds=900) as (process, mark):
        assert process.poll() is None, process.communicate()[0]
        found = marked(mark)
        assert any("--listener-url" in command for command in found.values()), found
        assert any("engines.clickhouse" in command for command in found.values()), found
        assert any(SLEEP in command for command in found.values()), found
        process.send_signal(sign)
        process.wait(PATIENCE_SECONDS)
        wait_for(lambda: not marked(mark), "all that it started to end", lambda: marked(mark))


def test_a_run_whose_test_leaves_a_process_has_failed(tmp_path: Path) -> None:
    with a_run(tmp_path, seconds=0) as (process, mark):
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 1
        assert "left running by the tests" in output and SLEEP in output
        assert "1 passed" in output
        assert not marked(mark)
