"""External tables of few rows, which an INSERT … SELECT reads from memory: no table is made, filled and dropped for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from engines.clickhouse import kept_blocks, statement_routing
from engines.clickhouse.described_column import Described
from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.external import ExternalTable
from engines.clickhouse.native_blocks import walk
from engines.clickhouse.reader_rules import Tree, nodes
from engines.clickhouse.statement_routing import quote_identifier
from engines.clickhouse.wire import ByteReader

if TYPE_CHECKING:
    from engines.clickhouse.engine_session import Session


@contextmanager
def from_memory(session: Session, sql: str) -> Iterator[str]:
    """The statement as it is to run, for the length of the block: tables that came with an INSERT are functions over their blocks.

    All rows have arrived by then. The statement stays as it is, and its tables are made, where they are large, empty or of other
    types, and where the statement mentions one in another way than once as a table. So it does where it may only read.
    """
    tables = session.tables.external
    if not tables or not session.may_write or statement_routing.first_word(sql) != "INSERT":
        yield sql
        return
    columns = [_columns_to_keep(table) for table in tables]
    places = _places(session, sql, tables) if sum(table.size for table in tables) <= kept_blocks.FEW_BYTES else None
    if places is None or not all(columns):
        yield sql
        return
    tree, expressions = places
    with ExitStack() as stack:
        for table, its, expression in zip(tables, columns, expressions, strict=True):
            source = stack.enter_context(kept_blocks.as_table(table.pieces, its))
            _replace(session, expression, f"{source} AS {quote_identifier(table.name)}")
        text = session.parser.write(tree)
        session.tables.external = []
        yield text


def _columns_to_keep(table: ExternalTable) -> list[Described]:
    """Its columns, where it has rows and can be read from memory; else none."""
    if table.data_format != "Native" or not table.pieces:
        return []
    first = table.pieces[0]
    heads = walk(ByteReader(data=first, limit_bytes=len(first)), kind_bytes=False).columns
    columns = [
        Described(head.name.decode("utf-8", "replace"), head.type.decode("utf-8", "replace"), "", "") for head in heads
    ]
    is_kept = kept_blocks.can_keep(columns) and all(kept_blocks.is_as(piece, columns) for piece in table.pieces)
    return columns if is_kept else []


def _places(session: Session, sql: str, tables: list[ExternalTable]) -> tuple[Tree, list[Tree]] | None:
    """The tree of the statement and where each table stands in it; None where a name stands there more than once, or elsewhere."""
    try:
        tree = session.parser.parse(sql)
    except ServerError:  # which is answered when it runs
        return None
    if tree is None:
        return None
    text = json.dumps(tree)
    found = {table.name: [node for node in nodes(tree) if _is_table(node, table.name)] for table in tables}
    if any(len(places) != 1 or text.count(json.dumps(name)[1:-1]) != 1 for name, places in found.items()):
        return None
    return tree, [places[0] for places in found.values()]


def _is_table(node: Tree, name: str) -> bool:
    """Whether a node of the tree reads a table of this name, under that name, and whole: without FINAL or SAMPLE."""
    return node == {"type": "TableExpression", "database_and_table_name": {"type": "TableIdentifier", "name": name}}


def _replace(session: Session, expression: Tree, source: str) -> None:
    """Make a node of the tree read from a table function."""
    tree = session.parser.parse(f"SELECT * FROM {source}")  # noqa: S608 - quoted
    [function] = [node for node in nodes(tree) if node["type"] == "TableExpression"]
    expression.clear()
    expression.update(function)
