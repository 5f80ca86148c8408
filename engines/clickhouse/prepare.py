"""From a client's text to the text that runs: cut, written anew by the engine, judged, and then executed as it is.

No second parser decides here. The engine parses the statement into a tree (`parseQueryToJSON`), FORMAT and SETTINGS are
taken off the tree, the engine writes the rest (`formatQueryFromJSON`), and for a reader what it wrote is parsed again and
judged. Exactly that text runs, in the session that parsed it and in every session that describes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Final, NamedTuple

from engines.clickhouse import reader_rules, statement_routing, temporary
from engines.clickhouse.engine_session import Session
from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.reader_rules import SELECTS, Tree, cut_output, judge, refused
from engines.clickhouse.statement_routing import quote_string

_READ_WORDS: Final = frozenset({"SELECT", "WITH", "FROM", "EXPLAIN", "DESCRIBE", "DESC", "SHOW", "EXISTS"})
_CHANGES_NO_NAME: Final = _READ_WORDS | {"INSERT", "SET", "USE"}
_NAME: Final = r"(?:[A-Za-z_]\w*|`(?:[^`\\]|\\[`\\])*`)"
# Statements that the engine writes but makes no tree of. They hold names and patterns, and nothing to compute.
_NAMING = re.compile(
    r"(?:EXISTS (?:(?:TEMPORARY )?TABLE |VIEW |DICTIONARY |)|SHOW CREATE (?:(?:TEMPORARY )?TABLE|VIEW|DICTIONARY) )"
    rf"({_NAME})(?:\.({_NAME}))?",
    re.ASCII,
)
_NAMING_DATABASE = re.compile(rf"(?:EXISTS DATABASE|SHOW CREATE DATABASE) ({_NAME})", re.ASCII)
_PATTERN: Final = r"(?: (?:NOT )?I?LIKE '(?:[^'\\]|\\.)*')?"
_PLAIN = re.compile(rf"SHOW FUNCTIONS{_PATTERN}|SHOW ENGINES|SHOW SETTING \w+|SHOW GRANTS", re.ASCII)
_FORMAT_TAIL = re.compile(rf" FORMAT ({_NAME})$", re.ASCII)
_DESCRIBE: Final = "DESCRIBE TABLE "
_SELECT_FROM: Final = "SELECT * FROM "


class Prepared(NamedTuple):
    """`text` runs unchanged. `streams`: it is a SELECT, whose blocks can be sent as they are made. `word` is its first
    keyword. `format` is the one that the client's text named, if it did. `nothing`: there is nothing left to run.
    `adds`: the answer may have totals or extremes beside its rows. `write` is what runs instead of a text, for a reader's
    temporary tables.
    """

    text: str
    word: str
    streams: bool
    format: str | None
    reads: bool
    nothing: bool = False
    adds: bool = False
    write: temporary.Write | None = None


@contextmanager
def prepared(session: Session, sql: str, *, read_only: bool = False) -> Iterator[Prepared]:
    """The statement, ready to run in `session` for the length of the block.

    A reader gets a fresh engine session for it, which may only read; it may write to its own temporary tables. Of `default`,
    a statement that may only read (a GET request: `read_only`, or the setting readonly) is judged like a reader's and runs
    with the reader's rights.
    """
    statement_routing.refuse_unreadable(sql)
    identified = session.engine.running(session.query_id, session.user.name, session.identity)
    with identified, session.statement():
        if session.user.readonly or session.reads_only or read_only:
            may_keep = session.user.readonly and not (session.reads_only or read_only)
            ready = _for_reader(session, sql, may_keep=may_keep)
            if ready.write is not None:
                with session.engine.turns.one():
                    session.engine.refuse_killed(session.query_id)
                    yield ready
                return
            if not ready.nothing:
                with session.engine.turns.one() if session.user.readonly else nullcontext(), session.sealed():
                    session.engine.refuse_killed(session.query_id)
                    yield ready
                return
        else:
            ready = _for_owner(session, sql)
            session.engine.refuse_killed(session.query_id)
            if not ready.reads:
                session.foresee(ready.word, ready.text)
            if not ready.reads and ready.word not in _CHANGES_NO_NAME:
                with session.engine.changing_names():
                    yield ready
                return
        yield ready


# ---- default


def _for_owner(session: Session, sql: str) -> Prepared:
    word = statement_routing.first_word(sql)
    kind = session.classify(sql)
    if word == "KILL" and (killed := _kill(session, session.parser.parse(sql), None)):
        return killed
    if kind == "CONTROL" and word in _READ_WORDS:
        raise ServerError(48, "INTO OUTFILE is the client's to do; this server does not write result files.")
    text, output_format = sql, None
    upper = sql.upper()
    if kind == "READ_ONLY" and "PROCESS" in upper and (rewritten := _with_client_ids(session, sql)):
        text = sql = rewritten
        word, upper = "SELECT", rewritten.upper()
    if word not in statement_routing.KEEP_FORMAT and "FORMAT" in upper:
        text, output_format = _without_format(session, text)
    streams = kind == "READ_ONLY" and word in ("SELECT", "WITH", "FROM")
    adds = streams and (("TOTALS" in upper and has_totals(session.parser.parse(text))) or session.wants_extremes(sql))
    return Prepared(text, word, streams, output_format, reads=kind == "READ_ONLY", adds=adds)


def _with_client_ids(session: Session, sql: str) -> str | None:
    """SHOW PROCESSLIST, or a query of system.processes, with the ids that clients gave; None for any other statement."""
    tree = session.parser.parse(sql)
    processes = session.parser.parse(session.engine.processes())
    if processes is None:
        return None
    if tree is None:
        written = session.parser.formatted(sql)
        shown = written.removeprefix("SHOW PROCESSLIST")
        return None if shown == written else f"{session.engine.processes()} ORDER BY elapsed DESC{shown}"
    found = False
    for node in list(reader_rules.nodes(tree)):
        table = node.get("database_and_table_name")
        if node["type"] == "TableExpression" and table and _full_name(session, table) == ["system", "processes"]:
            del node["database_and_table_name"]
            alias = table.get("alias", "processes")
            node["subquery"] = {"type": "Subquery", "children": [processes], "alias": alias}
            found = True
    return session.parser.write(tree) if found else None


def _full_name(session: Session, table: Tree) -> list[str]:
    parts: list[str] = table.get("name_parts") or [session.database or "default", table.get("name", "")]
    return parts


def _kill(session: Session, tree: Tree | None, user: str | None) -> Prepared | None:
    """KILL QUERY WHERE query_id = '…' of an id that a client gave, which the engine does not list.

    The answer has the engine's form, without rows for an id that does not run: it may have ended, or not have begun. None
    for every other condition, and for the statement of another than `user`.
    """
    if tree is None or tree["type"] != "KillQueryQuery" or tree.get("kill_type") != "Query":
        return None
    query_id = _equals_query_id(tree.get("where_expression", {}))
    if query_id is None or tree.get("test"):
        return None
    owner = session.engine.kill_by_id(query_id, user)
    if owner is None and (user is None or session.engine.runs(query_id)):
        return None
    columns = {"kill_status": "waiting", "query_id": query_id, "user": owner or "", "query": ""}
    listed = ", ".join(f"{quote_string(value)} AS {name}" for name, value in columns.items())
    sql = f"SELECT {listed}{'' if owner else ' WHERE 0'}"
    return Prepared(sql, "SELECT", streams=True, format=None, reads=True)


def _equals_query_id(condition: Tree) -> str | None:
    sides = condition.get("arguments", {}).get("children", [])
    if condition.get("name") != "equals" or len(sides) != 2:
        return None
    names = [side["name"] for side in sides if side["type"] == "Identifier"]
    values = [side["value"]["value"] for side in sides if side["type"] == "Literal"]
    return str(values[0]) if names == ["query_id"] and len(values) == 1 else None


def has_totals(tree: Tree | None) -> bool:
    """Whether WITH TOTALS stands anywhere in it."""
    return any(node.get("group_by_with_totals") for node in reader_rules.nodes(tree))


def _without_format(session: Session, sql: str) -> tuple[str, str | None]:
    tree = session.parser.parse(sql)
    if tree is not None:
        if "format_ast" not in tree:
            return sql, None
        name = str(tree["format_ast"]["name"])
        return session.parser.write({key: value for key, value in tree.items() if key != "format_ast"}), name
    written = session.parser.formatted(sql)
    found = _FORMAT_TAIL.search(written)
    if not found:
        return sql, None
    return written[: found.start()], statement_routing.unquote_identifier(found[1])


# ---- readers


def _for_reader(session: Session, sql: str, *, may_keep: bool) -> Prepared:
    if len(sql) > reader_rules.MAX_SQL_CHARS:
        raise ServerError(62, f"Syntax error: a statement of more than {reader_rules.MAX_SQL_CHARS} characters.")
    session.refuse_empty(sql)
    tree = session.parser.parse(sql)
    if tree is None:
        return _without_tree(session, session.parser.formatted(sql))
    kind = tree["type"]
    if kind == "SetQuery" and tree.get("is_standalone"):
        _set(session, tree)
        return Prepared("", "SET", streams=False, format=None, reads=True, nothing=True)
    if kind == "UseQuery":
        database = str(tree["database"]["name"])
        if "children" in tree["database"] or database in session.catalogue().outside_databases:
            raise refused(f"the database {database}")
        session.use(database)
        return Prepared("", "USE", streams=False, format=None, reads=True, nothing=True)
    if killed := _kill(session, tree, session.user.name):
        return killed
    if may_keep and kind in temporary.KINDS:
        write = temporary.writing(session, tree)
        return Prepared("", statement_routing.first_word(sql), streams=False, format=None, reads=False, write=write)
    cut, output_format, changes = cut_output(tree)
    session.check_format(output_format)
    text = _judged(session, cut)
    for change in changes:
        session.allow(change["name"], reader_rules.value_of(change))
    streams = kind in SELECTS
    adds = streams and (has_totals(cut) or session.wants_extremes(""))
    return Prepared(text, text.partition(" ")[0], streams, output_format, reads=True, adds=adds)


def _judged(session: Session, tree: Tree) -> str:
    """The text that runs. It is judged as the engine parses it, not what it was written from."""
    text, again = session.parser.rewrite(tree)
    judge(again, session.catalogue())
    session.tables.fill(session, again)
    return text


def _without_tree(session: Session, written: str) -> Prepared:
    """DESCRIBE, EXISTS, SHOW CREATE …: in the engine's own spelling, which has no comments and one line."""
    output_format = None
    if written.startswith(_DESCRIBE):
        written, output_format = _describe(session, written.removeprefix(_DESCRIBE))
    else:
        if found := _FORMAT_TAIL.search(written):
            written, output_format = written[: found.start()], statement_routing.unquote_identifier(found[1])
        if named := _NAMING.fullmatch(written):
            reader_rules.judge_table(
                [statement_routing.unquote_identifier(name) for name in named.groups() if name], session.catalogue()
            )
        elif named := _NAMING_DATABASE.fullmatch(written):
            if statement_routing.unquote_identifier(named[1]) in session.catalogue().outside_databases:
                raise refused(f"the database {named[1]}")
        elif not _PLAIN.fullmatch(written):
            raise refused("a statement of this kind")
    session.check_format(output_format)
    if session.parser.formatted(written) != written:
        raise refused("a statement that the engine writes in two ways")
    return Prepared(written, written.partition(" ")[0], streams=False, format=output_format, reads=True)


def _describe(session: Session, target: str) -> tuple[str, str | None]:
    """What is described is judged as what a query reads from: both are one rule of the grammar."""
    tree = session.parser.parse(_SELECT_FROM + target)
    if tree is None or tree["type"] not in SELECTS:
        raise refused("to describe this")
    cut, output_format, changes = cut_output(tree)
    if changes:
        raise refused("SETTINGS of DESCRIBE")
    text = _judged(session, cut)
    if not text.startswith(_SELECT_FROM) or set(_only_select(cut)) != {"type", "select", "tables"}:
        raise refused("to describe this")
    return _DESCRIBE + text.removeprefix(_SELECT_FROM), output_format


def _only_select(tree: Tree) -> Tree:
    selects = tree.get("list_of_selects", {}).get("children", [{}])
    found: Tree = selects[0] if len(selects) == 1 else {}
    tables = found.get("tables", {}).get("children", [])
    return found if len(tables) == 1 and set(tables[0]) == {"type", "table_expression"} else {}


def _set(session: Session, tree: Tree) -> None:
    if tree.get("default_settings"):
        raise refused("DEFAULT in SET")
    for change in tree.get("changes", []):
        session.allow(change["name"], reader_rules.value_of(change), keep=True)
    session.parameters.update({given["name"]: given["value"] for given in tree.get("query_parameters", [])})
