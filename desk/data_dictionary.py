"""The data dictionary, docs/tables.md: every view and table with its columns, types, order and comments, as the engine has them."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Final

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.migrations import migrate
from counterpoise.contracts.datasets import Dataset
from counterpoise.settings.endpoints import ClickHouseTarget

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "tables.md"

HEAD: Final = """# Tables and views

`make generate` writes this page from the comments in `sql/tables` and `sql/views`; a test compares the two.

A dataset is one database of this name. Read the views: of every fact each shows the one row that is current. Names that end in
`_log` are storage. A newer row there replaces an older one of the same key (`ORDER BY`). Until a merge they contain duplicates and
replaced rows and need `FINAL`. Times are UTC. A share is between 0 and 1. NaN means undefined.
"""


def dictionary(ch: ClickHouse) -> str:
    """The page for the database that `ch` is connected to."""
    tables = ch.query(
        "SELECT name, comment, engine, sorting_key, create_table_query FROM system.tables "
        "WHERE database = currentDatabase() ORDER BY name"
    )
    columns: dict[str, list[tuple[str, str, str]]] = {}
    for table, name, spec, comment in ch.query(
        "SELECT table, name, type, comment FROM system.columns WHERE database = currentDatabase() ORDER BY table, position"
    ):
        columns.setdefault(table, []).append((name, spec, comment))
    views = [row for row in tables if row[2] == "View" and not row[0].endswith("_log")]
    internal_views = [row for row in tables if row[2] == "View" and row[0].endswith("_log")]
    stored = [row for row in tables if row[2] != "View"]
    parts = [HEAD, "## Views\n", *(_section(row, columns) for row in views)]
    parts += ["## Storage\n", *(_section(row, columns) for row in stored)]
    parts += ["## Internal views\n", *(f"- `{row[0]}`: {row[1]}" for row in internal_views)]
    return "\n".join(parts).rstrip() + "\n"


def _section(row: tuple[Any, ...], columns: dict[str, list[tuple[str, str, str]]]) -> str:
    name, comment, engine, sorting_key, statement = row
    lines = [f"### {name}\n", f"{comment}.\n"]
    if engine != "View":
        lines.append(f"`{engine}`, `ORDER BY ({sorting_key})`\n")
    described = columns.get(name, [])
    if not described or "{" in statement:
        lines.append(f"A view with parameters: call it as `{name}(…)` in FROM.\n")
        return "\n".join(lines)
    lines += ["| column | type | meaning |", "|---|---|---|"]
    lines += [f"| {column} | `{_cell(spec)}` | {_cell(text)} |" for column, spec, text in described]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def page_of_a_new_database(target: ClickHouseTarget) -> str:
    """Migrate a new database on `target`, describe it, drop it."""
    name = f"dictionary_{secrets.token_hex(6)}"
    with connect(target, "") as server:
        try:
            migrate(target, Dataset(name, "simulated"))
            with connect(target, name) as ch:
                return dictionary(ch)
        finally:
            server.execute("DROP DATABASE IF EXISTS {name:Identifier} SYNC", {"name": name})
