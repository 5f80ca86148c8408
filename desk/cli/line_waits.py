"""What a replay waits for: the notice on the screen, and when nothing progresses any more."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from counterpoise.runtime.service_status import read_status
from counterpoise.settings.model import Settings

NO_PROGRESS_SECONDS: Final = 120.0
"""A replay whose blocks are all published ends after so long without any progress."""

NOTICED_AFTER_SECONDS: Final = 3.0
"""A shorter wait is normal while services start."""

FULL_BELOW_BYTES: Final = 32 * 1024**2


class NoProgress:
    """For how long the marks of progress have been the same. Pure: the caller passes them and the time."""

    def __init__(self, limit_seconds: float = NO_PROGRESS_SECONDS) -> None:
        self._limit_seconds = limit_seconds
        self._marks: object = None
        self._since: float | None = None

    def look(self, now: float, marks: object) -> bool:
        """Add an observation at monotonic time `now`; whether nothing changed for the limit."""
        if self._since is None or marks != self._marks:
            self._marks, self._since = marks, now
        return now - self._since >= self._limit_seconds


def statuses(settings: Settings, services: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The status of each service that has written one."""
    found = {name: read_status(settings.run_dir, name) for name in services}
    return {name: status for name, status in found.items() if status is not None}


def progress_marks(found: Mapping[str, Mapping[str, Any]]) -> tuple[object, ...]:
    """What changes when a service progresses or starts anew. Turns of its main loop are none: an idle one turns, too."""
    return tuple((name, status.get("pid"), status.get("last_progress_at")) for name, status in found.items())


def notice(found: Mapping[str, Mapping[str, Any]], now: float, folder: Path, free: int) -> str:
    """One line at UNIX time `now`: a full disk (`free` bytes are left) first, then the services that wait for NOTICED_AFTER_SECONDS.

    Empty where nothing is waited for.
    """
    parts = []
    if free < FULL_BELOW_BYTES:
        parts.append(
            f"the disk of {folder} is full ({free // 1024**2} MiB free): free some space, and the replay continues"
        )
    for name, status in found.items():
        if (
            status.get("state") == "waiting"
            and now - float(status.get("waiting_since") or now) >= NOTICED_AFTER_SECONDS
        ):
            reason = " ".join(str(status.get("wait_reason") or "").split())
            parts.append(f"{name} waits for {status.get('waiting_on')}" + (f": {reason}" if reason else ""))
    return "; ".join(parts)


def free_bytes(folder: Path) -> int:
    """Free space where `folder` is, or will be."""
    existing = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    return shutil.disk_usage(existing).free
