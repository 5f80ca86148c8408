"""The tables that a client brings: external ones for one statement, and a reader's temporary ones for its session."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from engines.clickhouse import reader_rules
from engines.clickhouse.client_limits import TOO_MANY_BYTES, Budget, Limits
from engines.clickhouse.described_column import Described
from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.external import MAX_READER_BYTES, MAX_TABLES, ExternalTable, creation
from engines.clickhouse.statement_routing import quote_identifier

if TYPE_CHECKING:
    from engines.clickhouse.engine_session import Session

_TOO_MANY_ROWS: Final = 158
_ALREADY_EXISTS: Final = 57
_JOINED_BYTES: Final = 1 << 16  # what comes row by row is kept in few pieces


@dataclass(slots=True)
class TemporaryTable:
    """`creation` is the statement that makes it, as the engine wrote it; `pieces` are its rows, blocks in FORMAT Native."""

    name: str
    creation: str
    columns: list[Described]
    pieces: list[bytes] = field(default_factory=list)
    rows: int = 0

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))


class ClientTables:
    """The tables of one session. The engine's own sessions of a reader live for one statement, so a reader's temporary tables
    are kept here, in bounded number and size, and made again before each statement."""

    def __init__(self, limits: Limits, budget: Budget) -> None:
        self.external: list[ExternalTable] = []  # that came with the next statement
        self._limits = limits
        self._budget = budget
        self._kept: dict[str, TemporaryTable] = {}
        self._filled: set[str] = set()  # of the kept ones, in the engine session that is open

    # ---- external tables

    def add_external(self, table: ExternalTable, *, is_reader: bool) -> None:
        """A table for the next statement. Raises 117 for too many of them, and of a reader for too large ones.

        Raises 73 for a format that is not for the data of such tables.
        """
        tables = [*self.external, table]
        if len(tables) > MAX_TABLES:
            raise ServerError(117, f"More than {MAX_TABLES} external tables.")
        if is_reader:
            refuse_larger_external(sum(each.size for each in tables))
        if table.data_format not in reader_rules.DATA_FORMATS:
            raise ServerError(73, f"The format {table.data_format} is not for the data of external tables.")
        self.external = tables

    def make_external(self, session: Session) -> None:
        for table in self.external:
            session.query(creation(table, quote_identifier(table.name), session.parser.parse, session.parser.write))
            _append(session, table.name, table.data_format, table.pieces)

    def drop_external(self, session: Session) -> bool:
        """Whether all are gone."""
        gone = 0
        for table in self.external:
            with suppress(ServerError):
                session.query(f"DROP TEMPORARY TABLE IF EXISTS {quote_identifier(table.name)}")
                gone += 1
        are_gone = gone == len(self.external)
        self.external = []
        return are_gone

    # ---- temporary tables

    @property
    def names(self) -> frozenset[str]:
        return frozenset((*self._kept, *(table.name for table in self.external)))

    def kept(self, name: str) -> TemporaryTable | None:
        return self._kept.get(name)

    def refuse_another(self) -> None:
        """Raise 117 where a session has as many temporary tables as it may."""
        if len(self._kept) >= MAX_TABLES:
            raise ServerError(117, f"More than {MAX_TABLES} temporary tables.")

    def keep(self, table: TemporaryTable, *, replace: bool = False) -> None:
        """Keep a new table with its rows. Raises 57 where there is one of that name, and as `extend` does."""
        old = self._kept.get(table.name)
        if old is None:
            self.refuse_another()
        elif not replace:
            raise ServerError(_ALREADY_EXISTS, f"Temporary table {table.name} already exists.")
        self._refuse_larger(table.size, table.rows, without=old)
        self._budget.take(table.size)
        self.drop(table.name)
        self._kept[table.name] = table

    def extend(self, table: TemporaryTable, pieces: list[bytes], rows: int) -> None:
        """Add rows. Raises 307 and 158 for more bytes and rows than one session, and all of them, may keep; then none is added."""
        size = sum(map(len, pieces))
        self._refuse_larger(size, rows)
        self._budget.take(size)
        table.rows += rows
        for piece in pieces:
            if table.pieces and len(table.pieces[-1]) + len(piece) < _JOINED_BYTES:
                table.pieces[-1] += piece
            else:
                table.pieces.append(piece)

    def _refuse_larger(self, size: int, rows: int, without: TemporaryTable | None = None) -> None:
        others = [table for table in self._kept.values() if table is not without]
        if sum(table.size for table in others) + size > self._limits.temporary_bytes:
            raise ServerError(
                TOO_MANY_BYTES, f"Temporary tables of a session take {self._limits.temporary_bytes} bytes at most."
            )
        if sum(table.rows for table in others) + rows > self._limits.temporary_rows:
            raise ServerError(
                _TOO_MANY_ROWS, f"Temporary tables of a session have {self._limits.temporary_rows} rows at most."
            )

    def drop(self, name: str) -> bool:
        """Whether there was one."""
        table = self._kept.pop(name, None)
        if table is not None:
            self._budget.give_back(table.size)
        return table is not None

    def empty(self, name: str) -> bool:
        """Drop the rows of a table; whether there is one of that name."""
        table = self._kept.get(name)
        if table is not None:
            self._budget.give_back(table.size)
            table.pieces, table.rows = [], 0
        return table is not None

    def drop_all(self) -> None:
        for name in list(self._kept):
            self.drop(name)

    def make_kept(self, session: Session) -> None:
        """Make the tables, without their rows, in a new session of the engine."""
        self._filled = set()
        for table in self._kept.values():
            session.query(table.creation)

    def fill(self, session: Session, tree: object) -> None:
        """Give its rows to each table that is mentioned in a statement's tree, or seems to be."""
        text = json.dumps(tree)
        for name, table in self._kept.items():
            if table.rows and name not in self._filled and json.dumps(name)[1:-1] in text:
                self._filled.add(name)
                _append(session, name, "Native", table.pieces)


def refuse_larger_external(size_bytes: int) -> None:
    """Raise 117 for external tables of a reader's that are this large together."""
    if size_bytes > MAX_READER_BYTES:
        raise ServerError(117, f"External tables of more than {MAX_READER_BYTES} bytes.")


def _append(session: Session, name: str, data_format: str, pieces: Iterable[bytes]) -> None:
    if not any(pieces):
        return
    inserter = session.insert(f"INSERT INTO {quote_identifier(name)}", data_format)
    try:
        for piece in pieces:
            inserter.append(piece)
        inserter.finish()
    finally:
        inserter.close()
