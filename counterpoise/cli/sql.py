"""`counterpoise sql`: SQL or a named query, read-only unless told otherwise, as a table, CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

import pyarrow.parquet as pq
import typer
from clickhouse_driver import errors as driver
from rich.console import Console
from rich.table import Table
from rich.text import Text

from counterpoise.clickhouse.client import ClickHouse, Names, connect
from counterpoise.clickhouse.errors import first_line
from counterpoise.clickhouse.namedqueries import named_queries, named_query
from counterpoise.clickhouse.typenames import parse_type
from counterpoise.clickhouse.values import arrow_batch, arrow_schema, json_value, plain_text
from counterpoise.endpoints import clickhouse_target
from counterpoise.errors import ConfigError
from counterpoise.settings import Settings

TABLE_ROWS = 100
"""Rows of a table that are printed unless --max-rows says otherwise; the other formats print all."""

SIGNIFICANT_DIGITS = 6
PIPE_WIDTH = 200
"""Characters that a table may be wide where no terminal says; a wider one is printed as one record after the other."""

UNKNOWN_TABLE = 60
READONLY = 164

Blocks = Iterator[tuple[Names, list[Any]]]


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def sql(
    query: Annotated[str | None, typer.Argument(help="SQL; - reads it from standard input.")] = None,
    *,
    name: Annotated[str | None, typer.Option("--name", help="A named query instead; --list shows them.")] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", help="Value of a {name:Type} parameter.", metavar="NAME=VALUE")
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List the named queries and their parameters.")] = False,
    output: Annotated[Format, typer.Option("--format", help="How the result is written.")] = Format.TABLE,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file.", dir_okay=False)] = None,
    max_rows: Annotated[
        int | None,
        typer.Option("--max-rows", min=0, help=f"Stop after so many; 0: no limit. A table stops at {TABLE_ROWS}."),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Let the statement change data or tables.")] = False,
) -> None:
    """Ask ClickHouse in SQL, or by the name of a stored query. Read-only unless --write is given."""
    if show_list:
        _print_list()
        return
    if (query is None) == (name is None):
        raise ConfigError(
            'give SQL, or --name and a query\'s name: counterpoise sql "SELECT 1", counterpoise sql --list'
        )
    given = _parameters(param or [])
    if name is not None:
        named = named_query(name)
        text, values = named.sql, named.bind(given)
    else:
        text, values = (sys.stdin.read() if query == "-" else str(query)), given
    settings = Settings.load()
    target = clickhouse_target(settings, read_only=not write)
    with connect(target, settings.dataset, settings=None if write else {"readonly": 1}) as clickhouse:
        reader = clickhouse if write else _reader(clickhouse, settings)
        try:
            _write(reader.stream(text, values), output, out, max_rows)
        except driver.Error as error:
            raise ConfigError(f"ClickHouse refuses the query: {first_line(error)} (code {error.code})") from error
        except ConfigError as error:
            cause = error.__cause__
            if isinstance(cause, driver.Error) and cause.code == READONLY and not write:
                raise ConfigError(
                    "this statement would change something or reach outside the database, and `counterpoise sql` reads only "
                    f"unless --write is given (code {READONLY})"
                ) from error
            if isinstance(cause, driver.Error) and cause.code == UNKNOWN_TABLE:
                raise ConfigError(
                    f"ClickHouse refuses the query: {first_line(cause)} (code {UNKNOWN_TABLE}); `SHOW TABLES` lists what there is, "
                    "and `counterpoise migrate` makes what is missing"
                ) from error
            raise
        finally:
            reader.close()


def _reader(clickhouse: ClickHouse, settings: Settings) -> ClickHouse:
    """The same connection; or, for a user who may only read and so may not even say so, one that does not say it."""
    try:
        clickhouse.query("SELECT 1")
    except ConfigError as error:
        if not isinstance(error.__cause__, driver.Error) or error.__cause__.code != READONLY:
            raise
        return connect(clickhouse.target, settings.dataset)
    return clickhouse


def _parameters(pairs: Iterable[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError(f"--param takes NAME=VALUE, not {pair!r}")
        given[name] = value
    return given


def _write(blocks: Blocks, output: Format, out: Path | None, max_rows: int | None) -> None:
    if output is Format.PARQUET:
        if out is None:
            raise ConfigError("Parquet is written to a file: add --out FILE")
        _write_parquet(_limited(blocks, max_rows or None), out)
        return
    if max_rows is None and output is Format.TABLE and out is None:
        max_rows = TABLE_ROWS
    limited = _limited(blocks, max_rows or None)
    if out is None:
        _write_text(limited, output, sys.stdout)
        return
    try:
        with out.open("w", encoding="utf-8", newline="") as file:
            _write_text(limited, output, file)
    except OSError as error:
        raise ConfigError(f"{str(out)!r} cannot be written: {error.strerror}") from None


def _write_text(blocks: Blocks, output: Format, file: IO[str]) -> None:
    match output:
        case Format.CSV:
            _write_csv(blocks, file)
        case Format.JSON:
            _write_json(blocks, file)
        case _:
            _write_table(blocks, file)


def _limited(blocks: Blocks, limit: int | None) -> Blocks:
    """At most `limit` rows, with a note on standard error where there were more."""
    rows = 0
    for heads, columns in blocks:
        here = len(columns[0]) if columns else 0
        if limit is not None and rows + here > limit:
            yield heads, [column[: limit - rows] for column in columns]
            typer.echo(f"(the first {limit} rows; --max-rows 0 shows all)", err=True)
            return
        rows += here
        yield heads, columns


def _rows(blocks: Blocks) -> tuple[Names, Iterator[tuple[Any, ...]]]:
    """The columns' names and types, and the rows. A statement without a result has no columns."""
    heads, first = next(blocks, ([], []))

    def rows() -> Iterator[tuple[Any, ...]]:
        yield from zip(*first, strict=True)
        for _, columns in blocks:
            yield from zip(*columns, strict=True)

    return heads, rows()


def _write_csv(blocks: Blocks, file: IO[str]) -> None:
    heads, rows = _rows(blocks)
    kinds = [parse_type(spec) for _, spec in heads]
    writer = csv.writer(file, lineterminator="\n")
    if heads:
        writer.writerow([name for name, _ in heads])
    for row in rows:
        writer.writerow([plain_text(kind, value) for kind, value in zip(kinds, row, strict=True)])


def _write_json(blocks: Blocks, file: IO[str]) -> None:
    """An array with an object a row, one a line."""
    heads, rows = _rows(blocks)
    kinds = [(name, parse_type(spec)) for name, spec in heads]
    file.write("[")
    for place, row in enumerate(rows):
        document = {name: json_value(kind, value) for (name, kind), value in zip(kinds, row, strict=True)}
        file.write(",\n" if place else "\n")
        file.write(json.dumps(document, ensure_ascii=False, allow_nan=False))
    file.write("\n]\n")


def _write_table(blocks: Blocks, file: IO[str]) -> None:
    heads, rows = _rows(blocks)
    kinds = [parse_type(spec) for _, spec in heads]
    cells = [
        [plain_text(kind, value, digits=SIGNIFICANT_DIGITS) for kind, value in zip(kinds, row, strict=True)]
        for row in rows
    ]
    if not heads:
        return
    widths = [max(len(name), *(len(row[at]) for row in cells), 0) for at, (name, _) in enumerate(heads)]
    natural = sum(width + 3 for width in widths) + 1
    room = Console(file=file).width if file.isatty() else PIPE_WIDTH
    console = Console(file=file, width=max(natural, room), highlight=False, markup=False, emoji=False, soft_wrap=True)
    if natural > room:
        width = max(len(name) for name, _ in heads)
        for number, row in enumerate(cells, 1):
            console.print(f"--- row {number}")
            for (name, _), cell in zip(heads, row, strict=True):
                console.print(f"{name:<{width}}  {cell}")
    else:
        table = Table()
        for (name, _), kind in zip(heads, kinds, strict=True):
            numeric = kind.bare.name.startswith(("UInt", "Int", "Float", "Decimal"))
            table.add_column(Text(name), justify="right" if numeric else "left", no_wrap=True)
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)
    console.print(f"{len(cells)} {'row' if len(cells) == 1 else 'rows'}")


def _write_parquet(blocks: Blocks, out: Path) -> None:
    heads, first = next(blocks, ([], []))
    if not heads:
        raise ConfigError("the statement has no result to write")
    try:
        with pq.ParquetWriter(out, arrow_schema(heads), compression="zstd") as writer:
            if first and len(first[0]):
                writer.write_batch(arrow_batch(heads, first))
            for _, columns in blocks:
                if columns:
                    writer.write_batch(arrow_batch(heads, columns))
    except OSError as error:
        raise ConfigError(f"{str(out)!r} cannot be written: {error}") from None


def _print_list() -> None:
    """Every named query with its parameters and an example."""
    page = io.StringIO()
    for query in named_queries().values():
        page.write(f"{query.name}\n    {query.description}\n")
        for parameter in query.parameters:
            default = "has to be given" if parameter.default is None else f"default {parameter.default or 'empty'}"
            page.write(f"    --param {parameter.name}  {parameter.type}, {default}: {parameter.meaning}\n")
        page.write(f"    {query.example}\n\n")
    typer.echo(page.getvalue().rstrip())
