"""Totals and extremes: rows beside the rows of an answer, which FORMAT Native does not carry."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Final, NamedTuple

from engines.clickhouse.auth import User
from engines.clickhouse.engine import Engine
from engines.clickhouse.engine_session import Session
from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.prepare import Prepared
from engines.clickhouse.statement_routing import quote_string

MAX_ROWS: Final = 100_000
"""Largest number of rows of an answer with extremes, because all its rows are written as text once more."""

_STRINGS: Final = "JSONCompactStrings"  # every value as text: no number loses a digit


class Additions(NamedTuple):
    """`totals` is one row, `extremes` two (least, greatest), each of text; empty where there are none."""

    columns: list[tuple[str, str]]
    totals: list[list[str]]
    extremes: list[list[str]]


def additions(session: Session, ready: Prepared, parameters: Mapping[str, str], rows: int) -> Additions:
    """Run the statement again, in the same session. Without extremes its first row is enough: totals are of all of them.

    Raises 48 for the extremes of an answer of more than MAX_ROWS.
    """
    if session.wants_extremes(ready.text):
        if rows > MAX_ROWS:
            raise ServerError(48, f"Extremes of more than {MAX_ROWS} rows are not supported.")
        text = ready.text
    else:
        tree = session.parser.parse(ready.text)
        text = ready.text if tree is None else f"SELECT * FROM ({session.parser.write(tree)}) LIMIT 1"  # noqa: S608 - judged
    found = json.loads(session.query(text, _STRINGS, parameters).bytes())
    extremes = found.get("extremes")
    return Additions(
        columns=[(column["name"], column["type"]) for column in found["meta"]],
        totals=[found["totals"]] if found.get("totals") else [],
        extremes=[extremes["min"], extremes["max"]] if extremes else [],
    )


def typed(engine: Engine, columns: Sequence[tuple[str, str]], lines: Sequence[Sequence[str]]) -> bytes:
    """Rows of text as a block of FORMAT Native. The columns are called c0, c1, …, because names may occur twice."""
    structure = ", ".join(f"c{number} {type_}" for number, (_, type_) in enumerate(columns))
    data = "\n".join(map(json.dumps, lines))
    with closing(Session(engine, User("default", b"", readonly=False))) as session:
        sql = f"SELECT * FROM format({_STRINGS}EachRow, {quote_string(structure)}, {quote_string(data)})"  # noqa: S608 - quoted
        return session.query(sql).bytes()
