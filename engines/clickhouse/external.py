"""Tables that a client sends along with its statement: they live as long as the statement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.reader_rules import Tree

MAX_TABLES: Final = 32
MAX_READER_BYTES: Final = 256 << 20

_TEMPLATE: Final = "CREATE TEMPORARY TABLE {} ({}) ENGINE = Memory"
_PLAIN_COLUMN: Final = frozenset({"type", "name", "data_type", "ephemeral_default", "primary_key_specifier"})


@dataclass(slots=True)
class ExternalTable:
    """`structure` is what stands in the brackets of CREATE TABLE; `pieces` are its rows in `data_format`."""

    name: str
    structure: str
    data_format: str
    pieces: list[bytes] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))


def creation(
    table: ExternalTable,
    quoted_name: str,
    parse: Callable[[str], Tree | None],
    write: Callable[[Tree], str],
) -> str:
    """The statement that makes the table: names and types of columns, and nothing else that a structure may hold.

    Types and structure come from the client. The engine parses the whole; what it found beside columns of plain types
    raises READONLY (164), and what runs is written from the tree.
    """
    tree = parse(_TEMPLATE.format(quoted_name, table.structure))
    plain = parse(_TEMPLATE.format(quoted_name, "a UInt8"))
    if tree is None or plain is None or _without_columns(tree) != _without_columns(plain):
        raise ServerError(164, f"The structure of the external table {table.name} is more than a list of columns.")
    plain_columns(tree, table.name)
    return write(tree)


def plain_columns(tree: Tree, name: str) -> None:
    """Raise READONLY (164) for a CREATE whose columns have more than names and types."""
    for column in _columns(tree):
        if column.keys() - _PLAIN_COLUMN or column["ephemeral_default"] or column["primary_key_specifier"]:
            raise ServerError(164, f"A column of the table {name} has more than a name and a type.")


def _without_columns(tree: Tree) -> Tree:
    return {key: value for key, value in tree.items() if key != "columns_list"}


def _columns(tree: Tree) -> list[Any]:
    listed = tree.get("columns_list", {})
    if listed.keys() - {"type", "columns"}:
        raise ServerError(164, "Such a table has columns, and no indices, constraints or projections.")
    found: list[Any] = listed.get("columns", {}).get("children", [])
    return found
