"""quixstreams in an environment of its own under the cache folder, never in ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.engine import ROOT
from bench.peers.rates import Rate

REQUIREMENT: Final = "quixstreams>=3.20,<4"
LICENCE: Final = "Apache License"
_ASK: Final = """
import importlib.metadata as m, json
d = m.metadata("quixstreams")
print(json.dumps([d["Version"], " ".join([d["License-Expression"] or "", d["License"] or "", *(d.get_all("Classifier") or [])])]))
"""


def environment() -> Path:
    """The folder of its environment, there or not."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "counterpoise-bench" / "quixstreams"


def interpreter() -> Path:
    """Its Python, there or not."""
    return environment() / "bin" / "python"


def install() -> str:
    """Make the environment anew; returns the version. SystemExit where the licence is another one than was read."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", environment()], check=True)
    subprocess.run([interpreter(), "-m", "pip", "install", "--quiet", REQUIREMENT], check=True)
    found = subprocess.run([interpreter(), "-c", _ASK], stdout=subprocess.PIPE, check=True)
    version, licence = json.loads(found.stdout)
    if not permitted(licence):
        raise SystemExit(f"quixstreams {version} has another licence than {LICENCE}: {licence[:200]}")
    return str(version)


def permitted(licence: str) -> bool:
    """Whether the licence that a package states is the one under which it may run here: Apache 2.0."""
    plain = " ".join(licence.split())
    return "Apache-2.0" in plain or (LICENCE in plain and "Version 2.0" in plain)


def folded(blocks: Path, count: int, broker: str) -> Rate:
    """Its rate on a file of blocks; its own messages go to stderr."""
    run = subprocess.run(
        [interpreter(), "-m", "bench.peers.quixstreams_fold", blocks, broker],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        check=True,
    )
    found = json.loads(run.stdout.splitlines()[-1])
    totals = {int(window): tuple(sums) for window, sums in found["totals"].items()}
    return Rate(f"quixstreams {found['version']}", count, found["cpu_seconds"], totals)
