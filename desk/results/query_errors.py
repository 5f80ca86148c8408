"""A server's error about a statement: one line, and the place in the statement where the server names one. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

SYNTAX_ERROR: Final = 62
UNKNOWN_TABLE: Final = 60
UNKNOWN_PARAMETER: Final = 456
MAX_SHOWN_LINE: Final = 160
EXPECTATIONS: Final = 100
"""Characters shown of the server's long list of expected tokens."""

_POSITION = re.compile(r"failed at position (\d+)")
_CULPRIT = re.compile(r"(?:[Uu]nknown|[Mm]issing|Function with name)[\w /]* [`'](\w[\w.]*)[`']")
_WHILE = re.compile(r": while executing .*")
_SCOPE = re.compile(r"[:.]? [Ii]n scope .*?(?=\. Maybe you meant|$)")


@dataclass(frozen=True, slots=True)
class QueryError:
    """`line` and `column` count from 1; both are None where the server names no place in the statement.

    `pointer` is the line of the statement with a mark below the place; empty without a place.
    """

    code: int
    message: str
    line: int | None = None
    column: int | None = None
    pointer: str = ""

    def sentence(self, next_step: str = "") -> str:
        """The error on one line, with its place and what to do next."""
        where = "" if self.line is None else f" at line {self.line}, column {self.column}"
        step = f"; {next_step}" if next_step else ""
        return f"ClickHouse refuses the query{where}: {self.message} (code {self.code}){step}"


def query_error(code: int, message: str, text: str) -> QueryError:
    """`message` is the first line of the server's error about the statement `text`."""
    message = _WHILE.sub("", _SCOPE.sub("", message))
    at = _place(message, text)
    if code == SYNTAX_ERROR:
        message = _shorter(message)
    if at is None:
        return QueryError(code, message)
    line, column = _line_and_column(text, at)
    return QueryError(code, message, line, column, _pointer(text, at))


def _place(message: str, text: str) -> int | None:
    """Index in `text` of the server's error. None if the server names no place, or none in `text`."""
    if found := _POSITION.search(message):
        at = len(text.encode()[: int(found[1]) - 1].decode(errors="ignore"))
        return at if at <= len(text) else None
    if found := _CULPRIT.search(message):
        word = re.search(rf"(?<![\w.]){re.escape(found[1])}(?!\w)", text)
        return None if word is None else word.start()
    return None


def _line_and_column(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _pointer(text: str, at: int) -> str:
    """The line of `text` that holds `at`, with a mark below the place."""
    start = text.rfind("\n", 0, at) + 1
    line = text[start:].split("\n", 1)[0].replace("\t", " ")
    column = at - start
    cut = max(0, column - MAX_SHOWN_LINE // 2)
    return f"  {line[cut : cut + MAX_SHOWN_LINE]}\n  {' ' * (column - cut)}^"


def _shorter(message: str) -> str:
    """A syntax error with the beginning of its long list of what was expected."""
    head, expected, rest = message.partition(" Expected one of: ")
    if len(rest) > EXPECTATIONS:
        rest = rest[:EXPECTATIONS].rpartition(",")[0] + ", …"
    return head + expected + rest
