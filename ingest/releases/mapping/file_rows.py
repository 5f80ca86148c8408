"""The rows of a file that somebody put down: CSV, JSON lines, Parquet, or one JSON document. Pure: bytes in, values out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic_core import from_json

from counterpoise.errors import DeadLetterError
from ingest.releases.mapping.apply_mapping import MAX_ROWS
from ingest.releases.mapping.parquet_rows import parquet_rows
from ingest.releases.sources.csv_table import read_table


def csv_rows(content: bytes, name: str) -> Any:
    """Every cell as text, empty ones left out."""
    table = read_table(_text(content, name), name)
    return [{column: cell for column, cell in row.cells.items() if cell.strip()} for row in table]


def jsonl_rows(content: bytes, name: str) -> Any:
    """One JSON object a line."""
    rows: list[Any] = []
    for number, line in enumerate(
        _text(content, name).split("\n"), start=1
    ):  # splitlines would cut at U+2028 in a text
        if not line.strip():
            continue
        try:
            row = from_json(line, allow_inf_nan=False)
        except ValueError as error:
            raise DeadLetterError("bad-source-file", f"{name}, line {number}: not JSON: {str(error)[:120]}") from None
        if not isinstance(row, dict):
            raise DeadLetterError("bad-source-file", f"{name}, line {number}: expected a JSON object")
        if len(rows) >= MAX_ROWS:
            raise DeadLetterError("too-many-rows", f"{name}: more than {MAX_ROWS} rows")
        rows.append(row)
    return rows


def json_document(content: bytes, name: str) -> Any:
    """The document; the mapping says where its rows are."""
    try:
        return from_json(_text(content, name), allow_inf_nan=False)
    except ValueError as error:
        raise DeadLetterError("bad-source-file", f"{name}: not JSON: {str(error)[:120]}") from None


READERS: Final[dict[str, Callable[[bytes, str], Any]]] = {
    ".csv": csv_rows,
    ".jsonl": jsonl_rows,
    ".json": json_document,
    ".parquet": parquet_rows,
}
"""By the end of the file's name."""


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DeadLetterError("bad-source-file", f"{name}: not UTF-8 at byte {error.start}") from None
