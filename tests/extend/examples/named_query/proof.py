"""A new query is listed with its parameter, runs by its name, and is in the docs."""

from __future__ import annotations

from pathlib import Path

from tests.extend.proving import Upgraded, command
from tests.integration.sql.sample import insert_all

NAME = "blocks_by_hour"


def test_it_is_listed_and_runs(upgraded: Upgraded) -> None:
    assert upgraded.done == []
    listed = command("sql", "--list")
    assert NAME in listed and "Blocks of each hour of the day" in listed
    insert_all(upgraded.ch, 20)
    [(blocks,)] = upgraded.ch.query("SELECT count() FROM blocks WHERE chain = 'bitcoin'")
    rows = command("sql", "--name", NAME, "--format", "csv", database=upgraded.ch.database).splitlines()
    assert rows[0] == "hour,blocks,unknown_ratio"
    assert blocks > 0 and sum(int(row.split(",")[1]) for row in rows[1:]) == blocks


def test_the_docs_list_it() -> None:
    assert f"| `{NAME}` | Blocks of each hour" in Path("docs/sql.md").read_text(encoding="utf-8")
