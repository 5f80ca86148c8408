"""A result as CSV, JSON or JSON lines, written to an open file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from counterpoise.visible import spreadsheet_cell, visible
from desk.results.type_names import TypeName, parse_type
from desk.results.values import json_value, plain_text

if TYPE_CHECKING:
    from counterpoise.clickhouse.client import Names

Blocks = Iterator[tuple["Names", list[Any]]]
"""Blocks of a result as `ClickHouse.stream` gives them: names with types, columns."""


def rows_of(blocks: Blocks) -> tuple[Names, list[TypeName], Iterator[tuple[Any, ...]]]:
    """The columns' names and types, and the rows. A statement without a result has no columns."""
    heads, first = next(blocks, ([], []))

    def rows() -> Iterator[tuple[Any, ...]]:
        yield from zip(*first, strict=True)
        for _, columns in blocks:
            yield from zip(*columns, strict=True)

    return heads, [parse_type(spec) for _, spec in heads], rows()


def is_numeric(kind: TypeName) -> bool:
    """Whether values of the type are numbers."""
    return kind.bare.name.startswith(("UInt", "Int", "Float", "Decimal"))


def write_csv(blocks: Blocks, file: IO[str], *, raw: bool) -> None:
    """With `raw` each cell exactly as it is; else visible, and no text is a formula of a spreadsheet."""
    heads, kinds, rows = rows_of(blocks)
    plain = csv.writer(file, lineterminator="\n")
    quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def write(cells: list[str]) -> None:
        """Python leaves a bare carriage return unquoted, and readers take it for the end of a row."""
        (quoting if any("\r" in text for text in cells) else plain).writerow(cells)

    if heads:
        write([name if raw else _csv_text(name) for name, _ in heads])
    exact = [raw or is_numeric(kind) for kind in kinds]
    for row in rows:
        texts = [plain_text(kind, value) for kind, value in zip(kinds, row, strict=True)]
        write([text if kept else _csv_text(text) for kept, text in zip(exact, texts, strict=True)])


def _csv_text(text: str) -> str:
    return spreadsheet_cell(visible(text, keep="\n"))


def objects_of(blocks: Blocks) -> Iterator[dict[str, Any]]:
    """Each row as an object of JSON values by column."""
    heads, kinds, rows = rows_of(blocks)
    for row in rows:
        yield {name: json_value(kind, value) for (name, _), kind, value in zip(heads, kinds, row, strict=True)}


def _documents(blocks: Blocks) -> Iterator[str]:
    for found in objects_of(blocks):
        yield visible(json.dumps(found, ensure_ascii=False, allow_nan=False))


def write_json(blocks: Blocks, file: IO[str]) -> None:
    """An array with one object per row and line."""
    file.write("[")
    for place, document in enumerate(_documents(blocks)):
        file.write(",\n" if place else "\n")
        file.write(document)
    file.write("\n]\n")


def write_json_lines(blocks: Blocks, file: IO[str]) -> None:
    """One object per row and line."""
    for document in _documents(blocks):
        file.write(document + "\n")
