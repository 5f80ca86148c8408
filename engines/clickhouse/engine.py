"""chDB's engine: started once on one path; an error at the start is one line."""

from __future__ import annotations

import fcntl
import importlib
import json
import logging
import os
import platform
import re
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import unquote

from counterpoise.errors import EngineError
from engines.clickhouse import reader_rules
from engines.clickhouse.client_limits import Budget, Limits, Turns
from engines.clickhouse.exceptions import QUERY_WAS_CANCELLED, ServerError, from_engine
from engines.clickhouse.insert_head import InsertHead
from engines.clickhouse.reader_rules import KnownNames
from engines.clickhouse.remembered import Remembered
from engines.clickhouse.statement_routing import escape_parameter, quote_string

log = logging.getLogger(__name__)
PLATFORMS: Final = {("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")}


OWNER_ROLE: Final = "counterpoise_owner"
READER_ROLE: Final = "counterpoise_reader"
"""The engine's own rights of a reader: to read tables, and nothing that names a file, an address or a program."""

_ALLOCATOR: Final = ("JE_MALLOC_CONF", "background_thread:true,dirty_decay_ms:500,muzzy_decay_ms:0")
"""The engine's allocator gives pages back within a second, also those of threads that wait. It is read when the library is loaded.

At once would be a third of the CPU time of a backfill, in the kernel."""

KEPT_FREE_BYTES: Final = 32 * 1024**2
"""Parts and merges leave so much of the disk alone, and are refused below it (code 243). So what needs no reservation still has room:
logs, metadata, the files of other services. A disk that ran out amid a merge has damaged a part."""

# As a library the engine lays its default database over the file system (an Overlay): `SELECT … FROM "/etc/passwd"` reads
# a file there. So the overlay gets a name that nobody uses, and `default` is an Atomic database as on a server.
_OVERLAY: Final = "counterpoise_overlay"
_CONFIG: Final = """<clickhouse>
 <users_config>{folder}/users.xml</users_config>
 <default_database>{overlay}</default_database>
 <display_name>counterpoise</display_name>
 <max_server_memory_usage>{memory}</max_server_memory_usage>
 <storage_configuration><disks><default>
  <keep_free_space_bytes>{kept_free}</keep_free_space_bytes>
 </default></disks></storage_configuration>
 <backups><allowed_path>{backups}</allowed_path></backups>{pauses}
</clickhouse>
"""
# Each table looks for merges, moves and streams by itself, every half second at first: a thousand times a second in an idle
# dataset or two. An insert still wakes it at once, so the pause is only that between looks that found nothing.
_PAUSE_SECONDS: Final = 10
_PAUSES: Final = "".join(
    f"\n <{name}>{_PAUSE_SECONDS}</{name}>"
    for pool in ("", "move_", "streaming_")
    for name in (f"background_{pool}processing_pool_thread_sleep_seconds_if_nothing_to_do",)
)
# No expression is compiled to machine code: over 120,000 blocks it saves nothing, and without it all views take a sixth less.
# FINAL merges the parts of a range in one stream: laying a range out for several threads costs more CPU time than it shares.
_USERS: Final = f"""<clickhouse>
 <profiles><default>
  <compile_expressions>0</compile_expressions>
  <compile_aggregate_expressions>0</compile_aggregate_expressions>
  <compile_sort_description>0</compile_sort_description>
  <split_intersecting_parts_ranges_into_layers_final>0</split_intersecting_parts_ranges_into_layers_final>
 </default></profiles>
 <quotas><default/></quotas>
 <roles>
  <{OWNER_ROLE}><grants><query>GRANT ALL ON *.* WITH GRANT OPTION</query></grants></{OWNER_ROLE}>
  <{READER_ROLE}><grants>
   <query>GRANT SELECT ON *.*</query><query>GRANT SHOW ON *.*</query>
  </grants></{READER_ROLE}>
 </roles>
 <users><default>
  <password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
  <grants><query>GRANT {OWNER_ROLE}, {READER_ROLE}</query></grants>
 </default></users>
</clickhouse>
"""

_Bytes: TypeAlias = bytes  # the name `bytes` is a method below


class Result(Protocol):
    """An answer, or a part of one."""

    def bytes(self) -> _Bytes: ...
    def rows_read(self) -> int: ...
    def rows_written(self) -> int: ...
    def bytes_written(self) -> int: ...


class EngineConnection(Protocol):
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


def _within(value: str | None, limit: int) -> bool:
    """Whether a setting asks for no more than the limit; 0 is "without limit"."""
    try:
        return value is not None and 0 < float(value) <= limit
    except ValueError:
        return False  # the engine refused it already, or will


_INNER: Final = "'system', 'information_schema', 'INFORMATION_SCHEMA'"
_ALLOWED_ENGINES: Final = ", ".join(map(quote_string, sorted(reader_rules.TABLE_ENGINES)))
_OUTSIDE: Final = f"""
    SELECT 'database', name FROM system.databases
    WHERE engine NOT IN ({", ".join(map(quote_string, sorted(reader_rules.DATABASE_ENGINES)))})
    UNION ALL
    SELECT 'table', name FROM system.tables
    WHERE database NOT IN ({_INNER}) AND (engine NOT IN ({_ALLOWED_ENGINES})
        -- A view with the rights of who made it, or with all of them, would lend them to readers.
        OR (engine = 'View' AND match(create_table_query, 'SQL SECURITY (DEFINER|NONE)')))
"""  # noqa: S608 - our own names


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
    with os.fdopen(os.open(status, os.O_RDWR | os.O_NOFOLLOW), "rb+") as file:
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

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self.path = path
        self.limits = limits or Limits()
        self.backups = path.with_name(path.name + "-backups").absolute()
        self.turns = Turns(self.limits.reader_statements)
        self.temporary_budget = Budget(self.limits.all_temporary_bytes)
        # A server zone other than the clients' makes every DateTime column slow to read.
        os.environ["TZ"] = "UTC"
        # The engine counts what statements hold, not what its allocator keeps of what they gave back: 2 GiB more, under load.
        os.environ.setdefault(*_ALLOCATOR)
        chdb = _chdb()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_if_locked(path)
            self._connect: Callable[[str], EngineConnection] = chdb.connect
            self._admin: EngineConnection = self._start()
        except OSError as error:
            raise EngineError(f"The ClickHouse data directory {path} cannot be used: {error.strerror}.") from error
        except RuntimeError as error:
            raise EngineError(f"ClickHouse cannot start on {path}: {from_engine(error)}") from error
        self.insert_heads: dict[str, InsertHead] = {}  # as the engine writes them, by the client's text
        self.parsed = Remembered(entries=2_000, chars=16_000_000)
        self.described = Remembered(entries=500, chars=4_000_000)
        self._admin_lock = threading.Lock()
        self._running_lock = threading.Lock()
        self._killed: set[str] = set()
        self._running: dict[str, tuple[str, str]] = {}  # the client's query id to its user and session
        self._outside: tuple[frozenset[str], frozenset[str]] | None = None
        self._changes = 0  # statements that run and may change names
        self._changed = 0  # those that ran
        self.version = tuple(int(part) for part in self._value("SELECT version()").split(".")[:3])
        self.timezone = self._value("SELECT timezone()")
        self.settings = dict(self._rows("SELECT name, value FROM system.settings"))
        # What a table may be made with that copies the columns of one that is there: any type, and Nested as it is.
        suspicious = [name for name in sorted(self.settings) if re.fullmatch("allow_suspicious_.*_types", name)]
        self.any_type = "SETTINGS flatten_nested = 0" + "".join(f", {name} = 1" for name in suspicious)
        self.output_formats = self._names("SELECT name FROM system.formats WHERE is_output")
        self._functions = self._names("SELECT lower(name) FROM system.functions WHERE origin = 'System'")
        self._table_functions = self._names("SELECT lower(name) FROM system.table_functions")
        self._system_tables = self._names("SELECT name FROM system.tables WHERE database = 'system'")

    def _start(self) -> EngineConnection:
        """The first connection starts the engine. It reads its configuration once, from files that are gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="clickhouse-config-") as folder:
            self._lay_out_default()
            config = Path(folder) / "config.xml"
            config.write_text(
                _CONFIG.format(
                    folder=folder,
                    overlay=_OVERLAY,
                    memory=self.limits.statements_memory_bytes,
                    kept_free=KEPT_FREE_BYTES,
                    backups=self.backups,
                    pauses=_PAUSES,
                )
            )
            (Path(folder) / "users.xml").write_text(_USERS)
            return self._connect(f"{self.path}?config-file={config}")

    def _lay_out_default(self) -> None:
        """Make `default` an Atomic database, with the tables that an older version laid into the overlay of that name.

        Its link goes at each start, because the overlay takes the id that it finds there; the engine makes it again.
        """
        metadata = self.path / "metadata"
        link, declared = metadata / "default", metadata / "default.sql"
        if not declared.exists():
            metadata.mkdir(mode=0o700, exist_ok=True)
            identity = uuid.UUID(link.readlink().name) if link.is_symlink() else uuid.uuid4()
            part = metadata / "default.sql.part"
            part.write_text(f"ATTACH DATABASE _ UUID '{identity}'\nENGINE = Atomic\n")
            part.replace(declared)
        if link.is_symlink():
            link.unlink()

    def _rows(self, sql: str) -> list[list[str]]:
        with self._admin_lock:
            answer = self._admin.query(sql, "JSONCompact").bytes()
        rows: list[list[str]] = json.loads(answer)["data"]
        return rows

    def _names(self, sql: str) -> frozenset[str]:
        return frozenset(row[0] for row in self._rows(sql))

    def reader_limits(self, own: Mapping[str, str]) -> dict[str, str]:
        """The settings of a reader's statement: its own, within what a reader may take."""
        most = {
            "max_memory_usage": self.limits.reader_memory_bytes,
            "max_execution_time": self.limits.reader_seconds,
            "max_result_bytes": self.limits.reader_result_bytes,
        }
        within = {name: str(limit) for name, limit in most.items() if not _within(own.get(name), limit)}
        return {"timeout_overflow_mode": "throw", **own, **within}

    @contextmanager
    def changing_names(self) -> Iterator[None]:
        """Around a statement that may make, change or drop a table or a database: nothing is remembered meanwhile."""
        with self._admin_lock:
            self._changes += 1
        try:
            yield
        finally:
            with self._admin_lock:
                self._changes -= 1
                self._changed += 1
                self._outside = None

    def names_stand(self) -> int | None:
        """A number that stays while no statement runs, or ran, that may make, change or drop a table; None while one runs."""
        with self._admin_lock:
            return None if self._changes else self._changed

    def catalogue(self, database: str) -> KnownNames:
        """What names mean now, in a session whose database is `database`."""
        with self._admin_lock:
            outside = self._outside
            if outside is None:
                try:
                    outside = self._look_outside(self._admin)
                except RuntimeError as error:
                    raise from_engine(error) from None
            self._outside = None if self._changes else outside
        databases, tables = outside
        return KnownNames(
            database=database,
            functions=self._functions | self._user_defined(),
            outside_databases=databases,
            outside_tables=tables,
            system_tables=self._system_tables,
            table_functions=self._table_functions,
        )

    def _look_outside(self, connection: EngineConnection) -> tuple[frozenset[str], frozenset[str]]:
        """Databases and tables whose engine is not for readers, and the views that mention one."""
        found = json.loads(connection.query(_OUTSIDE, "JSONCompact").bytes())["data"]
        databases = {name for kind, name in found if kind == "database"}
        names = {name for _, name in found}
        while more := self._mentions(connection, names):
            names |= more
        return frozenset(databases), frozenset(names - databases)

    @staticmethod
    def _mentions(connection: EngineConnection, names: set[str]) -> set[str]:
        """The views in whose text one of these names stands, and that are not among them."""
        sql = (
            "SELECT DISTINCT name FROM system.tables WHERE engine LIKE '%View%' AND name NOT IN {names:Array(String)}"
            " AND multiSearchAny(create_table_query, {names:Array(String)})"
        )
        listed = "[" + ", ".join(map(quote_string, sorted(names))) + "]"
        answer = connection.query(sql, "JSONCompact", params={"names": escape_parameter(listed)}).bytes()
        return {row[0] for row in json.loads(answer)["data"]}

    def _user_defined(self) -> set[str]:
        """Functions that were created in SQL, from the files where the engine keeps them (its own table takes 45 ms)."""
        files = (self.path / "user_defined").glob("function_*.sql")
        return {unquote(file.stem.removeprefix("function_")).lower() for file in files}

    def _value(self, sql: str) -> str:
        with self._admin_lock:
            answer: bytes = self._admin.query(sql, "TSVRaw").bytes()
        return answer.decode().rstrip("\n")

    def connect(self) -> EngineConnection:
        """A new session of the engine."""
        return self._connect(str(self.path))

    @contextmanager
    def running(self, query_id: str, user: str, identity: str) -> Iterator[None]:
        """Remember whose session runs the statement with the client's `query_id`, for the length of the block."""
        if not query_id:
            yield
            return
        with self._running_lock:
            self._running[query_id] = (user, identity)
        try:
            yield
        finally:
            with self._running_lock:
                if self._running.get(query_id) == (user, identity):
                    del self._running[query_id]
                self._killed.discard(query_id)

    def refuse_killed(self, query_id: str) -> None:
        """Raise 394 for a statement that was killed while it was prepared, when nothing of it ran yet."""
        with self._running_lock:
            if query_id in self._killed:
                raise ServerError(QUERY_WAS_CANCELLED, "Query was cancelled.")

    def processes(self) -> str:
        """`system.processes` with the query ids and users of clients, as a query: the engine lists only its own."""
        with self._running_lock:
            running = {identity: (query_id, user) for query_id, (user, identity) in self._running.items()}
        if not running:
            return "SELECT * FROM system.processes"
        columns = []
        for number, name in enumerate(("query_id", "user")):
            sessions, values = (
                "[" + ", ".join(map(quote_string, texts)) + "]"
                for texts in (list(running), [both[number] for both in running.values()])
            )
            columns.append(
                f"transform(splitByChar(' ', Settings['log_comment'])[1], {sessions}, {values}, {name}) AS {name}"
            )
        return f"SELECT * REPLACE ({', '.join(columns)}) FROM system.processes"  # noqa: S608 - quoted

    def kill_by_id(self, query_id: str, user: str | None) -> str | None:
        """Stop the statement with that id, if it runs and is `user`'s (None: anybody's); the name of its user."""
        with self._running_lock:
            found = self._running.get(query_id)
            if found is None or user not in (None, found[0]):
                return None
            self._killed.add(query_id)
        self.kill(found[1])
        return found[0]

    def runs(self, query_id: str) -> bool:
        """Whether a statement with that id, which its client gave, runs."""
        with self._running_lock:
            return query_id in self._running

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
