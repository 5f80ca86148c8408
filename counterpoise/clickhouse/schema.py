"""The schema as files: one a storage table (`sql/tables`), one a view (`sql/views`).

A table file states the table as it is now. A view's identity is its text and that of every view that it reads from, so that a view is
created anew where anything below it changed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from counterpoise.clickhouse.sql_files import split_statements, sql_files
from counterpoise.errors import ConfigError

_TABLE: Final = re.compile(r"^CREATE TABLE IF NOT EXISTS (\w+)$", re.MULTILINE)
_VIEW: Final = re.compile(r"^CREATE OR REPLACE VIEW (\w+)$", re.MULTILINE)
_SOURCE: Final = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)")
_WRITTEN_BY: Final = re.compile(r"^-- Written by: (.+)$", re.MULTILINE)
_COMMENT_LINE: Final = re.compile(r"^--.*$", re.MULTILINE)


WRITERS: Final = ("ingest", "streams", "alerts", "desk", "migrate", "people")
"""Who may write a table: a service, `counterpoise migrate`, or people with `counterpoise sql --write`."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One table or view: its name and the statement that creates it."""

    name: str
    statement: str


@dataclass(frozen=True, slots=True)
class View:
    """A view with the hash of its text and of those that it reads from."""

    name: str
    statement: str
    sha256: str


def read_tables(files: Iterable[Path] | None = None) -> list[Definition]:
    """Every storage table by name; ConfigError for a file that is not one `CREATE TABLE IF NOT EXISTS` of its own name."""
    return [_definition(path, _TABLE) for path in (sql_files("tables") if files is None else files)]


def table_writers(texts: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Who writes each storage table, by the texts of their files; ConfigError for one that names nobody, or none of WRITERS."""
    found: dict[str, tuple[str, ...]] = {}
    for table, text in texts.items():
        lines = _WRITTEN_BY.findall(text)
        names = tuple(lines[0].split(", ")) if len(lines) == 1 else ()
        if not names or not set(names) <= set(WRITERS):
            raise ConfigError(f"{table}.sql: expected one line `-- Written by: …` with some of {', '.join(WRITERS)}")
        found[table] = names
    return found


def read_views(files: Iterable[Path] | None = None) -> list[View]:
    """Every view, each after those that it reads from; ConfigError for a file that is not one view of its own name, and a circle."""
    return ordered_views([_definition(path, _VIEW) for path in (sql_files("views") if files is None else files)])


def ordered_views(definitions: Iterable[Definition]) -> list[View]:
    """Definitions as views, each after those that it reads from."""
    by_name = {definition.name: definition for definition in definitions}
    placed: dict[str, View] = {}
    for name in sorted(by_name):
        _place(name, by_name, placed, ())
    return list(placed.values())


def _place(name: str, by_name: Mapping[str, Definition], placed: dict[str, View], waiting: tuple[str, ...]) -> None:
    if name in placed:
        return
    if name in waiting:
        raise ConfigError(f"views read each other in a circle: {' → '.join((*waiting, name))}")
    statement = by_name[name].statement
    sources = sorted((set(_SOURCE.findall(statement)) & by_name.keys()) - {name})
    for source in sources:
        _place(source, by_name, placed, (*waiting, name))
    below = "".join(placed[source].sha256 for source in sources)
    placed[name] = View(name, statement, hashlib.sha256((statement + below).encode()).hexdigest())


def _definition(path: Path, pattern: re.Pattern[str]) -> Definition:
    statements = split_statements(path.read_text(encoding="utf-8"))
    names = pattern.findall(statements[0]) if len(statements) == 1 else []
    if names != [path.stem]:
        raise ConfigError(f"{path}: a file holds one statement, the one that creates {path.stem}")
    return Definition(path.stem, _COMMENT_LINE.sub("", statements[0]).strip())
