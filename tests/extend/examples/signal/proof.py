"""A signal is one file: a rules file names it, it is judged, and its messages have its words."""

from __future__ import annotations

from alerts.rules.when import WhenRule
from alerts.rules_file import parse_rules
from alerts.signals.levels import Level
from tests.unit.alerts.test_metric_rules import told, windows

RULE = "version: 1\nrules:\n  - {id: lead, type: when, when: {signal: lead_of_the_largest}, fire: {above: 0.1}}\n"


def test_a_rule_names_it_and_is_worded_by_it() -> None:
    [rule] = parse_rules(RULE, "rules file")
    assert isinstance(rule, WhenRule)
    series = windows([[50, 30, 20], [40, 40, 20]])
    assert rule.levels(series).tolist() == [Level.OVER, Level.CLEAR]
    assert told(rule, series, "firing").summary.startswith(
        "Lead of the largest pool over the last 100 blocks is 20.0 %, over 10 %: alpha 50.0 %"
    )
    assert "(c1 - c2) / n AS value" in rule.reproducing_sql("r1", 1)
