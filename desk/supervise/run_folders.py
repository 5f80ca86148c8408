"""Run folders of a dataset on this machine: the common one, and one for each named instance."""

from __future__ import annotations

import fcntl
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from counterpoise.runtime.private_files import open_private
from counterpoise.settings.model import INSTANCES, Settings

FORGOTTEN_AFTER_SECONDS: Final = 7 * 86_400


def run_folders(settings: Settings) -> list[Path]:
    """The common folder first, then those of instances by name; a folder need not exist."""
    return [settings.run_root, *_instances(settings)]


def forget_old_instances(settings: Settings, now: float) -> None:
    """Remove folders of instances that wrote nothing for 7 days: a container that is made anew has another name.

    A process that runs writes its status every few seconds. One that cannot, on a full disk for example, still holds its lock, and
    its folder stays. So does the folder of these settings.
    """
    for folder in _instances(settings):
        try:
            newest = max(path.lstat().st_mtime for path in (folder, *folder.iterdir()))
        except OSError:  # another process removes it at the same time
            continue
        if folder != settings.run_dir and now - newest > FORGOTTEN_AFTER_SECONDS:
            with ExitStack() as locks:
                if _locked(folder, locks):
                    shutil.rmtree(folder, ignore_errors=True)


def _locked(folder: Path, locks: ExitStack) -> bool:
    """Take every lock in a folder until `locks` is closed; False where a process holds one."""
    try:
        for path in folder.glob("*.lock"):
            fcntl.flock(locks.enter_context(open_private(path, "lock")), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _instances(settings: Settings) -> list[Path]:
    try:
        return sorted(
            path for path in (settings.run_root / INSTANCES).iterdir() if path.is_dir() and not path.is_symlink()
        )
    except OSError:
        return []
