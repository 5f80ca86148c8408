"""The head of an INSERT whose rows come after the statement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from engines.clickhouse.statement_routing import Token, tokens

_QUERY_STARTS: Final = frozenset({"SELECT", "WITH", "FROM"})


@dataclass(frozen=True, slots=True)
class InsertHead:
    """An INSERT whose rows come after the statement.

    `into` is the statement up to its data clause without columns and settings ("INSERT INTO db.t"); `target` what DESCRIBE
    TABLE takes; `columns` the text between the column brackets or None; `settings` the SETTINGS clause or "". `format` is
    the data's format as written (VALUES reads as Values). `data_start` is the offset just after the clause. For
    `INSERT … SELECT … FROM input('…')`, `input_span` is where `input(…)` stands, `structure` its quoted argument, and
    `query` the whole statement without its FORMAT. `head` is the statement up to its data clause.
    """

    into: str
    target: str
    columns: str | None
    settings: str
    format: str
    data_start: int
    query: str = ""
    input_span: tuple[int, int] = (0, 0)
    structure: str = ""
    head: str = ""

    @property
    def statement(self) -> str:
        """The statement alone, without data; its data clause reads FORMAT Native."""
        return f"{self.query or self.head}\nFORMAT Native"


class _Cursor:
    """Tokens one after the other; a token's text is matched in upper case."""

    def __init__(self, sql: str) -> None:
        self._stream: Iterator[Token] = tokens(sql)
        self.token = next(self._stream, None)
        self.end = 0  # of the last token that was passed

    def peek(self) -> str:
        return self.token.upper if self.token else ""

    def advance(self) -> None:
        if self.token:
            self.end = self.token.end
        self.token = next(self._stream, None)

    def accept(self, text: str) -> bool:
        if self.token is None or self.token.upper != text:
            return False
        self.advance()
        return True

    def name(self) -> bool:
        """Pass `a.b.c`, quoted or not; false when there is no name here."""
        while self.token and self.token.kind in ("word", "quoted"):
            self.advance()
            if not self.accept("."):
                return True
        return False

    def group(self) -> tuple[int, int] | None:
        """Pass balanced brackets; where their inside starts and ends, None when they are not closed."""
        if self.token is None or self.token.text != "(":
            return None
        start, depth = self.token.end, 0
        while self.token:
            depth += (self.token.text == "(") - (self.token.text == ")")
            inside_end = self.token.start
            self.advance()
            if depth == 0:
                return start, inside_end
        return None


def parse_insert(sql: str) -> InsertHead | None:
    """The head of an INSERT that ends in VALUES or FORMAT, or reads `input('…')`; None for any other statement.

    `sql[data_start:]` is the inline data, possibly blank; it is not read. A statement that is not understood gives
    None and is left to the engine and its message.
    """
    cursor = _Cursor(sql)
    if not cursor.accept("INSERT"):
        return None
    cursor.accept("INTO")
    cursor.accept("TABLE")
    function = cursor.accept("FUNCTION")
    target_start = cursor.token.start if cursor.token else len(sql)
    if not cursor.name() or (function and cursor.group() is None):
        return None
    target_end = cursor.end
    columns = None
    if cursor.peek() == "(":
        inside = cursor.group()
        if inside is None:
            return None
        columns = sql[slice(*inside)]
    settings_start = cursor.token.start if cursor.token else len(sql)
    if cursor.accept("SETTINGS"):
        while cursor.token and cursor.peek() not in _QUERY_STARTS | {"VALUES", "FORMAT"}:
            cursor.advance()
    settings = sql[settings_start : cursor.token.start].strip() if cursor.token else ""
    if cursor.peek() in _QUERY_STARTS:
        return _parse_input(sql)
    data_format = "Values"
    clause = cursor.token.start if cursor.token else len(sql)
    if cursor.accept("FORMAT"):
        if cursor.token is None or cursor.token.kind != "word":
            return None
        data_format = "Values" if cursor.peek() == "VALUES" else cursor.token.text
        cursor.advance()
    elif not cursor.accept("VALUES"):
        return None
    return InsertHead(
        into=sql[:target_end],
        target=sql[target_start:target_end],
        columns=columns,
        settings=settings,
        format=data_format,
        data_start=cursor.end,
        head=sql[:clause],
    )


def _parse_input(sql: str) -> InsertHead | None:
    """`INSERT INTO … SELECT … FROM input('structure') … FORMAT name`."""
    seen = list(tokens(sql))
    while seen and seen[-1].text == ";":
        seen.pop()
    for number in range(len(seen) - 3):
        call, bracket, structure, closing = seen[number : number + 4]
        if call.upper == "INPUT" and bracket.text == "(" and structure.kind == "quoted" and closing.text == ")":
            break
    else:
        return None
    for clause, name in pairwise(seen[number + 4 :]):
        if clause.upper == "FORMAT" and name.kind == "word":
            return InsertHead(
                into="",
                target="",
                columns=None,
                settings="",
                format=name.text,
                data_start=name.end,
                query=sql[: clause.start],
                input_span=(call.start, closing.end),
                structure=structure.text,
            )
    return None
