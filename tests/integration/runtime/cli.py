"""Run the command line as a user does: a process of its own, forked from one that has imported everything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.forked import run_forked


def clean_environment(more: dict[str, str] | None = None) -> dict[str, str]:
    """This process's environment without any setting of ours, plus `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERPOISE_")}
    return kept | {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"} | (more or {})


def counterpoise(
    *arguments: str, cwd: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return run_forked(arguments, clean_environment(environment), cwd)
