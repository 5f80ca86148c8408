"""One session of the engine: its user, its settings and the statement that it runs."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Final, NamedTuple

from engines.clickhouse import reader_rules, statement_routing
from engines.clickhouse.auth import User
from engines.clickhouse.client_tables import ClientTables, refuse_larger_external
from engines.clickhouse.described_column import Described
from engines.clickhouse.engine import OWNER_ROLE, READER_ROLE, Engine, EngineConnection, Result
from engines.clickhouse.exceptions import ServerError, from_engine
from engines.clickhouse.external import ExternalTable
from engines.clickhouse.parser import Parser
from engines.clickhouse.running import Inserter, Stream, refuse_bytes
from engines.clickhouse.statement_routing import quote_identifier, quote_string

# What a ClickHouse server does and the engine as a library does not: synchronous inserts, no bare expressions as queries.
DEFAULTS: Final = {"async_insert": "0", "implicit_select": "0"}
# Settings that would make the engine write to this process's own streams.
IGNORED: Final = frozenset({"send_logs_level"})

_TABLE_NAME: Final = re.compile(r"(?:(?:\w+|`(?:[^`\\]|\\.)+`)\.)?(?:\w+|`(?:[^`\\]|\\.)+`)", re.ASCII)

_NOTHING: Final[Mapping[str, str]] = {}
_numbers = itertools.count(1)


class Setting(NamedTuple):
    value: str
    important: bool = False


class Session:
    """What one client has open: its user, database and settings. Not shared between threads, `interrupt` excepted.

    For `default` it is one session of the engine. A reader has a fresh session of the engine for each statement, because
    the engine has no way back from readonly: what a reader keeps (database, settings, parameters, external tables) is
    kept here and set before that session is sealed.
    """

    def __init__(self, engine: Engine, user: User, database: str = "") -> None:
        self.engine = engine
        self.user = user
        self.identity = f"session-{next(_numbers)}"
        self.progress: dict[str, int] = {}
        self.database = ""
        self._left_temporary_tables = False  # or may have
        self.reads_only = False  # the next statement came with the setting readonly
        self.has_own_settings = False  # a SET of the client's was run
        self.query_id = ""  # the client's, of the statement that runs
        self.tables = ClientTables(engine.limits, engine.temporary_budget)
        self.parameters: dict[str, str] = {}  # of a reader: what SET param_… said
        self._kept: dict[str, str] = {}  # of a reader: what SET said
        self._query_settings: dict[str, str] = {}
        self._session_settings: dict[str, str] = {}
        self._statement_settings: dict[str, str] = {}  # of a reader: the SETTINGS of its statement
        self._sealed = False
        self._open: EngineConnection | None = None
        self.parser = Parser(lambda: self._connection, self.progress.clear, engine.parsed, self._own_settings)
        if user.readonly:
            if database:
                with self.statement():
                    self.use(database)
            return
        self._open = self._connect()
        try:
            if database:
                self.use(database)
        except BaseException:
            self._open.close()
            raise

    def _connect(self) -> EngineConnection:
        connection = self.engine.connect()
        try:
            connection.set_progress_callback(self.progress.update)
            _run(connection, _settings_clause({**DEFAULTS, "log_comment": self.identity}))
        except BaseException:
            connection.close()
            raise
        return connection

    def _own_settings(self) -> Hashable | None:
        """What the engine's session has set when a statement is parsed or a table described; None after a SET of the client's.

        For a reader that is a fresh session, before its settings are set.
        """
        if self.has_own_settings:
            return None
        if self.user.readonly:
            return ()
        return tuple(sorted((name, value) for name, value in self._query_settings.items() if name != "log_comment"))

    @property
    def _connection(self) -> EngineConnection:
        if self._open is None:
            raise ServerError(1001, "A reader's statement was run outside of its session.")
        return self._open

    @property
    def has_temporary_tables(self) -> bool:
        """Whether a statement may speak of a table that only this session sees: one of its client's, or one that came with it."""
        return self._left_temporary_tables or bool(self.tables.names)

    @property
    def may_write(self) -> bool:
        return not (self.user.readonly or self.reads_only)

    def close(self) -> None:
        self.tables.drop_all()
        self._close_open()

    def _close_open(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def interrupt(self) -> None:
        """Stop the running statement from another thread; it ends with QUERY_WAS_CANCELLED (394)."""
        self.engine.kill(self.identity)

    # ---- what a reader's statement runs in

    @contextmanager
    def statement(self) -> Iterator[None]:
        """For the length of the block, the external tables that came along; for a reader, a fresh engine session.

        `sealed` closes a reader's to all but reading.
        """
        if not self.user.readonly:
            try:
                self.tables.make_external(self)
                yield
            finally:
                self._left_temporary_tables |= not self.tables.drop_external(self)
            return
        self._statement_settings = {}
        try:
            self.renew()
            yield
        finally:
            self.tables.external = []
            self._close_open()

    def renew(self) -> None:
        """Give a reader a fresh engine session, with its database and the tables that it brings; temporary ones have no rows yet."""
        self._close_open()
        self._open = self._connect()
        if self.database:
            self.query(f"USE {quote_identifier(self.database)}")
        if self.has_temporary_tables:
            self._set(self.engine.reader_limits({}))  # a small Parquet file can hold a large table
            self.tables.make_external(self)
            self.tables.make_kept(self)

    def add_external(self, table: ExternalTable) -> None:
        self.tables.add_external(table, is_reader=self.user.readonly)

    def refuse_larger_external(self, size_bytes: int) -> None:
        """Raise 117 for external tables of a reader's that are this large together."""
        if self.user.readonly:
            refuse_larger_external(size_bytes)

    @contextmanager
    def sealed(self, more: Mapping[str, str] = _NOTHING) -> Iterator[None]:
        """For the length of the block the session has the reader's rights; a reader's has the engine's readonly=1, too.

        A reader's settings come just before: what judges a statement runs without them. `more` are set over them.
        """
        if self.user.readonly:
            own = {**self._kept, **self._query_settings, **self._statement_settings}
            self._set({**self.engine.reader_limits(own), **more})
            self.query(f"SET ROLE {READER_ROLE}")
            self._set({"readonly": "1"})
            self.progress.clear()
            yield  # there is no way back, and the session ends with the statement
            return
        self.query(f"SET ROLE {READER_ROLE}")
        self._sealed = True
        self.progress.clear()
        try:
            yield
        finally:
            self._sealed = False
            self.query(f"SET ROLE {OWNER_ROLE}")

    def allow(self, name: str, value: str, *, keep: bool = False) -> None:
        """Set a setting for a reader's statement, or `keep` it for all that follow; READONLY (164) for others."""
        if name in IGNORED or (name == "readonly" and value == "1"):
            return
        if name not in reader_rules.SETTINGS:
            if name != "readonly" and self.engine.settings.get(name) == value:
                return  # nothing changes
            raise ServerError(164, f"Cannot modify '{name}' setting in readonly mode.")
        if self.user.readonly:
            self._set({name: value})  # the engine judges the value; a later statement has another session
            (self._kept if keep else self._statement_settings)[name] = value
        elif keep:
            self._set({name: value})
        else:
            self.apply({**{key: Setting(old) for key, old in self._query_settings.items()}, name: Setting(value)})

    def wants_extremes(self, sql: str) -> bool:
        """Whether the setting `extremes` is on, by the statement, its settings or the session."""
        named = {**self._kept, **self._query_settings, **self._statement_settings}
        if "extremes" in named:
            return named["extremes"].lower() not in ("0", "false", "")
        if self.user.readonly:
            return False
        if "extremes" in sql.lower():
            return True  # by its SETTINGS, or in vain: the extra run tells
        if not self.has_own_settings:
            return False
        answer = self.query("SELECT getSetting('extremes')", "TSVRaw").bytes()
        self.progress.clear()
        return answer.strip() not in (b"0", b"false")

    def catalogue(self) -> reader_rules.KnownNames:
        """What names mean in the engine, for a judgement of a reader's statement."""
        return replace(self.engine.catalogue(self.database or "default"), temporary_tables=self.tables.names)

    # ---- settings

    def use(self, database: str) -> None:
        if self._open is None:
            with self.statement():
                return self.use(database)
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
            elif name in self.engine.settings:
                wanted[name] = setting.value
            elif setting.important:
                raise ServerError(115, f"Unknown setting '{name}'.")
        if self.user.readonly:
            self._query_settings = self._allowed(wanted)
            return
        restored = {name: None for name in self._query_settings if name not in wanted}
        changed = {name: value for name, value in wanted.items() if self._query_settings.get(name) != value}
        if restored:
            self._restore(restored)
        if changed:
            self._remember(changed)
            self._set(changed)
        self._query_settings = wanted

    def _allowed(self, wanted: Mapping[str, str]) -> dict[str, str]:
        allowed = {}
        for name, value in wanted.items():
            if name in reader_rules.SETTINGS or name == "log_comment":
                allowed[name] = value
            elif self.engine.settings[name] != value:
                raise ServerError(164, f"Cannot modify '{name}' setting in readonly mode.")
        return allowed

    def _apply_readonly(self, value: str) -> None:
        # The engine has no way back from readonly, which must end with the statement: `prepared` sees to it.
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
        self.query(_settings_clause(values))

    def check_format(self, name: str | None) -> None:
        """Raise 73 for an output format that the engine does not have, 164 for one that takes a schema from elsewhere."""
        if name is None:
            return
        if name in reader_rules.FORMATS_REFUSED:
            raise reader_rules.refused(f"the format {name}")
        if name not in self.engine.output_formats:
            raise ServerError(73, f"Unknown format {name}.")

    def refuse_empty(self, sql: str) -> None:
        if all(token.text == ";" for token in statement_routing.tokens(sql)):
            raise ServerError(62, "Syntax error: Empty query.")

    # ---- statements

    def query(self, sql: str, output_format: str = "Native", parameters: Mapping[str, str] | None = None) -> Result:
        """Run any statement to its end; the whole answer stays in memory."""
        refuse_bytes(sql, parameters or {})
        try:
            return self._connection.query(sql, output_format, params=parameters or {})
        except RuntimeError as error:
            raise from_engine(error) from None

    def foresee(self, word: str, sql: str) -> None:
        """Before a statement of the client's that does not only read: one that fails may have changed the session all the same."""
        if word == "SET":
            self.has_own_settings = True
        elif word not in ("INSERT", "USE"):
            self._left_temporary_tables |= "TEMPORARY" in sql.upper()

    def note(self, word: str) -> None:
        """Remember the session's database after a statement of the client's that changed it."""
        if word == "USE":
            self.database = self.query("SELECT currentDatabase()", "TSVRaw").bytes().decode().rstrip("\n")

    def stream(self, sql: str, parameters: Mapping[str, str], output_format: str = "Native") -> Stream:
        return Stream(self._connection, sql, parameters, output_format)

    def insert(self, sql: str, data_format: str) -> Inserter:
        return Inserter(self._connection, sql, data_format)

    def classify(self, sql: str) -> str:
        """READ_ONLY, MUTATING, MUTATING_GLOBAL, CONTROL or UNKNOWN (does not parse). None or several raise 62."""
        self.refuse_empty(sql)
        found = self._connection.classify_query(sql)
        if found["statement_count"] > 1:
            raise ServerError(62, "Syntax error: multi-statements are not allowed.")
        return str(found["query_class"].name)

    def describe(self, target: str, parameters: Mapping[str, str] | None = None) -> list[Described]:
        """The columns of a table, a table function, or a query in brackets."""
        return _described(self._describe(target, parameters))

    def _describe(self, target: str, parameters: Mapping[str, str] | None = None) -> str:
        return self.query(f"DESCRIBE TABLE {target}\n", "JSONCompact", parameters).bytes().decode()

    def describe_target(self, target: str) -> list[Described]:
        """The columns of what an INSERT names. Those of a table are kept until a statement may have changed one."""
        settings, names = self._own_settings(), self.engine.names_stand()
        # The temporary tables are the session's alone, and what a function describes may change without a statement of ours.
        if settings is None or names is None or self.has_temporary_tables or not _TABLE_NAME.fullmatch(target):
            return self.describe(target)
        key = (target, self.database, settings, names)
        if (known := self.engine.described.get(key)) is None:
            known = self._describe(target)
            if self.engine.names_stand() == names:
                self.engine.described.put(key, known, key_chars=len(target))
        return _described(known)

    def describe_query(self, text: str, parameters: Mapping[str, str]) -> list[Described]:
        """The columns of a SELECT that was prepared."""
        tree = self.parser.parse(text)
        if tree is None:
            raise ServerError(48, "The columns of this statement cannot be described.")
        return self.describe(f"({self.parser.write(tree)})", parameters)

    def describe_beside(self, text: str, parameters: Mapping[str, str]) -> list[Described] | None:
        """The columns of a SELECT that is running, `text` as it was prepared; None if only this session could list them.

        A second statement would end the running one, so a sibling with the same user, rights and settings is asked; it
        does not see this session's temporary tables.
        """
        sibling = Session(self.engine, self.user, self.database)
        try:
            sibling._kept = {**self._kept, **self._statement_settings}
            settings = {name: value for name, value in self._query_settings.items() if name != "log_comment"}
            sibling.apply({name: Setting(value) for name, value in settings.items()})
            sealing = self.user.readonly or self._sealed
            with sibling.statement(), sibling.sealed() if sealing else nullcontext():
                return sibling.describe_query(text, parameters)
        except ServerError:
            return None
        finally:
            sibling.close()


def _described(answer: str) -> list[Described]:
    return [Described(*row[:4]) for row in json.loads(answer)["data"]]


def _settings_clause(values: Mapping[str, str]) -> str:
    return "SET " + ", ".join(f"{name} = {quote_string(value)}" for name, value in values.items())


def _run(connection: EngineConnection, sql: str) -> None:
    try:
        connection.query(sql, "Null")
    except RuntimeError as error:
        raise from_engine(error) from None
