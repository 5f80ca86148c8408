"""The set: one id for equal content, a full round trip, and refusal of what would answer differently."""

import json
from dataclasses import replace

import pytest

from counterpoise.errors import ConfigError
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.pools.entity_map import EntityMap
from counterpoise.pools.evidence import Evidence
from counterpoise.pools.pool_registry import Registry, Tag

DEFAULT = AttributionSet.default()


def test_the_id_is_short_and_stable() -> None:
    assert DEFAULT.attribution_id.startswith("r")
    assert len(DEFAULT.attribution_id) == 13
    assert int(DEFAULT.attribution_id[1:], 16) >= 0
    assert AttributionSet.default().attribution_id == DEFAULT.attribution_id
    shuffled = AttributionSet(Registry(tuple(reversed(DEFAULT.registry.pools))), DEFAULT.entity_map)
    assert shuffled.attribution_id == DEFAULT.attribution_id


def test_either_part_changes_the_id() -> None:
    first, *others = DEFAULT.registry.pools
    tagged = Registry((replace(first, tags=(*first.tags, Tag("/new/"))), *others))
    ids = {
        DEFAULT.attribution_id,
        AttributionSet(tagged, DEFAULT.entity_map).attribution_id,
        AttributionSet(DEFAULT.registry, EntityMap(())).attribution_id,
    }
    assert len(ids) == 3


def test_round_trip_through_json() -> None:
    text = DEFAULT.to_json()
    loaded = AttributionSet.from_json(text)
    assert loaded == DEFAULT
    assert loaded.attribution_id == DEFAULT.attribution_id
    assert loaded.to_json() == text
    assert len(text) < 100_000
    evidence = Evidence(b"/slush/")
    assert loaded.matcher.attribute(evidence) == DEFAULT.matcher.attribute(evidence)
    assert (loaded.entity_table.codes == DEFAULT.entity_table.codes).all()
    assert loaded.entity_table.names == DEFAULT.entity_table.names


def test_names_cover_every_code_that_a_fold_can_meet() -> None:
    table = DEFAULT.entity_table
    assert set(table.codes.ravel().tolist()) <= set(table.names)
    assert max(table.names) == DEFAULT.registry.max_code + len(DEFAULT.entity_map.groups)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rules": 0}, "set: document: rules: 0, expected 1; attribute again with this version"),
        ({"format": "x"}, "set: document: format: 'x', expected 'counterpoise-attribution-set/1'"),
        ({"registry": None}, "set: registry: document: value: None, expected a mapping of fields"),
        ({"entities": []}, "set: entities: document: value: [], expected a mapping of fields"),
        ({"more": 1}, "set: document: field: 'more', expected one of format, rules, registry, entities"),
    ],
)
def test_a_document_that_does_not_fit_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        AttributionSet.from_json(json.dumps(json.loads(DEFAULT.to_json()) | change), "set")
    assert str(raised.value) == message


def test_no_json_and_a_map_of_other_pools_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^set: not JSON: "):
        AttributionSet.from_json("{", "set")
    with pytest.raises(ConfigError, match="expected a slug of the registry"):
        AttributionSet(Registry(()), DEFAULT.entity_map)
