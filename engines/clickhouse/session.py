"""One session of the engine: its user, its settings and the statement that it runs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from engines.clickhouse import statements
from engines.clickhouse.auth import User
from engines.clickhouse.engine import Connection, Engine, Result
from engines.clickhouse.exceptions import ServerError, from_engine
from engines.clickhouse.statements import quote_identifier, quote_string

# What a ClickHouse server does and the engine as a library does not: synchronous inserts, no bare expressions as queries.
DEFAULTS: Final = {"async_insert": "0", "implicit_select": "0"}
# Settings that would make the engine write to this process's own streams.
IGNORED: Final = frozenset({"send_logs_level"})
_DEFINES: Final = frozenset({"CREATE", "ALTER", "ATTACH", "DETACH", "DROP", "RENAME", "EXCHANGE", "REPLACE", "UNDROP"})
_HEAD_CHARS: Final = 1024  # CREATE TEMPORARY stands at the start; to be wrong about it costs a query's description

_numbers = itertools.count(1)


class Setting(NamedTuple):
    value: str
    important: bool = False


class Described(NamedTuple):
    """A column as DESCRIBE TABLE lists it. `default_kind` is "", DEFAULT, MATERIALIZED, ALIAS or EPHEMERAL; `default` follows it."""

    name: str
    type: str
    default_kind: str
    default: str = ""


class Stream:
    """The blocks of a running SELECT, each in FORMAT Native. Always closed, even after an error."""

    def __init__(self, connection: Connection, sql: str, parameters: Mapping[str, str]) -> None:
        self._connection = connection
        try:
            self._stream = connection.send_query(sql, "Native", params=parameters)
        except RuntimeError as error:
            raise from_engine(error) from None
        self._open = True

    def fetch(self) -> bytes | None:
        """The next block, or None after the last."""
        try:
            chunk = self._connection.streaming_fetch_result(self._stream)
        except RuntimeError as error:
            self._open = False
            raise from_engine(error) from None
        if chunk is None or not chunk.rows_read():
            self._open = False
            return None
        return chunk.bytes()

    def close(self) -> None:
        if self._open:
            self._open = False
            self._connection.streaming_cancel_query(self._stream)


class Inserter:
    """A running INSERT: `append` data in its format, then `finish`. Without `finish`, `close` aborts it."""

    def __init__(self, connection: Connection, sql: str, data_format: str) -> None:
        self._connection = connection
        try:
            self._insert = connection.send_insert(sql, data_format)
        except RuntimeError as error:
            raise from_engine(error) from None
        self._open = True

    def append(self, data: bytes) -> None:
        try:
            self._connection.insert_append(self._insert, data)
        except RuntimeError as error:
            raise from_engine(error) from None

    def finish(self) -> Result:
        """Commit; returns only after the rows are in the table."""
        self._open = False
        try:
            return self._connection.insert_done(self._insert)
        except RuntimeError as error:
            raise from_engine(error) from None

    def close(self) -> None:
        if self._open:
            self._open = False
            self._connection.insert_cancel(self._insert)


class Session:
    """A session for one user; not shared between threads while a statement runs, `interrupt` excepted.

    A read-only session carries the engine's readonly=1 from its start: writes and settings changes are refused (164).
    """

    def __init__(self, engine: Engine, user: User, database: str = "") -> None:
        self.engine = engine
        self.user = user
        self.identity = f"session-{next(_numbers)}"
        self.progress: dict[str, int] = {}
        self.database = ""
        self.has_temporary_tables = False  # or had some
        self.reads_only = False  # the next statement came with the setting readonly
        self.has_own_settings = False  # a SET of the client's was run
        self._query_settings: dict[str, str] = {}
        self._session_settings: dict[str, str] = {}
        self._connection = engine.connect()
        try:
            self._connection.set_progress_callback(self.progress.update)
            self._set({**DEFAULTS, "log_comment": self.identity})
            if database:
                self.use(database)
            if user.readonly:
                self._set({"readonly": "1"})
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def interrupt(self) -> None:
        """Stop the running statement from another thread; it ends with QUERY_WAS_CANCELLED (394)."""
        self.engine.kill(self.identity)

    # ---- settings

    def use(self, database: str) -> None:
        self.query(f"USE {quote_identifier(database)}")
        self.database = database

    def apply(self, settings: Mapping[str, Setting]) -> None:
        """Make exactly these the settings of the next statement; those of the statement before go back to the session's.

        An unknown setting is passed over unless it is marked important (UNKNOWN_SETTING, 115).
        """
        wanted: dict[str, str] = {}
        self.reads_only = False
        for name, setting in settings.items():
            if name in IGNORED:
                continue
            if name == "readonly":
                self._apply_readonly(setting.value)
                continue
            if name == "log_comment":  # it also names the session, for `interrupt`
                wanted[name] = f"{self.identity} {setting.value}"
            elif name in self.engine.setting_names:
                wanted[name] = setting.value
            elif setting.important:
                raise ServerError(115, f"Unknown setting '{name}'.")
        restored = {name: None for name in self._query_settings if name not in wanted}
        changed = {name: value for name, value in wanted.items() if self._query_settings.get(name) != value}
        if restored:
            self._restore(restored)
        if changed:
            self._remember(changed)
            self._set(changed)
        self._query_settings = wanted

    def _apply_readonly(self, value: str) -> None:
        # The engine has no way back from readonly, which must end with the statement: `access.refuse` enforces it.
        if self.user.readonly and value != "1":
            raise ServerError(164, "Cannot modify 'readonly' setting in readonly mode.")
        self.reads_only = value != "0"

    def _remember(self, names: Mapping[str, object]) -> None:
        """Note what the session itself had set, so that it comes back after the statement."""
        fresh = [name for name in names if name not in self._query_settings]
        self._session_settings.update({name: DEFAULTS[name] for name in fresh if name in DEFAULTS})
        if "log_comment" in fresh:
            self._session_settings["log_comment"] = self.identity
        if not fresh or not self.has_own_settings:
            return
        listed = ", ".join(map(quote_string, fresh))
        sql = f"SELECT name, value FROM system.settings WHERE changed AND name IN ({listed})"  # noqa: S608 - quoted
        rows = json.loads(self.query(sql, "JSONCompact").bytes())["data"]
        self._session_settings.update(dict(rows))

    def _restore(self, names: Mapping[str, object]) -> None:
        clauses = []
        for name in names:
            self._query_settings.pop(name)
            old = self._session_settings.pop(name, None)
            clauses.append(f"{name} = DEFAULT" if old is None else f"{name} = {quote_string(old)}")
        self.query("SET " + ", ".join(clauses))

    def _set(self, values: Mapping[str, str]) -> None:
        self.query("SET " + ", ".join(f"{name} = {quote_string(value)}" for name, value in values.items()))

    # ---- statements

    def query(self, sql: str, output_format: str = "Native", parameters: Mapping[str, str] | None = None) -> Result:
        """Run any statement to its end; the whole answer stays in memory."""
        try:
            return self._connection.query(sql, output_format, params=parameters or {})
        except RuntimeError as error:
            raise from_engine(error) from None

    def note(self, word: str, sql: str) -> None:
        """Remember what a statement of the client's changed: the session's database or settings, or tables."""
        if word == "SET":
            self.has_own_settings = True
        elif word in _DEFINES:
            self.has_temporary_tables |= "TEMPORARY" in sql[:_HEAD_CHARS].upper()
        elif word == "USE":
            self.database = self.query("SELECT currentDatabase()", "TSVRaw").bytes().decode().rstrip("\n")

    def stream(self, sql: str, parameters: Mapping[str, str]) -> Stream:
        return Stream(self._connection, sql, parameters)

    def insert(self, sql: str, data_format: str) -> Inserter:
        return Inserter(self._connection, sql, data_format)

    def classify(self, sql: str) -> str:
        """READ_ONLY, MUTATING, MUTATING_GLOBAL, CONTROL or UNKNOWN (does not parse). None or several raise 62."""
        if all(token.text == ";" for token in statements.tokens(sql)):
            raise ServerError(62, "Syntax error: Empty query.")
        found = self._connection.classify_query(sql)
        if found["statement_count"] > 1:
            raise ServerError(62, "Syntax error: multi-statements are not allowed.")
        return str(found["query_class"].name)

    def formatted(self, sql: str) -> str | None:
        """The statement as the engine's parser writes it, on one line; None where it does not parse."""
        answer = self.query(f"SELECT formatQuerySingleLineOrNull({quote_string(sql)})", "JSONCompact")
        self.progress.clear()  # nothing of the client's was read
        found: str | None = json.loads(answer.bytes())["data"][0][0]
        return found

    def describe(self, target: str, parameters: Mapping[str, str] | None = None) -> list[Described]:
        """The columns of a table, a table function, or a query in brackets."""
        answer = self.query(f"DESCRIBE TABLE {target}\n", "JSONCompact", parameters)
        return [Described(*row[:4]) for row in json.loads(answer.bytes())["data"]]

    def describe_beside(self, sql: str, parameters: Mapping[str, str]) -> list[Described] | None:
        """The columns of a SELECT while this session is running it; None if only this session could list them.

        A second statement would end the running one, so a sibling with the same settings lists them; it does not see this
        session's temporary tables.
        """
        sibling = Session(self.engine, User(self.user.name, b"", readonly=False), self.database)
        try:
            sibling.apply({name: Setting(value) for name, value in self._query_settings.items()})
            return sibling.describe(f"({sql}\n)", parameters)
        except ServerError:
            return None
        finally:
            sibling.close()
