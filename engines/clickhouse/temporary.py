"""A reader's statements about its temporary tables: CREATE, INSERT, TRUNCATE and DROP.

Only names, types and values come from the client. What computes (a SELECT behind CREATE or INSERT) is judged as any
statement of a reader, and runs in a session that is sealed with readonly=1; the rows are read back from there and kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from typing import Final, NamedTuple

from engines.clickhouse import reader_rules, statement_routing
from engines.clickhouse.client_limits import TOO_MANY_BYTES
from engines.clickhouse.client_tables import TemporaryTable
from engines.clickhouse.described_column import Described
from engines.clickhouse.engine_session import Session
from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.external import plain_columns
from engines.clickhouse.insert import Feed, Written
from engines.clickhouse.insert_head import InsertHead
from engines.clickhouse.reader_rules import SELECTS, Tree, cut_output, judge, refused
from engines.clickhouse.statement_routing import quote_identifier

KINDS: Final = frozenset({"CreateQuery", "InsertQuery", "DropQuery"})
Write = Callable[[Mapping[str, str]], Written]

_NEW: Final = "_counterpoise_new"  # where rows are computed before they are kept
_UNKNOWN_TABLE: Final = 60
_ALREADY_EXISTS: Final = 57
_SUPPORT_IS_DISABLED: Final = 344

# Values, brackets, commas. No name: nothing in it can be called.
_LITERALS = re.compile(
    rb"""(?>\s+ | [(),\[\]{}:;] | '(?>[^'\\]+|\\.|'')*+'
      | [+-]?(?>0x[0-9a-fA-F]+|[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+)(?![\w.])
      | [+-]?(?i:null|true|false|nan|inf|infinity)\b)*+""",
    re.VERBOSE | re.DOTALL,
)
# The second lock on the data of Values: the engine reads literals only. Both settings are needed.
_READ_LITERALS: Final = {
    "input_format_values_interpret_expressions": "0",
    "input_format_values_deduce_templates_of_expressions": "0",
}
# These would cut off the rows that are read back.
_UNCUT: Final = {"max_result_rows": "0", "max_result_bytes": "0", "result_overflow_mode": "throw", "extremes": "0"}

# What a tree of each kind may have, beside flags that are false. Anything else is refused.
_CREATE_KEYS: Final = frozenset(
    (
        *("type", "table", "table_ast", "is_temporary", "if_not_exists", "is_create_empty", "columns_list", "storage"),
        *("select", "replace_table", "create_or_replace"),
    )
)
_INSERT_KEYS: Final = frozenset({"type", "table", "columns", "format", "select", "settings_ast"})
_DROP_KEYS: Final = frozenset({"type", "table", "table_ast", "kind", "if_exists", "sync", "is_temporary"})
_MEMORY: Final[Tree] = {
    "type": "Storage",
    "engine": {"type": "Function", "name": "Memory", "no_empty_args": True, "kind": "TABLE_ENGINE"},
}


class _Target(NamedTuple):
    table: TemporaryTable
    columns: list[str]


def writing(session: Session, tree: Tree) -> Write:
    """What a statement of one of the KINDS does, to be called with the statement's parameters.

    Raises READONLY (164), now or then, for all that is not about a temporary table of this session.
    """
    if tree["type"] == "CreateQuery":
        return _create(session, tree)
    if tree["type"] == "DropQuery":
        return _drop(session, tree)
    target = _target(session, tree)
    if "select" not in tree:
        raise ServerError(62, "Syntax error: an INSERT without data.")
    return partial(_insert_select, session, target, _cut(session, tree["select"]))


def insert(session: Session, head: InsertHead, data_format: str, feed: Feed) -> Written:
    """INSERT whose rows come after the statement. The caller has ruled out a request that may only read."""
    if data_format != "Values" and data_format not in reader_rules.DATA_FORMATS:
        raise ServerError(73, f"The format {data_format} is not for the data of temporary tables.")
    statement = head.statement
    statement_routing.refuse_unreadable(statement)
    if len(statement) > reader_rules.MAX_SQL_CHARS:
        raise ServerError(62, f"Syntax error: a statement of more than {reader_rules.MAX_SQL_CHARS} characters.")
    with session.engine.running(session.query_id, session.user.name, session.identity), session.statement():
        tree = session.parser.parse(statement)
        if tree is None or tree["type"] != "InsertQuery" or "select" in tree:
            raise refused("an INSERT of this shape")
        target = _target(session, tree)
        known = {column.name: column for column in target.table.columns}
        with session.engine.turns.one(), _sealed(session, target.table):
            session.engine.refuse_killed(session.query_id)
            listed = ", ".join(map(quote_identifier, target.columns))
            with closing(session.insert(f"INSERT INTO {_NEW} ({listed})", data_format)) as inserter:
                data = _Data(inserter.append, session.engine.limits.temporary_bytes, literal=data_format == "Values")
                if not feed(data.append, [known[name] for name in target.columns]):
                    return Written(0, 0)
                data.finish()
                inserter.finish()
            return _keep_new(session, target.table)


# ---- CREATE and DROP


def _refuse_more(tree: Tree, keys: frozenset[str]) -> None:
    for key, value in tree.items():
        if key not in keys and value not in (False, "", None):
            raise refused(f"a statement about tables with {key}")


def _create(session: Session, tree: Tree) -> Write:
    _refuse_more(tree, _CREATE_KEYS)
    name = tree["table"]
    if not tree.get("is_temporary") or tree["table_ast"] != {"type": "Identifier", "name": name} or name == _NEW:
        raise refused("CREATE of anything but a temporary table")
    if tree.get("storage", _MEMORY) != _MEMORY:
        raise refused("a temporary table of another engine than Memory")
    replace = bool(tree.get("create_or_replace") or tree.get("replace_table"))
    if name in session.tables.names and not replace:
        if tree.get("if_not_exists"):
            return _nothing
        raise ServerError(_ALREADY_EXISTS, f"Temporary table {name} already exists.")
    select = _cut(session, tree["select"]) if "select" in tree else None
    if select is None and "columns_list" not in tree:
        raise ServerError(62, "Syntax error: a temporary table has columns or a SELECT.")
    text = session.parser.write(_plain(tree)) if "columns_list" in tree else None

    def write(parameters: Mapping[str, str]) -> Written:
        creation = text or _like(session, name, select or {}, parameters)
        if replace:
            session.query(f"DROP TEMPORARY TABLE IF EXISTS {quote_identifier(name)}")
        session.query(creation)
        table = TemporaryTable(name, creation, session.describe(quote_identifier(name)))
        if select is None or tree.get("is_create_empty"):
            session.tables.keep(table, replace=replace)
            return Written(0, 0)
        session.renew()  # the SELECT of a replacement may read the old table
        target = _Target(table, [column.name for column in table.columns])
        pieces, rows = _selected(session, target, select, parameters)
        table.pieces, table.rows = pieces, rows
        session.tables.keep(table, replace=replace)
        return Written(rows, table.size)

    return write


def _nothing(_parameters: Mapping[str, str]) -> Written:
    return Written(0, 0)


def _plain(tree: Tree) -> Tree:
    """A CREATE with nothing but names and types of columns."""
    name = tree["table"]
    plain = {"type": "CreateQuery", "is_temporary": True, "table": name, "table_ast": tree["table_ast"]}
    plain |= {"columns_list": tree["columns_list"], "storage": _MEMORY}
    plain_columns(plain, name)
    return plain


def _like(session: Session, name: str, select: Tree, parameters: Mapping[str, str]) -> str:
    """The CREATE of a table with the columns of a SELECT."""
    text, again = session.parser.rewrite(select)
    judge(again, session.catalogue())
    session.tables.fill(session, again)
    with session.sealed():
        columns = session.describe(f"({text})", parameters)
    session.renew()
    tree = session.parser.parse(f"CREATE TEMPORARY TABLE {quote_identifier(name)} ({_declared(columns)})")
    if tree is None:
        raise refused("a table of such columns")
    return session.parser.write(_plain(tree))


def _declared(columns: list[Described]) -> str:
    return ", ".join(f"{quote_identifier(column.name)} {column.type}" for column in columns)


def _drop(session: Session, tree: Tree) -> Write:
    _refuse_more(tree, _DROP_KEYS)
    name, kind = tree["table"], tree.get("kind")
    if kind not in ("Drop", "Truncate") or tree.get("table_ast") != {"type": "Identifier", "name": name}:
        raise refused("to drop anything but a temporary table")
    if session.tables.kept(name) is None:
        if not tree.get("is_temporary"):
            raise refused(f"to drop {name}, which is no temporary table of this session,")
        if not tree.get("if_exists"):
            raise ServerError(_UNKNOWN_TABLE, f"Temporary table {name} does not exist.")

    def write(_parameters: Mapping[str, str]) -> Written:
        if kind == "Drop":
            session.tables.drop(name)
        else:
            session.tables.empty(name)
        return Written(0, 0)

    return write


# ---- INSERT


def _target(session: Session, tree: Tree) -> _Target:
    """The table of an INSERT and the columns that it names, or all. Its SETTINGS are allowed, or refused."""
    if tree.keys() - _INSERT_KEYS or tree["table"].keys() != {"type", "name"}:
        raise refused("an INSERT into anything but a temporary table")
    name = tree["table"]["name"]
    table = session.tables.kept(name)
    if table is None:
        raise refused(f"an INSERT into {name}, which is no temporary table of this session,")
    _allow(session, reader_rules.changes_of(tree.get("settings_ast")))
    known = [column.name for column in table.columns]
    if "columns" not in tree:
        return _Target(table, known)
    named = tree["columns"]["children"]
    if any(column.keys() != {"type", "name"} or column["type"] != "Identifier" for column in named):
        raise ServerError(48, "An INSERT into a temporary table names its columns one by one.")
    names = [str(column["name"]) for column in named]
    for column in names:
        if column not in known:
            raise ServerError(16, f"No such column {column} in table {name}.")
    return _Target(table, names)


def _cut(session: Session, select: Tree) -> Tree:
    """A SELECT without FORMAT and SETTINGS; the settings are allowed, or refused."""
    if select["type"] not in SELECTS:
        raise refused("an INSERT of anything but a SELECT")
    cut, _, changes = cut_output(select)
    _allow(session, changes)
    return cut


def _allow(session: Session, changes: list[Tree]) -> None:
    for change in changes:
        session.allow(change["name"], reader_rules.value_of(change))


def _insert_select(session: Session, target: _Target, select: Tree, parameters: Mapping[str, str]) -> Written:
    pieces, rows = _selected(session, target, select, parameters)
    session.tables.extend(target.table, pieces, rows)
    return Written(rows, sum(map(len, pieces)))


def _selected(
    session: Session, target: _Target, select: Tree, parameters: Mapping[str, str]
) -> tuple[list[bytes], int]:
    """The rows of a SELECT in the types of the target's columns."""
    new: Tree = {"type": "Identifier", "name": _NEW}
    listed = [{"type": "Identifier", "name": name} for name in target.columns]
    columns: Tree = {"type": "ExpressionList", "children": listed}
    text, again = session.parser.rewrite({"type": "InsertQuery", "table": new, "columns": columns, "select": select})
    if again.keys() != {"type", "table", "columns", "select"} or again["table"] != new or again["columns"] != columns:
        raise refused("an INSERT that the engine writes in two ways")
    judge(again["select"], session.catalogue())
    session.tables.fill(session, again)
    with _sealed(session, target.table):
        session.query(text, "Null", parameters)
        return _read_new(session)


@contextmanager
def _sealed(session: Session, table: TemporaryTable) -> Iterator[None]:
    """A reader's sealed session with an empty table for new rows, in the columns of `table`."""
    session.query(f"CREATE TEMPORARY TABLE {_NEW} ({_declared(table.columns)}) ENGINE = Memory")
    with session.sealed({**_UNCUT, **_READ_LITERALS}):
        yield


def _read_new(session: Session) -> tuple[list[bytes], int]:
    limit = session.engine.limits.temporary_bytes
    pieces: list[bytes] = []
    size = 0
    with closing(session.stream(f"SELECT * FROM {_NEW}", {})) as stream:  # noqa: S608 - our own name
        while (piece := stream.fetch()) is not None:
            size += len(piece)
            if size > limit:
                raise ServerError(TOO_MANY_BYTES, f"Temporary tables of a session take {limit} bytes at most.")
            pieces.append(piece)
        return pieces, stream.rows


def _keep_new(session: Session, table: TemporaryTable) -> Written:
    pieces, rows = _read_new(session)
    session.tables.extend(table, pieces, rows)
    return Written(rows, sum(map(len, pieces)))


def holds_literals_only(values: bytes | bytearray) -> bool:
    """Whether the data of VALUES has no name outside of quotes, so that nothing in it can be called or read."""
    return _LITERALS.fullmatch(values) is not None


class _Data:
    """The data of an INSERT on their way to the engine. `literal`: they are the text of Values, and may hold literals only."""

    def __init__(self, append: Callable[[bytes], None], limit_bytes: int, *, literal: bool) -> None:
        self._append = append
        self._limit = limit_bytes
        self._literal = literal
        self._text = bytearray()
        self._size = 0

    def append(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            raise ServerError(TOO_MANY_BYTES, f"Temporary tables of a session take {self._limit} bytes at most.")
        if self._literal:
            self._text += data
        else:
            self._append(data)

    def finish(self) -> None:
        if self._literal:
            if not holds_literals_only(self._text):
                raise ServerError(
                    _SUPPORT_IS_DISABLED, "VALUES of a temporary table are literals: use INSERT … SELECT."
                )
            self._append(bytes(self._text))
