"""A benchmark that is ended in the middle takes its engines with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guardian import marked
from tests.waiting import PATIENCE_SECONDS, wait_for

ROOT = Path(__file__).resolve().parents[3]

STANDS = """
import sys, time
from bench.stand import engines

with engines() as folder:
    print("stands", flush=True)
    time.sleep(900)
"""
STARTS = """
import sys, time
import bench.stand

def starts(*_):
    started(*_)
    print("stands", flush=True)
    time.sleep(900)  # within `up`

started, bench.stand.up = bench.stand.up, starts
with bench.stand.engines():
    pass
"""


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=["interrupted", "terminated"])
@pytest.mark.parametrize("program", [STANDS, STARTS], ids=["measuring", "starting"])
def test_a_benchmark_that_is_ended_leaves_nothing(tmp_path: Path, program: str, sign: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "stands\n"
        assert len(marked(tmp_path)) >= 3, "itself, the broker and ClickHouse"
        process.send_signal(sign)
        process.send_signal(sign)  # somebody who is impatient
        assert process.wait(PATIENCE_SECONDS) == 128 + sign
    wait_for(lambda: not marked(tmp_path), "all that it started to end", lambda: marked(tmp_path))
    assert list(tmp_path.iterdir()) == []
