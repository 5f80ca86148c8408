"""Questions about some heights read some granules: conditions on a view reach the primary key of the table below it."""

from __future__ import annotations

import re

import pytest

from counterpoise.clickhouse.client import ClickHouse

QUESTIONS = {
    "blocks": ("SELECT height, pool FROM blocks WHERE chain = 'bitcoin' AND height BETWEEN 800100 AND 800110", 2),
    "blocks_all": ("SELECT height, pool FROM blocks_all WHERE chain = 'bitcoin' AND height = 800100", 2),
    "attributions": (
        "SELECT height, pool FROM attributions WHERE chain = 'bitcoin' AND height BETWEEN 800100 AND 800110",
        2,
    ),
    "attributions_of": (
        "SELECT height, pool FROM attributions_of(attribution_id = 'r-current') WHERE chain = 'bitcoin' AND height = 800100",
        2,
    ),
    "concentration": (
        "SELECT top4_share, hhi_low, leaders FROM concentration WHERE chain = 'bitcoin' AND view = 'raw' AND window_blocks = 144 "
        "AND height BETWEEN 800100 AND 800110",
        1,
    ),
    "concentration_of": (
        "SELECT top4_share FROM concentration_of(attribution_id = 'r-current') WHERE chain = 'bitcoin' AND view = 'raw' "
        "AND window_blocks = 144 AND height = 800100",
        1,
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_conditions_on_height_reach_the_primary_key(sample: ClickHouse, name: str) -> None:
    question, tables = QUESTIONS[name]
    plan = "\n".join(line for (line,) in sample.query(f"EXPLAIN indexes = 1 {question}"))
    conditions = re.findall(r"Condition: (.*)", plan)
    assert len(conditions) == plan.count("ReadFromMergeTree") == tables, plan
    assert all("height in [800100, " in found or "height in [800100, 800100]" in found for found in conditions), plan
    assert all("chain in ['bitcoin', 'bitcoin']" in found for found in conditions), plan


def test_the_latest_rows_are_read_by_their_keys(sample: ClickHouse) -> None:
    plan = "\n".join(line for (line,) in sample.query("EXPLAIN indexes = 1 SELECT * FROM latest_concentration"))
    assert plan.count("ReadFromMergeTree") == 1 and "concentration_latest_log" in plan
    [condition] = re.findall(r"Condition: (.*)", plan)
    assert condition == "((attribution_id, chain) in 2-element set)"
