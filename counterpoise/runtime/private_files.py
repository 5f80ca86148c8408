"""Files of the state directory, which belong to this user alone.

Another user who can write there could make a command overwrite a file of this user's, or end a process. So a folder that another
user owns or can write to is refused. A file is opened within its open folder, never through a link, and must be a regular
file of this user's. NotPrivateError names in one line the fault and the next step.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter, TextIOWrapper
from pathlib import Path
from typing import IO, BinaryIO, Final, Literal, cast

from counterpoise.errors import ConfigError

MAX_BYTES: Final = 16 * 1024**2
"""The size limit of a file that is read as a whole. Ours are a few kilobytes; the memory of a market source is the largest."""
_OPEN_TO_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_FLAGS: Final = {
    "read": os.O_RDONLY,
    "append": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "lock": os.O_WRONLY | os.O_CREAT,
    "replace": os.O_WRONLY | os.O_CREAT,  # emptied only once it is known to be ours
    "update": os.O_RDWR,
}
How = Literal["read", "append", "lock", "replace", "update"]


class NotPrivateError(ConfigError):
    """A file or folder of the state directory is not this user's alone."""


def check_state_dir(path: Path) -> None:
    """Refuse a state directory that another user owns or can write to. One that does not exist passes.

    A link to it passes where this user or root made it. A folder that cannot be read passes too: its use reports the reason.
    """
    with suppress(OSError):
        link = path.lstat()
        if stat.S_ISLNK(link.st_mode) and link.st_uid not in (0, os.geteuid()):
            raise NotPrivateError(f"the state directory {path} is a link that user {link.st_uid} made: {_ANOTHER}")
        if not path.is_dir():
            return
        _check_folder(path, path.stat())
        for name in ("embedded", "run"):
            if (path / name).is_symlink():
                raise NotPrivateError(f"{path / name} is a link and is not followed: remove it, or {_ANOTHER}")


def private_folder(path: Path) -> Path:
    """The folder, made for this user only where it is missing, as are its parents.

    A folder of ours that others can write to is closed to them. NotPrivateError where it is a link or another user's, OSError where
    it cannot be made.
    """
    for missing in reversed([p for p in (path, *path.parents) if not p.exists() and not p.is_symlink()]):
        with suppress(FileExistsError):
            missing.mkdir(mode=0o700)
    descriptor = _open_folder(path)
    try:
        status = os.fstat(descriptor)
        if status.st_uid == os.geteuid() and status.st_mode & _OPEN_TO_OTHERS:
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & ~_OPEN_TO_OTHERS)
        _check_folder(path, os.fstat(descriptor))
    finally:
        os.close(descriptor)
    return path


@contextmanager
def private_place(path: Path) -> Iterator[int]:
    """A descriptor of the folder that holds `path`, which is this user's alone for the length of the block."""
    descriptor = _open_folder(path.parent)
    try:
        _check_folder(path.parent, os.fstat(descriptor))
        yield descriptor
    finally:
        os.close(descriptor)


def open_private(path: Path, how: How) -> IO[bytes]:
    """Open a file of the state directory; a new one has mode 0600.

    `lock` and `append` keep what is there, `replace` empties it, `update` needs it to exist. NotPrivateError where it is a link, has
    a second name, is no regular file or is another user's; OSError as `open`.
    """
    flags = _FLAGS[how] | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a named pipe would block for ever
    with private_place(path) as folder:
        try:
            descriptor = os.open(path.name, flags, 0o600, dir_fd=folder)
        except OSError as error:
            with suppress(FileNotFoundError):
                _check_file(path, os.stat(path.name, dir_fd=folder, follow_symlinks=False), how)
            raise error from None
    try:
        _check_file(path, os.fstat(descriptor), how)
        os.set_blocking(descriptor, True)
        if how == "replace":
            os.ftruncate(descriptor, 0)
        return os.fdopen(descriptor, {"read": "rb", "update": "rb+", "append": "ab"}.get(how, "wb"))
    except BaseException:
        with suppress(OSError):
            os.close(descriptor)
        raise


def open_private_log(path: Path) -> TextIOWrapper:
    """Open a file for lines, emptied, as `open_private`. A write that fails, as on a full disk, is an OSError there and then.

    Nothing is kept to be written later, so `close` does not fail for what a write could not do.
    """
    raw = cast("BufferedWriter", open_private(path, "replace")).detach()
    return TextIOWrapper(cast("BinaryIO", raw), encoding="utf-8", write_through=True)


def read_private(path: Path) -> str:
    """The text of a file. ValueError where it is over MAX_BYTES or not UTF-8; other errors as `open_private`."""
    with open_private(path, "read") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"{path} is over {MAX_BYTES} bytes")
    return content.decode("utf-8")


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically; the new one has mode 0600. Whatever stood in its place or in its draft's is only unlinked."""
    draft = f".{path.name}.{os.getpid()}.draft"
    with private_place(path) as folder:
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(draft, flags, 0o600, dir_fd=folder), "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(draft, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft, dir_fd=folder)
            raise


_ANOTHER: Final = "choose another with --state-dir or COUNTERPOISE_STATE_DIR"


def _open_folder(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        if path.is_symlink():
            raise NotPrivateError(f"{path} is a link and is not followed: remove it, or {_ANOTHER}") from None
        raise


def _check_folder(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISDIR(status.st_mode):
        raise NotPrivateError(f"{path} is not a folder: {_ANOTHER}")
    if status.st_uid != os.geteuid():
        raise NotPrivateError(f"{path} belongs to user {status.st_uid}, not to you ({os.geteuid()}): {_ANOTHER}")
    if status.st_mode & _OPEN_TO_OTHERS:
        raise NotPrivateError(
            f"{path} has mode {stat.S_IMODE(status.st_mode):04o}, so other users can write to it: chmod go-w {path}, or {_ANOTHER}"
        )


def _check_file(path: Path, status: os.stat_result, how: How) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise NotPrivateError(f"{path} is a link and is not followed: remove it")
    if not stat.S_ISREG(status.st_mode):
        raise NotPrivateError(f"{path} is not a regular file: remove it")
    if status.st_uid != os.geteuid():
        raise NotPrivateError(f"{path} belongs to user {status.st_uid}, not to you ({os.geteuid()}): remove it")
    if how != "read" and status.st_nlink > 1:  # a backup may have made one, but a write would reach the other name
        raise NotPrivateError(f"{path} is a second name (hard link) of another file: remove it")
