"""Pools added up by entity at a time, as the entity view does, under one attribution set or two."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

import pytest

from counterpoise.clickhouse.earlier_attribution import EarlierPools
from counterpoise.clickhouse.explain_window import by_earlier_entity, by_entity, entity_pair
from counterpoise.clickhouse.pool_blocks import PoolBlocks, ViewOfWindow
from counterpoise.explain.explained_change import Window, explain
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.pools.entity_map import EntityGroup, EntityMap, Membership
from counterpoise.pools.pool_registry import Pool, Registry

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


def set_of(pools: dict[str, int], **groups: tuple[str, ...]) -> AttributionSet:
    """Pools with their codes, and groups of them from 2022 on."""
    start = date(2022, 1, 1)
    return AttributionSet(
        Registry(tuple(Pool(slug, slug.title(), code) for slug, code in pools.items())),
        EntityMap(
            tuple(
                EntityGroup(slug, slug.title(), tuple(Membership(pool, start, None, "by hand") for pool in members))
                for slug, members in groups.items()
            )
        ),
    )


# The new set calls the pool `old-name` `new-name`, splits `e` off `d`, and gives the name of an earlier group to another new pool.
THEN = set_of({"a": 1, "old-name": 2, "c": 3, "d": 4}, friends=("a", "old-name"))
NOW = set_of({"a": 1, "new-name": 2, "c": 3, "d": 4, "e": 5, "friends": 6}, owner=("c", "d"))
DAY = datetime(2023, 6, 1, tzinfo=UTC)


def test_the_earlier_map_knows_a_renamed_pool_and_no_new_one() -> None:
    blocks = {"a": 10, "new-name": 20, "c": 5, "e": 7, "friends": 3}
    found = by_earlier_entity(blocks, NOW, THEN, DAY)
    assert found == {"friends": 30, "c": 5, "+e": 7, "+friends": 3}
    before_the_group = datetime(2021, 6, 1, tzinfo=UTC)
    assert by_earlier_entity(blocks, NOW, THEN, before_the_group) == {
        **{"a": 10, "old-name": 20, "c": 5},
        **{"+e": 7, "+friends": 3},
    }


def test_the_code_of_a_pool_that_kept_its_slug_names_no_other_pool() -> None:
    then, now = set_of({"a": 1, "b": 2}, both=("a", "b")), set_of({"a": 1, "b": 3, "z": 2})
    assert by_earlier_entity({"a": 4, "b": 5, "z": 6}, now, then, DAY) == {"both": 9, "+z": 6}


def window_at(height: int, raw: dict[str, int], unknown: int) -> PoolBlocks:
    n = sum(raw.values()) + unknown
    view = ViewOfWindow(n, unknown, len(raw), ())
    return PoolBlocks("bitcoin", 144, height, DAY, "00", NOW.attribution_id, {"raw": view, "entity": view}, raw)


def test_steps_from_one_set_to_another_by_hand() -> None:
    """Under the earlier set e's 20 blocks were d's, and 4 more were unknown. The map joined a with b, and now joins c with d."""
    earlier = EarlierPools(THEN.attribution_id, {"a": 30, "old-name": 20, "c": 10, "d": 36}, 4)
    before = window_at(100, {"a": 34, "new-name": 20, "c": 10, "d": 16, "e": 20}, 0)
    after = window_at(200, {"a": 30, "new-name": 20, "c": 14, "d": 16, "e": 20}, 0)
    pair = entity_pair(before, after, NOW, earlier, THEN)
    assert (pair.before_attribution_id, pair.attribution_id) == (THEN.attribution_id, NOW.attribution_id)
    found = explain("hhi_10000", pair.before, pair.after, reattributed=pair.reattributed, remapped=pair.remapped)
    steps = (
        50**2 + 10**2 + 36**2,  # a and b; c; d
        54**2 + 10**2 + 16**2 + 20**2,  # the same map, with d and e apart
        34**2 + 20**2 + 26**2 + 20**2,  # a; b; c and d; e
        30**2 + 20**2 + 30**2 + 20**2,
    )
    assert (found.before, found.after) == pytest.approx((steps[0], steps[3]))
    assert found.attribution == pytest.approx(steps[1] - steps[0])
    assert found.entity_map == pytest.approx(steps[2] - steps[1])
    assert math.fsum(part.change for part in found.parts) == pytest.approx(steps[3] - steps[2])
    assert {part.pool for part in found.parts} == {"a", "new-name", "owner", "e"}, "parts have the names of now"
    alone = entity_pair(before, before, NOW, earlier, THEN)
    found = explain("hhi_10000", alone.before, alone.after, reattributed=alone.reattributed, remapped=alone.remapped)
    assert found.change == pytest.approx(found.attribution + found.entity_map) != 0
    assert not any(part.change for part in found.parts)
