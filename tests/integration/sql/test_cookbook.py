"""SQL that a page shows runs: code blocks of SQL, and what commands give to `counterpoise sql`. docs/sql.md names every query."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from counterpoise.clickhouse.client import ClickHouse
from desk.named_queries import named_queries
from tests.integration.sql.sample import CURRENT
from tests.shown_commands import all_shown

DOCS: Final = Path(__file__).resolve().parents[3] / "docs"
PAGE: Final = (DOCS / "sql.md").read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
BLOCKS_ELSEWHERE: Final = [
    (page.name, statement)
    for page in sorted(DOCS.glob("*.md"))
    if page.name != "sql.md"
    for block in re.findall(r"```sql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for statement in block.split(";\n")
    if statement.strip()
]


def shown_sql() -> list[tuple[str, str, dict[str, str]]]:
    """(place, SQL, parameters) of each whole `counterpoise sql` of the pages and help texts; files of the reader's left out."""
    found = []
    for shown in all_shown():
        words = shown.arguments
        if "sql" not in words[:3] or not {"--with", "--show", "--list"}.isdisjoint(words) or "SELECT 1" in words:
            continue
        rest = words[words.index("sql") + 1 :]
        options = dict(pairwise(rest))
        given = dict(
            value.split("=", 1) for option, value in pairwise(rest) if option == "--param" and "…" not in value
        )
        if (name := options.get("--name")) in named_queries():
            query = named_queries()[str(name)]
            found.append((shown.place, query.sql, query.bind(given)))
        elif rest and rest[0].startswith("SELECT") and "…" not in rest[0]:
            found.append((shown.place, rest[0], given))
    return found


def test_every_named_query_is_on_the_page() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(named_queries())


@pytest.mark.parametrize("place", range(len(BLOCKS)))
def test_its_sql_runs(sample: ClickHouse, place: int) -> None:
    given = {"attribution_id": CURRENT} if "{attribution_id:" in BLOCKS[place] else {}
    rows = sample.query(BLOCKS[place], given)
    assert rows or "epoch-ai-compute-owners" in BLOCKS[place]  # the sample has the mining side only


def test_sql_of_other_pages_runs(sample: ClickHouse) -> None:
    assert {"risk.md", "clients.md"} <= {page for page, _ in BLOCKS_ELSEWHERE}
    for _, statement in BLOCKS_ELSEWHERE:
        sample.execute(statement)


def test_commands_that_query_run(sample: ClickHouse) -> None:
    found = shown_sql()
    assert len(found) > 40
    assert any(place.startswith("README.md") for place, _, _ in found)
    for _, sql, values in found:
        sample.query(sql, values)
