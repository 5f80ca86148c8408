"""The files of a run are in memory where there is room: engines make and drop thousands of small ones, which a disk's file system
answers with as much CPU time as the engines need themselves.

A folder that TMPDIR names is taken as it is. What failed tests left is copied to the disk, since memory is given back.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

_SHARED_MEMORY: Final = Path("/dev/shm")
_NEEDED_BYTES: Final = 4 << 30
"""Several times what a run with eight workers has at once."""

PYTEST_ROOT: Final = "PYTEST_DEBUG_TEMPROOT"
"""Where pytest makes the folders of tests, by its own documentation."""


def folder_for_runs() -> Path:
    """In memory where that takes programs and has 4 GiB left; else the system's temporary folder, or that of TMPDIR."""
    if "TMPDIR" not in os.environ:
        with suppress(OSError):
            status = os.statvfs(_SHARED_MEMORY)
            free = min(status.f_bavail * status.f_frsize, _available_bytes())
            if free >= _NEEDED_BYTES and not status.f_flag & os.ST_NOEXEC and os.access(_SHARED_MEMORY, os.W_OK):
                return _SHARED_MEMORY
    return Path(tempfile.gettempdir())


def is_in_memory(directory: Path) -> bool:
    return directory.parent == _SHARED_MEMORY  # not a run within a test of such a run


def keep_on_disk(directory: Path) -> Path:
    """A copy of what a run's tests left, without the tables of ClickHouse; the copy of an earlier run goes."""
    kept = Path(tempfile.gettempdir()) / f"counterpoise-failed-{os.getuid()}"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(mode=0o700, exist_ok=True)
    with suppress(shutil.Error):  # what is no file: sockets
        shutil.copytree(directory, kept, symlinks=True, ignore=shutil.ignore_patterns("store"), dirs_exist_ok=True)
    return kept


def _available_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0
