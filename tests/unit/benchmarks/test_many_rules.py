"""The rules that benchmarks derive from the shipped ones."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from alerts.rules.rule import HeightRule
from alerts.rules_file import load_judged_rules
from bench.many_rules import derived_rules


def test_a_thousand_derived_rules_are_valid_and_differ(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps({"version": 1, "rules": derived_rules(1_000)}), encoding="utf-8")
    rules = load_judged_rules(path)
    assert len(rules) == 1_000 and all(isinstance(rule, HeightRule) for rule in rules)
    assert len({rule.rule_hash for rule in rules}) > 900
    places = Counter((rule.view, rule.window_blocks) for rule in rules if isinstance(rule, HeightRule))
    assert len(places) == 8 and min(places.values()) > 50, "every window of both views"


def test_derived_rules_have_the_holds_that_were_chosen() -> None:
    found = derived_rules(90, (18, 36))
    assert {rule.get("for", rule.get("for_blocks")) for rule in found} == {18, 36}
    assert found == derived_rules(90, (18, 36)), "the same every time"
