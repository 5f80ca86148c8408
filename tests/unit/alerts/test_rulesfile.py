"""The rules file: what ships, and a file for each mistake, whose head has the messages that it must give."""

from __future__ import annotations

import json
import re
from itertools import takewhile
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from alerts.rules.metric_rule import MetricRule
from alerts.rules.rule import HeightRule, Rule, TimerRule
from alerts.rules.rule_types import RULE_TYPES
from alerts.rules.rules_document import MAX_MISTAKES
from alerts.rules.sql_rule import SqlRule
from alerts.rules.top_share_rule import TopShareRule
from alerts.rules.when import WhenRule
from alerts.rules_file import (
    MAX_FILE_BYTES,
    RulesFileError,
    load_rules,
    parse_rules,
    parse_rules_file,
    read_rules_file,
)
from counterpoise.chain.chain_registry import CHAINS, known_chains
from counterpoise.errors import ConfigError
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.visible import visible
from desk.cli.rules import rules_app

MISTAKES = sorted((Path(__file__).parent / "mistakes").glob("*.yaml"))


def expected_of(text: str) -> list[str]:
    """The comment lines at the head of a file of mistakes: `LINE:COLUMN what is wrong`, in order."""
    names = {"{known_chains}": known_chains(), "{rule_types}": ", ".join(RULE_TYPES), "{metrics}": ", ".join(SPECS)}
    found = []
    for line in takewhile(lambda one: one.startswith("# "), text.splitlines()):
        expected = line.removeprefix("# ")
        for mark, value in names.items():
            expected = expected.replace(mark, value)
        found.append(expected)
    return found


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_every_mistake_gives_its_message_and_its_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    file = parse_rules_file(text, "rules file")
    assert file.rules == ()
    assert [f"{one.line}:{one.column} {one.problem}" for one in file.mistakes] == expected_of(text)


def test_the_exception_of_one_mistake_is_one_line() -> None:
    with pytest.raises(RulesFileError) as caught:
        parse_rules("version: 1\nrules:\n  - {id: a, type: top_share, k: 7}\n", "rules file 'r.yaml'")
    assert str(caught.value) == (
        "rules file 'r.yaml', line 3, column 33: rule 'a' (number 1): field 'k' is 7, expected a whole number, 1…6: "
        "correct it, then check with `counterpoise rules check`"
    )
    assert not hasattr(caught.value, "__notes__")


def test_the_exception_of_several_mistakes_has_all_of_them() -> None:
    with pytest.raises(RulesFileError) as caught:
        parse_rules("version: 1\nrules:\n  - {id: a, type: top_share, k: 7, above: 75}\n", "rules file")
    assert str(caught.value).startswith(
        "rules file has 2 mistakes, the first: line 3, column 33: rule 'a' (number 1): "
    )
    assert str(caught.value).endswith(": correct them, then check with `counterpoise rules check`")
    assert [one.field for one in caught.value.mistakes] == ["k", "above"]
    assert [note.partition(": ")[0] for note in caught.value.__notes__] == [
        "  line 3, column 33",
        "  line 3, column 43",
    ]


FAULTS: dict[str, tuple[str, str]] = {
    "chain": ("chain: bitcoinn", "bitcoin"),
    "view": ("view: entty", "entity"),
    "window_blocks": ("window_blocks: 1000", ""),
    "for_blocks": ("for_blocks: -1", ""),
    "k": ("k: seven", ""),
    "above": ("above: 2024-02-31", ""),
    "clear_below": ("clear_below: &c 2", ""),
    "enabled": ("enabled: maybe", ""),
    "title": ("title: *t", ""),
    "titel": ("titel: x", "title"),
    "type": ("type: top_shared", "top_share"),
}
"""Field → a line that is wrong, and the name that is offered instead. None of them depends on another field."""


@given(st.lists(st.sets(st.sampled_from(sorted(FAULTS)), max_size=len(FAULTS)), min_size=1, max_size=6))
def test_a_report_has_each_mistake_once_at_its_line(faults: list[set[str]]) -> None:
    """Any combination of faults in any rules, each on a line of its own: exactly these are reported."""
    lines, expected = ["version: 1", "rules:"], []
    for number, wrong in enumerate(faults):
        lines.append(f"  - id: rule-{number}")
        if "type" not in wrong:
            lines.append("    type: top_share")
        for field in sorted(wrong):
            lines.append(f"    {FAULTS[field][0]}")
            expected.append((len(lines), f"rule-{number}", field, FAULTS[field][1]))
    file = parse_rules_file("\n".join(lines), "rules file")
    assert [(one.line, one.rule, one.field, one.hint) for one in file.mistakes] == expected
    assert len(file.rules) == (0 if expected else len(faults))


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: f"version: 1\nrules:\n{text}".encode()))
def test_any_bytes_are_rules_or_mistakes(content: bytes) -> None:
    with NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        found = read_rules_file(Path(file.name))
    assert bool(found.rules) != bool(found.mistakes)
    lines = re.split(r"\r\n|[\n\r\x85\u2028\u2029]", content.decode("utf-8", "replace"))  # what YAML counts as lines
    for one in found.mistakes:
        assert "\n" not in visible(one.problem)
        assert one.problem == visible(one.problem)
        assert one.line is None or 1 <= one.line <= len(lines) + 1


@pytest.mark.parametrize("kind", RULE_TYPES)
def test_one_wrong_field_is_one_mistake_though_defaults_follow_from_others(kind: str) -> None:
    required = {
        "metric": "metric: hhi_10000, above: 2500",
        "when": "when: {signal: hhi, fire: {above: 0.2}}",
        "sql": "sql: q",
    }
    text = f"version: 1\nrules:\n  - {{id: a, type: {kind}, owner: 5, {required.get(kind, 'enabled: true')}}}\n"
    assert [(one.field, one.value) for one in parse_rules_file(text, "rules").mistakes] == [("owner", "5")]
    assert len(parse_rules_file(text.replace("owner: 5", "owner: x"), "rules").rules) == 1


def test_a_file_of_mistakes_only_is_listed_up_to_a_limit() -> None:
    fields = "\n".join(f"    field{number}: {number}" for number in range(15_000))
    text = f"version: 1\nrules:\n  - id: a\n    type: top_share\n{fields}\n"
    assert len(text) < MAX_FILE_BYTES * 2
    found = parse_rules_file(text, "rules file").mistakes
    assert len(found) == MAX_MISTAKES + 1
    assert [one.line for one in found[:-1]] == list(range(5, 5 + MAX_MISTAKES))
    assert found[-1].problem == "over 1000 mistakes: the others are not listed"


def test_a_file_with_mistakes_is_a_value_for_a_process_that_runs_on(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    missing = read_rules_file(path)
    assert (missing.rules, [one.place for one in missing.mistakes]) == ((), [""])
    path.write_text("version: 1\nrules: [{id: a, type: no_block, chain: all}]")
    assert len(read_rules_file(path).judged) == len(CHAINS)


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
    assert {type(rule) for rule in rules.values()} | {MetricRule, WhenRule, SqlRule} == set(RULE_TYPES.values())
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
    needed: dict[str, dict[str, object]] = {
        "metric": {"metric": "hhi_10000", "above": 2500},
        "when": {"when": {"signal": "hhi"}, "fire": {"above": 0.2}},
        "sql": {"sql": "SELECT 'a' AS key, 1 AS value"},
    }
    needs = needed.get(kind, {})
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


def test_the_command_lists_every_mistake_and_exits_1(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("version: 1\nrules:\n  - {id: a, type: top_share, k: 7, abov: 0.7}\n")
    ran = CliRunner().invoke(rules_app, ["check", str(path)])
    assert ran.exit_code == 1
    assert ran.stdout.splitlines() == [
        f"{path}:3:33: rule 'a' (number 1): field 'k' is 7, expected a whole number, 1…6",
        f"{path}:3:36: rule 'a' (number 1): field 'abov' is unknown to type 'top_share', perhaps 'above' was meant",
    ]
    assert ran.stderr == "2 mistakes\n"
    mistakes = json.loads(CliRunner().invoke(rules_app, ["check", str(path), "--json"]).stdout)["mistakes"]
    assert mistakes[1]["hint"] == "above"
    path.write_text("version: 1\nrules: [{id: a, type: no_block}]\n")
    assert CliRunner().invoke(rules_app, ["check", str(path)]).exit_code == 0


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    with pytest.raises(ConfigError) as caught:
        load_rules(path)
    assert str(caught.value) == (
        f"rules file {str(path)!r} cannot be read (No such file or directory): "
        "set COUNTERPOISE_ALERTS__RULES_FILE to a file, or leave it out for the shipped rules: "
        "correct it, then check with `counterpoise rules check`"
    )


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_bytes(b"version: 1 # caf\xe9")
    with pytest.raises(ConfigError) as caught:
        load_rules(path)
    assert str(caught.value) == (
        f"rules file {str(path)!r}, line 1, column 17: not UTF-8 at byte 16: save it as UTF-8: correct it, then check with "
        "`counterpoise rules check`"
    )


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(ConfigError) as caught:
        load_rules(path)
    assert str(caught.value) == (
        f"rules file {str(path)!r} has over 262144 bytes: correct it, then check with `counterpoise rules check`"
    )


def test_a_rule_is_closed_and_frozen() -> None:
    rule: Rule = load_rules(None)[0]
    with pytest.raises(ValueError, match="frozen"):
        rule.id = "other"  # type: ignore[misc]
