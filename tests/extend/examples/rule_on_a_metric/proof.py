"""A rule on a metric is an entry: it is read, it fires and clears at its lines, and its messages are worded as the metric."""

from __future__ import annotations

from alerts.machine.rule_state import RuleState
from alerts.rules.metric_rule import MetricRule
from alerts.rules_file import load_rules
from tests.unit.alerts.test_metric_rules import text_of, told, windows


def test_the_shipped_rules_have_it_and_it_fires_and_clears() -> None:
    rule = {rule.id: rule for rule in load_rules(None)}["hhi-high"]
    assert isinstance(rule, MetricRule)
    assert rule.condition() == "HHI in points of 1008 blocks (raw) over 2,500 for 2 blocks, clear below 2,400"
    # Squares over 1008²: 10,000 · 343,680 / 1,016,064 = 3,382.5 and 10,000 · 203,264 / 1,016,064 = 2,000.5.
    high, low = [504, 252, 124, 100, 28], [204, 204, 204, 200, 196]
    series = windows([low, high, high, high, high, low])
    states = RuleState("hhi-high", rule.rule_hash, "bitcoin", rule.for_blocks).extend(series, rule.levels(series))
    assert [(step.state, step.height) for step in states] == [("pending", 2), ("firing", 4), ("resolved", 6)]
    fired = told(rule, series, "firing", 3)
    assert fired.summary.startswith("HHI in points over the last 1,008 blocks is 3,382, over 2,500 for 2 blocks: "), (
        fired.summary
    )
    shown = text_of(fired, rule)
    assert "*HHI in points*" in shown
    assert "%" not in fired.summary.partition(":")[0]
