"""docs/sql.md: its SQL runs, its commands exist, and it names every query."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from counterpoise.clickhouse.client import ClickHouse
from desk.named_queries import named_queries
from tests.integration.sql.sample import CURRENT

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "sql.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


def test_every_named_query_is_on_the_page() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(named_queries())


@pytest.mark.parametrize("place", range(len(BLOCKS)))
def test_its_sql_runs(sample: ClickHouse, place: int) -> None:
    given = {"attribution_id": CURRENT} if "{attribution_id:" in BLOCKS[place] else {}
    rows = sample.query(BLOCKS[place], given)
    assert rows or "epoch-ai-compute-owners" in BLOCKS[place]  # the sample has the mining side only


def test_its_named_commands_take_the_parameters_that_it_gives() -> None:
    calls = re.findall(r"--name (\w+)((?: --param \w+=\S+)*)", PAGE)
    assert len(calls) >= 4
    for name, parameters in calls:
        known = {parameter.name for parameter in named_queries()[name].parameters}
        assert set(re.findall(r"--param (\w+)=", parameters)) <= known, name
