"""The entity view under other joining dates: by hand, as properties, and on the real blocks as docs/attribution.md has them."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.pools.entity_map import EntityGroup, EntityMap, Membership, load_entity_map
from counterpoise.pools.entity_table import EntityTable
from counterpoise.pools.matcher import Matcher
from counterpoise.pools.registry_file import load_registry
from desk.entity_readings import READINGS, entity_blocks, sensitivity
from tests.shared import shared_data

DOCS = Path(__file__).resolve().parents[3] / "docs" / "attribution.md"
DAY = date(2024, 1, 1)
FRIENDS = EntityGroup(
    "friends",
    "Friends",
    (
        Membership("a", date(2023, 1, 1), None, "s", confidence="assumed", seen=date(2023, 6, 1), seen_in="o"),
        Membership("b", date(2023, 1, 1), None, "s", confidence="assumed"),
        Membership("c", date(2025, 1, 1), None, "s", confidence="assumed", seen=date(2025, 2, 1), seen_in="o"),
        Membership("d", date(2020, 1, 1), None, "s", confidence="documented"),
    ),
)
OTHER = EntityGroup("other", "Other", (Membership("c", None, date(2025, 1, 1), "s", confidence="month"),))
MAP = EntityMap((FRIENDS, OTHER))
BLOCKS = {"a": 40, "b": 20, "c": 10, "d": 10, "e": 5}


def test_each_reading_by_hand() -> None:
    assert {reading: entity_blocks(BLOCKS, MAP, DAY, reading) for reading in READINGS} == {
        "earliest": {"friends": 80, "e": 5},
        "map": {"friends": 70, "other": 10, "e": 5},
        "seen": {"friends": 50, "b": 20, "other": 10, "e": 5},
        "never": {"a": 40, "b": 20, "other": 10, "friends": 10, "e": 5},
    }
    found = sensitivity(BLOCKS, 15, MAP, DAY)
    assert [found.readings[reading].top4_share for reading in READINGS] == [0.85, 0.85, 0.85, 0.80]
    # 70² + 10² + 5², and without a: 40² + 30² + 10² + 5².
    assert found.readings["map"].hhi_points == pytest.approx(5_025)
    assert [(one.member.pool, one.blocks) for one in found.members] == [("a", 40), ("b", 20)]
    assert found.members[0].without.hhi_points == pytest.approx(2_625)


POOLS = "abcdef"
MEMBERS = st.lists(
    st.tuples(
        st.sampled_from(POOLS),
        st.dates(date(2020, 1, 1), date(2026, 1, 1)),
        st.integers(0, 900),
        st.booleans(),
        st.booleans(),
    ),
    unique_by=lambda one: one[0],
    max_size=6,
)


@given(MEMBERS, st.dictionaries(st.sampled_from(POOLS), st.integers(1, 300), min_size=1), st.integers(0, 99))
def test_more_members_never_lower_concentration(
    members: list[tuple[str, date, int, bool, bool]], blocks: dict[str, int], unknown: int
) -> None:
    made = tuple(
        Membership(
            pool,
            start,
            None,
            "s",
            confidence="assumed" if assumed else "documented",
            seen=date.fromordinal(start.toordinal() + later) if observed else None,
            seen_in="o" if observed else "",
        )
        for pool, start, later, assumed, observed in members
    )
    entity_map = EntityMap((EntityGroup("g", "G", made),) if made else ())
    found = sensitivity(blocks, unknown, entity_map, DAY)
    order = [found.readings[reading] for reading in ("never", "seen", "map", "earliest")]
    for less, more in pairwise(order):
        assert less.top4_share <= more.top4_share + 1e-12 and less.hhi_points <= more.hhi_points + 1e-9
    for reading in READINGS:
        assert sum(entity_blocks(blocks, entity_map, DAY, reading).values()) == sum(blocks.values())
    if not any(one.confidence == "assumed" for one in made):
        assert len(set(order)) == 1 and not found.members


def test_the_table_of_the_docs_is_of_the_real_blocks() -> None:
    registry, entity_map = load_registry(), load_entity_map()
    table = EntityTable.build(registry, entity_map)
    slugs = {pool.code: pool.slug for pool in registry}
    blocks = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet"))
    times = blocks["date"].to_numpy().astype("datetime64[s]").astype(np.int64)
    pools = np.asarray(Matcher(registry).attribute_labels(blocks["pool_slug"].to_pylist()))
    rows = re.findall(r"(?m)^\| (\d{4}-\d\d-\d\d) \| (.+) \|$", DOCS.read_text(encoding="utf-8"))
    assert len(rows) >= 6
    for day, cells in rows:
        end = int(np.searchsorted(times, datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() + 86_400))
        while times[end - 1] >= datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() + 86_400:
            end -= 1
        codes = pools[end - 4_320 : end]
        counts = Counter(slugs[code] for code in codes.tolist() if code)
        at = datetime.fromtimestamp(int(times[end - 1]), UTC).date()
        found = sensitivity(counts, int((codes == 0).sum()), entity_map, at)
        expected = [
            f"{100 * found.readings[reading].top4_share:.1f} % / {found.readings[reading].hhi_points:,.0f}"
            for reading in READINGS
        ]
        assert cells.split(" | ") == expected, day
        # The stored entity view is translated by arrays, in other code.
        entities = Counter(table.codes[table.epoch(int(times[end - 1]))][codes].tolist())
        entities.pop(0, None)
        assert sorted(entities.values()) == sorted(entity_blocks(counts, entity_map, at).values())


def test_the_words_below_the_table_say_what_it_says() -> None:
    text = DOCS.read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| (\d{4}-\d\d-\d\d) \| (.+) \|$", text)
    top4 = {day: [float(cell.split(" %")[0]) for cell in cells.split(" | ")] for day, cells in rows}
    of_2021 = [earliest - on_map for day, (earliest, on_map, *_) in top4.items() if day.startswith("2021-")]
    assert f"In 2021 the undated group adds {min(of_2021):.0f} to {max(of_2021):.0f} points" in text
    _, on_map, seen, _ = top4["2023-12-31"]
    assert f"At the end of 2023 they are {on_map - seen:.0f} points of the top-4 share" in text
