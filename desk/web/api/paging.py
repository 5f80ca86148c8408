"""A page of rows from a statement, and the cursor of the page after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from desk.web.api.answer_formats import AnswerTable
from desk.web.api.cursor import write_cursor
from desk.web.api.reader import Reader, Result
from desk.web.api.timeseries import BoundSql

Values = Mapping[str, Any]
Row = dict[str, Any]
Place = list[int | str]


def page_of(
    reader: Reader, statement: BoundSql, parameters: Values, path: str, place: Callable[[Row], Place]
) -> AnswerTable:
    """The page of a statement whose LIMIT is one row more than the page has: that row shows that a next one exists."""
    limit = int(parameters["limit"])
    heads, blocks = reader.read(statement.sql, {**statement.parameters, "limit": limit + 1})
    blocks, cut = _first_rows(blocks, limit)
    following = write_cursor(path, parameters, place(_last_row(heads, blocks))) if cut else None
    return AnswerTable(heads, blocks, following, _query(statement, limit))


def _first_rows(blocks: list[list[Any]], limit: int) -> tuple[list[list[Any]], bool]:
    kept: list[list[Any]] = []
    left = limit
    for columns in blocks:
        rows = len(columns[0])
        if rows > left:
            return ([*kept, [column[:left] for column in columns]] if left else kept), True
        kept.append(columns)
        left -= rows
    return kept, False


def _last_row(heads: Result | Any, blocks: list[list[Any]]) -> Row:
    return {name: column[-1] for (name, _), column in zip(heads, blocks[-1], strict=True)}


def _query(statement: BoundSql, limit: int) -> dict[str, Any]:
    return {"sql": statement.sql, "parameters": {**statement.parameters, "limit": limit}}
