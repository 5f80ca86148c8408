"""Pools added up by entity at a time, as the entity view does."""

from __future__ import annotations

from datetime import UTC, datetime

from counterpoise.clickhouse.explain_window import by_entity
from counterpoise.explain.explained_change import Window, explain
from counterpoise.pools.attribution_set import AttributionSet

BLOCKS = {"foundry-usa": 40, "antpool": 20, "braiins-pool": 10, "poolin": 5, "unknown": 9}


def test_members_count_from_their_start_on() -> None:
    owners = AttributionSet.default()
    before, after = (by_entity(BLOCKS, owners, datetime(year, 6, 1, tzinfo=UTC)) for year in (2021, 2023))
    assert sum(before.values()) == sum(after.values()) == 75
    assert after == {"foundry-usa": 40, "antpool-and-friends": 35}
    assert before["braiins-pool"] == 10 and "antpool-and-friends" not in before


def test_a_change_of_the_map_is_not_a_change_of_blocks() -> None:
    owners = AttributionSet.default()
    before, after = (by_entity(BLOCKS, owners, datetime(year, 6, 1, tzinfo=UTC)) for year in (2021, 2023))
    found = explain("top1_share", Window(before, 9, 1), Window(after, 9, 2), remapped=Window(after, 9, 1))
    assert found.change == found.entity_map == 0.0  # Foundry leads under both
    found = explain("hhi", Window(before, 9, 1), Window(after, 9, 2), remapped=Window(after, 9, 1))
    assert found.change == found.entity_map > 0 and not any(part.change for part in found.parts)
