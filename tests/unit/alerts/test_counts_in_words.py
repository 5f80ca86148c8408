"""A count of one has a noun in the singular, and a list of one condition reads as the condition alone."""

from __future__ import annotations

import re

import pytest

from alerts.machine.ledger import LedgerEntry
from alerts.rules.changes import changes
from alerts.rules.rule import HeightRule, Rule
from alerts.rules_file import parse_rules
from alerts.transition_evidence import height_transition
from tests.unit.alerts.chains import a_series

ONES = """version: 1
rules:
  - {id: top, type: top_share, for_blocks: 1}
  - {id: p, type: top_share_probability, for_blocks: 1}
  - {id: metric, type: metric, metric: top3_share, above: 0.75, for_blocks: 1}
  - {id: rise, type: when, when: {signal: top3_share, change_blocks: 1}, fire: {above: 0.1}, for: 1, keep_firing_for: 1}
  - {id: one, type: when, when: {any: [{signal: top3_share, fire: {above: 0.75}, clear: {below: 0.7}}]}}
  - {id: letters, type: dead_letters, more_than: 1}
  - {id: stale, type: series_stale, cadences: 1}
"""
RULES = {rule.id: rule for rule in parse_rules(ONES, "rules")}
PLURAL_OF_ONE = re.compile(r"(?<![\d.,])1 ([a-z]+ )?(blocks|conditions|times|days|letters|messages) ")


def texts_of(rule: Rule) -> list[str]:
    """Its condition, and the summaries of a window in which one block of unknown origin decides."""
    found = [rule.condition(), changes({**rule.content(), "for_blocks": 2}, rule)]
    if isinstance(rule, HeightRule):
        series = a_series([755, 756], unknown=1)
        for state in ("possible", "pending", "firing", "resolved", "inactive"):
            entry = LedgerEntry("0" * 16, 0, state, 2, series.tip_hash[1], start=2)
            found.append(height_transition(entry, rule, series, attribution_id="a", recorded_at_ms=0).summary)
    return found


@pytest.mark.parametrize("rule_id", RULES)
def test_a_count_of_one_has_a_singular_noun(rule_id: str) -> None:
    for text in texts_of(RULES[rule_id]):
        assert not PLURAL_OF_ONE.search(f"{text} "), text


def test_one_unknown_block_was_theirs() -> None:
    assert "if the 1 unknown block was theirs" in texts_of(RULES["top"])[2]


def test_a_list_of_one_condition_reads_as_the_condition_alone() -> None:
    texts = texts_of(RULES["one"])
    assert texts[0] == "share of the 3 largest pools of 1008 blocks (raw) over 75 %, clear below 70 %"
    assert "is 75.0 %, over 75 %: alpha 75.0 % (height 2)." in texts[4]
    assert texts[5].endswith(", below 70 % (height 2).")
