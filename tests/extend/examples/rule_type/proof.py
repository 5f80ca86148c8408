"""A new type of rule is read from the shipped file and judged with the others."""

from __future__ import annotations

from itertools import count

from alerts.dead_man import DeadManRules
from alerts.rules_file import load_judged_rules
from alerts.signals.timer_facts import TimerFacts
from counterpoise.contracts.alert_transition import AlertTransition

NOW = 1_700_000_000.0


def test_it_fires_once_and_resolves() -> None:
    [rule] = [rule for rule in load_judged_rules(None) if rule.id == "future-block"]
    assert rule.condition() == "the tip's block time over 90 min ahead"
    rules, versions = DeadManRules((rule,)), count(1)

    def tick(lead_seconds: int, height: int) -> list[AlertTransition]:
        facts = TimerFacts(now=NOW, changed_at=NOW, scored_height=height, scored_time=int(NOW) + lead_seconds)
        return rules.tick(facts, lambda: next(versions))

    assert tick(5_400, 7) == []
    [fired] = tick(5_401, 8)
    assert (fired.state, fired.rule_id) == ("firing", "future-block")
    assert "height 8, is over 90 min ahead" in fired.summary
    assert tick(5_500, 9) == []
    [ended] = tick(0, 10)
    assert (ended.state, ended.alert_id) == ("resolved", fired.alert_id)
