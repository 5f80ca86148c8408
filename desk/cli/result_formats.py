"""A result of ClickHouse as a table, Markdown, CSV, JSON, JSON lines or Parquet, on the terminal or in a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from counterpoise.errors import ConfigError
from counterpoise.visible import visible
from desk.cli.say import say
from desk.cli.whole_file import whole_file

if TYPE_CHECKING:
    from desk.results.type_names import TypeName
    from desk.results.writers import Blocks

TABLE_ROWS = 100
"""Rows of a table that are printed unless a limit is given; the other formats print all."""

SIGNIFICANT_DIGITS = 6
PIPE_WIDTH = 200
"""Largest width of a table in characters, without a terminal. In a wider table, rows become columns."""


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"


_BY_SUFFIX = {
    ".csv": Format.CSV,
    ".json": Format.JSON,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".parquet": Format.PARQUET,
    ".md": Format.MARKDOWN,
    ".txt": Format.TABLE,
}


def format_of(given: Format | None, out: Path | None) -> Format:
    """The format: as given, else by the file's ending, else a table. ConfigError for an unknown ending."""
    if given is not None:
        return given
    if out is None or (out.exists() and not out.is_file()):
        return Format.TABLE
    try:
        return _BY_SUFFIX[out.suffix.lower()]
    except KeyError:
        raise ConfigError(
            f"--out {str(out)!r}: the ending of the name selects no format; add --format ({', '.join(Format)})"
        ) from None


def write_result(
    blocks: Blocks, output: Format, out: Path | None, max_rows: int | None, *, raw_csv: bool = False
) -> None:
    """Write every block to `out`, or to standard output. A file appears when it is whole; if anything fails it stays as it was.

    `max_rows`: None is all, of a table on standard output the first 100; 0 is all.
    """
    if max_rows is None and output is Format.TABLE and out is None:
        max_rows = TABLE_ROWS
    limited = _limited(blocks, max_rows or None)
    if out is None:
        if output is Format.PARQUET:
            if sys.stdout.isatty():
                raise ConfigError("Parquet is not for a terminal: add --out FILE, or send it on with | or >")
            _write_parquet(limited, sys.stdout.buffer)
        else:
            _write_text(limited, output, sys.stdout, raw_csv=raw_csv)
        return
    with whole_file(out) as partial:
        if output is Format.PARQUET:
            with partial.open("wb") as raw:
                _write_parquet(limited, raw)
        else:
            with partial.open("w", encoding="utf-8", newline="") as file:
                _write_text(limited, output, file, raw_csv=raw_csv)


def _write_parquet(blocks: Blocks, file: IO[bytes]) -> None:
    from desk.results.arrow import write_parquet  # pyarrow takes a quarter of the time of a small command

    write_parquet(blocks, file)


def _write_text(blocks: Blocks, output: Format, file: IO[str], *, raw_csv: bool) -> None:
    from desk.results import writers

    match output:
        case Format.CSV:
            writers.write_csv(blocks, file, raw=raw_csv)
        case Format.JSON:
            writers.write_json(blocks, file)
        case Format.JSONL:
            writers.write_json_lines(blocks, file)
        case Format.MARKDOWN:
            _write_markdown(blocks, file)
        case _:
            _write_table(blocks, file)


def _limited(blocks: Blocks, limit: int | None) -> Blocks:
    """At most `limit` rows, with a note on standard error where there were more."""
    rows = 0
    for heads, columns in blocks:
        here = len(columns[0]) if columns else 0
        if limit is not None and rows + here > limit:
            yield heads, [column[: limit - rows] for column in columns]
            say(f"(the first {limit} rows; --max-rows 0 shows all)", err=True)
            return
        rows += here
        yield heads, columns


def _cells(kinds: list[TypeName], rows: Iterator[tuple[Any, ...]]) -> list[list[str]]:
    """Rows for people: floats of six digits, lists in words, times without T and Z."""
    from desk.results.values import plain_text

    return [
        [visible(plain_text(kind, value, digits=SIGNIFICANT_DIGITS)) for kind, value in zip(kinds, row, strict=True)]
        for row in rows
    ]


def _write_markdown(blocks: Blocks, file: IO[str]) -> None:
    from desk.results.writers import is_numeric, rows_of

    heads, kinds, rows = rows_of(blocks)
    if not heads:
        return
    lines = [
        [visible(name) for name, _ in heads],
        ["---:" if is_numeric(kind) else "---" for kind in kinds],
        *_cells(kinds, rows),
    ]
    for line in lines:
        file.write("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |\n")


def _write_table(blocks: Blocks, file: IO[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    from desk.cli.console import Console
    from desk.results.writers import is_numeric, rows_of

    heads, kinds, rows = rows_of(blocks)
    if not heads:
        return
    cells = _cells(kinds, rows)
    heads = [(visible(name), kind) for name, kind in heads]
    widths = [max(len(name), *(len(row[at]) for row in cells), 0) for at, (name, _) in enumerate(heads)]
    natural = sum(width + 3 for width in widths) + 1
    room = Console(file=file).width if file.isatty() else PIPE_WIDTH
    console = Console(file=file, width=max(natural, room), highlight=False, markup=False, soft_wrap=True)
    if natural > room:
        for line in _turned([name for name, _ in heads], cells, room):
            console.print(line)
    else:
        table = Table()
        for (name, _), kind in zip(heads, kinds, strict=True):
            table.add_column(Text(name), justify="right" if is_numeric(kind) else "left", no_wrap=True)
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)
    console.print(f"{len(cells)} {'row' if len(cells) == 1 else 'rows'}")


def _turned(names: list[str], rows: list[list[str]], room: int) -> Iterator[str]:
    """Rows as columns: a line for each name, with as many rows beside each other as `room` characters hold, at least one."""
    margin = max(len(name) for name in names)
    widths = [max(len(f"row {number}"), *(len(cell) for cell in row)) for number, row in enumerate(rows, 1)]
    first = 0
    while first < len(rows):
        last, wide = first + 1, margin + 2 + widths[first]
        while last < len(rows) and wide + 2 + widths[last] <= room:
            wide += 2 + widths[last]
            last += 1
        beside = range(first, last)
        lines = [("-" * margin, [f"row {at + 1}" for at in beside])]
        lines += [(name, [rows[at][place] for at in beside]) for place, name in enumerate(names)]
        for name, parts in lines:
            padded = [part.ljust(widths[at]) for at, part in zip(beside, parts, strict=True)]
            yield f"{name:<{margin}}  {'  '.join(padded)}".rstrip()
        first = last
