"""The rules file: what ships, and one file for each mistake, whose first line is the message that it must give."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.rules.metric import MetricRule
from alerts.rules.rule import HeightRule, Rule, TimerRule
from alerts.rules.rule_types import RULE_TYPES
from alerts.rules.top_share import TopShareRule
from alerts.rules_file import MAX_FILE_BYTES, load_rules, parse_rules
from counterpoise.chain.chain_registry import CHAINS, known_chains
from counterpoise.errors import ConfigError

MISTAKES = sorted((Path(__file__).parent / "mistakes").glob("*.yaml"))


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_a_mistake_gives_its_message(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        parse_rules(text, "rules file")
    expected = text.splitlines()[0].removeprefix("# ").replace("{known_chains}", known_chains())
    assert str(caught.value) == expected


def test_every_field_of_every_type_has_a_mistake_file_or_is_free() -> None:
    """Each field's expectation is a sentence: a mistake in it can always be explained."""
    for model in RULE_TYPES.values():
        for name, field in model.model_fields.items():
            assert name == "type" or field.description, f"{model.__name__}.{name}"


def test_the_shipped_rules_are_the_documented_ones() -> None:
    rules = {rule.id: rule for rule in load_rules(None)}
    assert {rule_id for rule_id, rule in rules.items() if not rule.enabled} == {"top4-probability"}
    top = rules["top4-share"]
    assert isinstance(top, TopShareRule)
    assert (top.k, top.view, top.window_blocks, top.above, top.for_blocks, top.clear_below) == (
        4,
        "raw",
        1008,
        0.75,
        36,
        0.73,
    )
    assert {type(rule) for rule in rules.values()} == set(RULE_TYPES.values()) - {MetricRule}
    assert getattr(rules["no-block"], "after", None) == 7_200


def test_every_type_is_judged_one_way_or_the_other() -> None:
    for name, model in RULE_TYPES.items():
        assert model.model_fields["type"].default == name
        assert issubclass(model, HeightRule) != issubclass(model, TimerRule)


def hash_of(**fields: object) -> str:
    [rule] = parse_rules(f"version: 1\nrules: [{ {'id': 'a', 'type': 'top_share', **fields} }]", "rules file")
    return rule.rule_hash


def test_the_hash_follows_from_what_a_rule_says_and_nothing_else() -> None:
    assert hash_of() == hash_of(above=0.75, for_blocks=36, k=4)
    assert hash_of() == hash_of(title="another title") == hash_of(id="b") == hash_of(enabled=False).lower()
    changed = [
        hash_of(above=0.76),
        hash_of(k=3),
        hash_of(view="entity"),
        hash_of(for_blocks=0),
        hash_of(chain="litecoin"),
    ]
    assert len({hash_of(), *changed}) == 6
    assert all(len(found) == 12 and set(found) <= set("0123456789abcdef") for found in changed)


def one(**fields: object) -> Rule:
    [rule] = parse_rules(f"version: 1\nrules: [{ {'id': 'a', **fields} }]", "rules file")
    return rule


@pytest.mark.parametrize("kind", RULE_TYPES)
def test_a_rule_on_all_chains_is_one_on_each_where_chains_differ(kind: str) -> None:
    needs = {"metric": {"metric": "hhi_10000", "above": 2500}}.get(kind, {})
    judged = one(type=kind, chain="all", title="T", **needs).per_chain()
    chains = list(CHAINS) if RULE_TYPES[kind].OF_A_CHAIN else ["bitcoin"]
    assert [rule.chain for rule in judged] == chains
    for rule in judged:
        assert rule.id == "a"
        assert rule.rule_hash == one(type=kind, chain=rule.chain, **needs).rule_hash, (
            "it is the rule that names the chain"
        )
    assert [rule.title for rule in judged] == ([f"T ({chain})" for chain in chains] if len(chains) > 1 else ["T"])
    on_litecoin = one(type=kind, chain="litecoin", **needs)
    assert on_litecoin.per_chain() == (on_litecoin,)


def test_a_rule_on_no_block_has_its_chains_time_unless_it_names_one() -> None:
    assert one(type="no_block").rule_hash == one(type="no_block", after="2h", chain="bitcoin").rule_hash
    times = {rule.chain: rule.condition() for rule in one(type="no_block", chain="all").per_chain()}
    hours = {"bitcoin": 2, "litecoin": 1, "bitcoin-cash": 2, "testnet4": 2, "signet": 2}
    assert times | {chain: f"no block for {n} h" for chain, n in hours.items()} == times
    assert one(type="no_block", chain="litecoin").condition() == "no block for 1 h"
    named = one(type="no_block", chain="all", after="30m")
    assert {rule.condition() for rule in (named, *named.per_chain())} == {"no block for 30 min"}
    said = one(type="no_block", chain="all").condition()
    assert said.startswith("no block for the chain's time (bitcoin 2 h, litecoin 1 h, bitcoin-cash 2 h, testnet4 2 h, ")
    assert all(name in said for name in CHAINS)


def test_what_two_hours_without_a_block_mean_is_said_of_chains_of_ten_minutes_only() -> None:
    said = "two hours without a block come by chance once in three to four years"
    assert said in one(type="no_block").next_step()
    assert said in one(type="no_block", chain="bitcoin-cash", after="3h").next_step()
    assert said not in one(type="no_block", chain="litecoin").next_step()
    assert one(type="no_block", chain="litecoin").next_step().endswith("the chain itself may be slow.")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    with pytest.raises(ConfigError) as caught:
        load_rules(path)
    assert str(caught.value) == (
        f"rules file {str(path)!r} cannot be read (No such file or directory): "
        "set COUNTERPOISE_ALERTS__RULES_FILE to a file, or leave it out for the shipped rules"
    )


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_bytes(b"version: 1 # caf\xe9")
    with pytest.raises(ConfigError) as caught:
        load_rules(path)
    assert str(caught.value) == (
        f"rules file {str(path)!r} is not UTF-8 at byte 16: save it as UTF-8, then check with `counterpoise alerts rules`"
    )


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(ConfigError) as caught:
        load_rules(path)
    assert str(caught.value) == (
        f"rules file {str(path)!r} has over 262144 bytes: correct it, then check with `counterpoise alerts rules`"
    )


def test_a_rule_is_closed_and_frozen() -> None:
    rule: Rule = load_rules(None)[0]
    with pytest.raises(ValueError, match="frozen"):
        rule.id = "other"  # type: ignore[misc]
