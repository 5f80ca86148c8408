"""Who may connect: `default`, and `reader` whose sessions cannot write or change settings."""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from counterpoise.errors import EngineError
from engines.clickhouse.exceptions import ServerError


@dataclass(frozen=True, slots=True)
class User:
    name: str
    password: bytes
    readonly: bool

    def __repr__(self) -> str:
        return f"User({self.name!r}, readonly={self.readonly})"


def read_password(path: Path) -> bytes:
    """The password in a file that only its owner can read. EngineError when it is absent, open to others or empty."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise EngineError(f"The password file {path} is not a regular file.")
        if status.st_mode & 0o077:
            raise EngineError(
                f"The password file {path} has mode {stat.S_IMODE(status.st_mode):04o}, expected 0600: chmod 600 {path}"
            )
        if status.st_uid != os.geteuid():
            raise EngineError(f"The password file {path} belongs to another user (uid {status.st_uid}).")
        password = path.read_bytes().strip()
    except OSError as error:
        raise EngineError(f"The password file {path} cannot be read: {error.strerror}.") from error
    if not password:
        raise EngineError(f"The password file {path} is empty; expected one line with the password.")
    return password


class Users:
    """The accounts; `check` takes the same time for every wrong password of an existing user."""

    def __init__(self, default_password: bytes, reader_password: bytes | None = None) -> None:
        users = [User("default", default_password, readonly=False)]
        if reader_password is not None:
            users.append(User("reader", reader_password, readonly=True))
        self._users: Mapping[str, User] = {user.name: user for user in users}

    def check(self, name: str, password: bytes) -> User:
        """The user, or AUTHENTICATION_FAILED (516), which is the same for a wrong name and a wrong password."""
        user = self._users.get(name or "default")
        expected = user.password if user else b"\0"
        if not hmac.compare_digest(expected, password) or user is None:
            raise ServerError(
                516,
                f"{name or 'default'}: Authentication failed: password is incorrect, "
                "or there is no user with such name.",
            )
        return user
