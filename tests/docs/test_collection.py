"""Every worker finds the same tests in the same order.

Workers of one run compare what they found, and a difference ends the whole run. The order of a set of texts differs from
process to process, so a list of cases made from one must be sorted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A set of three names has three orders under these.
SEEDS = ("1", "3", "5")


def test_the_order_of_tests_does_not_depend_on_the_process() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        "--ignore",
        "tests/docs",
        "tests",
    ]
    processes = [
        subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, text=True
        )
        for seed in SEEDS
    ]
    first, *others = (
        [line for line in process.communicate(timeout=300)[0].splitlines() if "::" in line] for process in processes
    )
    assert len(first) > 1_000
    for other in others:
        assert other == first, [pair for pair in zip(first, other, strict=False) if pair[0] != pair[1]][:5]
