"""chDB's engine: started once on one path; an error at the start is one line."""

from __future__ import annotations

import fcntl
import importlib
import logging
import os
import platform
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from counterpoise.errors import EngineError
from engines.clickhouse.exceptions import from_engine
from engines.clickhouse.statements import quote_string

log = logging.getLogger(__name__)
PLATFORMS: Final = {("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")}


_Bytes: TypeAlias = bytes  # the name `bytes` is a method below


class Result(Protocol):
    """An answer, or a part of one."""

    def bytes(self) -> _Bytes: ...
    def rows_read(self) -> int: ...
    def rows_written(self) -> int: ...
    def bytes_written(self) -> int: ...


class Connection(Protocol):
    """chDB's connection: one session, one statement at a time; the interpreter lock is free while it runs."""

    def query(self, query_str: str, format: str = ..., *, params: Mapping[str, str] = ...) -> Result: ...  # noqa: A002
    def send_query(self, query_str: str, format: str = ..., *, params: Mapping[str, str] = ...) -> object: ...  # noqa: A002
    def streaming_fetch_result(self, streaming_result: object) -> Result | None: ...
    def streaming_cancel_query(self, streaming_result: object) -> None: ...
    def send_insert(self, query: str, format: str = ...) -> object: ...  # noqa: A002
    def insert_append(self, insert_result: object, data: bytes) -> None: ...
    def insert_done(self, insert_result: object) -> Result: ...
    def insert_cancel(self, insert_result: object) -> None: ...
    def set_progress_callback(self, callback: Callable[[dict[str, int]], object] | None) -> None: ...
    def classify_query(self, sql: str) -> dict[str, Any]: ...
    def close(self) -> None: ...


def _chdb() -> Any:
    machine = platform.machine().lower().replace("amd64", "x86_64")
    machine = "aarch64" if (sys.platform, machine) == ("linux", "arm64") else machine
    if (sys.platform, machine) not in PLATFORMS:
        raise EngineError(
            f"The embedded ClickHouse has no engine for {sys.platform} {platform.machine()}: "
            "it runs on Linux x86-64 and arm64 and on macOS arm64. Use a ClickHouse server instead."
        )
    try:
        return importlib.import_module("chdb._chdb")
    except ImportError as error:
        raise EngineError(
            f"The embedded ClickHouse needs the package chdb-core, which cannot be imported ({error}): "
            "pip install 'counterpoise[embedded]'"
        ) from error


def _refuse_if_locked(path: Path) -> None:
    """The engine locks `status` in its directory; look first, because its own message is not one line."""
    status = path / "status"
    if not status.exists():
        return
    with status.open("rb+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EngineError(
                f"The ClickHouse data directory {path} is in use by another process (code 76, CANNOT_OPEN_FILE): "
                "stop that process (`counterpoise doctor` names it), or choose another directory."
            ) from None


class Engine:
    """The engine on `path`. It lives until `close`; each session is a separate connection (`connect`, 0.1 ms).

    Raises EngineError on a foreign platform, without chdb-core, and when the path is locked or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # A server zone other than the clients' makes every DateTime column slow to read.
        os.environ["TZ"] = "UTC"
        chdb = _chdb()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_if_locked(path)
            self._connect: Callable[[str], Connection] = chdb.connect
            self._admin: Connection = self._connect(str(path))
        except OSError as error:
            raise EngineError(f"The ClickHouse data directory {path} cannot be used: {error.strerror}.") from error
        except RuntimeError as error:
            raise EngineError(f"ClickHouse cannot start on {path}: {from_engine(error)}") from error
        self._admin_lock = threading.Lock()
        self.version = tuple(int(part) for part in self._value("SELECT version()").split(".")[:3])
        self.timezone = self._value("SELECT timezone()")
        self.setting_names = frozenset(self._value("SELECT name FROM system.settings").split("\n"))

    def _value(self, sql: str) -> str:
        with self._admin_lock:
            answer: bytes = self._admin.query(sql, "TSVRaw").bytes()
        return answer.decode().rstrip("\n")

    def connect(self) -> Connection:
        """A new session of the engine."""
        return self._connect(str(self.path))

    def kill(self, identity: str) -> None:
        """Ask every statement of the session `identity` (first word of its log_comment) to stop; returns at once."""
        where = f"splitByChar(' ', Settings['log_comment'])[1] = {quote_string(identity)}"
        try:
            with self._admin_lock:
                self._admin.query(f"KILL QUERY WHERE {where} ASYNC", "Null")
        except RuntimeError as error:  # the engine is shutting down, which ends the statement as well
            log.warning("cannot stop a statement: %s", error)

    def close(self) -> None:
        with self._admin_lock:
            self._admin.close()
