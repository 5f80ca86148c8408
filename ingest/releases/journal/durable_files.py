"""Files that are still there, whole, after the power failed."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def sync_file(descriptor: int) -> None:
    """Return when the file's bytes are on the disk; macOS needs its own request for that."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)


def sync_folder(folder: Path) -> None:
    """Return when the folder's entries (new, renamed, removed files) are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file as a whole; afterwards it holds either the old bytes or the new ones."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)  # a link in its place would have another file overwritten
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666), "wb") as file:
        file.write(content)
        file.flush()
        sync_file(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def move_durably(path: Path, to: Path) -> None:
    """Rename within one file system; afterwards the file is in exactly one of the two places."""
    path.rename(to)
    sync_folder(to.parent)
    if path.parent != to.parent:
        sync_folder(path.parent)


class FolderLock:
    """Held by one process at a time; freed by the kernel when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._file = os.fdopen(os.open(folder / ".lock", flags, 0o666), "wb")

    def take(self) -> bool:
        """Whether the lock is ours now; where it is not, it cannot be asked for again."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            return False
        return True

    def release(self) -> None:
        """Let another process have it."""
        self._file.close()
