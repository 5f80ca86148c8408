"""`counterpoise sql`: SQL or a named query, read-only unless --write is given."""

from __future__ import annotations

import difflib
import io
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from counterpoise.errors import ConfigError, RetryableError
from desk.cli.completed_names import query_names
from desk.cli.options import number
from desk.cli.result_formats import TABLE_ROWS, Format, format_of, write_result
from desk.cli.say import say

if TYPE_CHECKING:
    from clickhouse_driver import errors as driver

    from counterpoise.clickhouse.sent_table import SentTable


def sql(
    query: Annotated[str | None, typer.Argument(help="SQL; - reads it from standard input.")] = None,
    *,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of a named query; --list shows them.", autocompletion=query_names),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", help="Value of a {name:Type} parameter; repeat.", metavar="NAME=VALUE"),
    ] = None,
    own: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            help="A file of yours (.csv, .tsv, .jsonl, .parquet) as a table for this query; repeat.",
            metavar="NAME=FILE",
        ),
    ] = None,
    show_types: Annotated[
        bool,
        typer.Option("--show-types", help="With --with: print the columns and types of the files, and run nothing."),
    ] = False,
    show_list: Annotated[bool, typer.Option("--list", help="List the named queries and their parameters.")] = False,
    show: Annotated[bool, typer.Option("--show", help="With --name: print the query's SQL and do not run it.")] = False,
    output: Annotated[
        Format | None,
        typer.Option(
            "--format", help="Format of the result: by the ending of --out, else a table.", show_default=False
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file, atomically.", dir_okay=False)] = None,
    max_rows: Annotated[
        int | None,
        number(
            "--max-rows", least=0, help=f"Largest number of rows; 0: no limit. The default is {TABLE_ROWS} for a table."
        ),
    ] = None,
    raw_csv: Annotated[
        bool,
        typer.Option("--raw-csv", help="Write CSV for programs: exact text, also where a spreadsheet would run it."),
    ] = False,
    write: Annotated[bool, typer.Option("--write", help="Allow the statement to change data or tables.")] = False,
) -> None:
    """Query ClickHouse with SQL or a named query. Read-only unless --write is given.

    Exit code 0 with the answer, 2 for a wrong query, 3 if the server does not answer.
    """
    from desk.named_queries import named_query

    if show_list:
        _print_list()
        return
    if show_types:
        _print_types(own or [], query or name)
        return
    if show and name is not None:
        say(named_query(name).sql.rstrip())
        return
    if (query is None) == (name is None) or show:
        raise ConfigError(
            'give SQL, or --name and a query\'s name: counterpoise sql "SELECT 1", counterpoise sql --list'
        )
    given = _parameters(param or [])
    written = format_of(output, out)
    if name is not None:
        named = named_query(name)
        text, values = named.sql, named.bind(given)
    else:
        text, values = (sys.stdin.read() if query == "-" else str(query)), given
        if not text.strip():
            raise ConfigError("the SQL is empty")
    _ask(text, values, written, out, max_rows, tables=_own_tables(own or []), write=write, raw_csv=raw_csv)


def _ask(
    text: str,
    values: dict[str, str],
    output: Format,
    out: Path | None,
    max_rows: int | None,
    *,
    tables: Sequence[SentTable],
    write: bool,
    raw_csv: bool,
) -> None:
    from clickhouse_driver import errors as driver

    from counterpoise.clickhouse.client import connect
    from counterpoise.clickhouse.error_codes import READONLY
    from counterpoise.clickhouse.read_only import connect_read_only
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings
    from desk.results.query_errors import UNKNOWN_TABLE

    settings = Settings.load()
    target = clickhouse_target(settings, read_only=not write)
    try:
        connection = connect(target, settings.dataset) if write else connect_read_only(target, settings.dataset)
    except RetryableError as error:
        step = (
            "`counterpoise up` starts it"
            if settings.clickhouse.host is None
            else "`counterpoise doctor` shows the cause"
        )
        raise RetryableError(f"{error}: {step}") from error
    with connection as clickhouse:
        try:
            write_result(clickhouse.stream(text, values, tables=tables), output, out, max_rows, raw_csv=raw_csv)
        except driver.Error as error:
            raise _refusal(error, text) from error
        except ConfigError as error:
            cause = error.__cause__
            if not isinstance(cause, driver.Error) or cause.code not in {READONLY, UNKNOWN_TABLE}:
                raise
            if cause.code == UNKNOWN_TABLE:
                raise _refusal(
                    cause, text, "`SHOW TABLES` lists the tables, and `counterpoise migrate` creates missing ones"
                ) from error
            if write:
                raise
            raise _refusal(
                cause, text, "`counterpoise sql` only reads, and changes no setting, unless --write is given"
            ) from error


def _refusal(error: driver.Error, text: str, next_step: str = "") -> ConfigError:
    """The server's error about `text` in one line. Below it is the place, if the server names it."""
    from counterpoise.clickhouse.error_codes import first_line
    from desk.results.query_errors import SYNTAX_ERROR, UNKNOWN_PARAMETER, query_error

    found = query_error(error.code, first_line(error, limit=2_000), text)
    word = text.strip()
    if found.code == SYNTAX_ERROR and re.fullmatch(r"\w+", word):
        next_step = f"run a named query by --name{_nearest(word)}"
    if found.code == UNKNOWN_PARAMETER:
        next_step = "pass it as --param NAME=VALUE"
    refusal = ConfigError(found.sentence(next_step))
    if found.pointer:
        refusal.add_note(found.pointer)
    return refusal


def _nearest(word: str) -> str:
    from desk.named_queries import named_queries

    near = difflib.get_close_matches(word, named_queries(), 1)
    return f" {near[0]}" if near else ", and --list shows them"


def _parameters(pairs: Iterable[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError(f"--param takes NAME=VALUE, not {pair!r}")
        given[name] = value
    return given


def _own_tables(given: Sequence[str]) -> Sequence[SentTable]:
    if not given:
        return ()
    from desk.cli.own_tables import own_tables

    return own_tables(given)


def _print_types(given: Sequence[str], statement: str | None) -> None:
    if not given or statement is not None:
        raise ConfigError(
            "--show-types takes --with and no query: counterpoise sql --with price=price.csv --show-types"
        )
    from desk.cli.own_tables import described

    say(described(_own_tables(given)))


def _print_list() -> None:
    """Every named query with its parameters and an example."""
    from desk.named_queries import named_queries

    page = io.StringIO()
    for query in named_queries().values():
        page.write(f"{query.name}\n    {query.description}\n")
        for parameter in query.parameters:
            default = "required" if parameter.default is None else f"default {parameter.default or 'empty'}"
            page.write(f"    --param {parameter.name}  {parameter.type}, {default}: {parameter.meaning}\n")
        page.write(f"    {query.example}\n\n")
    say(page.getvalue().rstrip())
