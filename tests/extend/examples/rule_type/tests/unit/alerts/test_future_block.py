"""A tip from the future."""

from alerts.rules.future_block_rule import FutureBlockRule
from alerts.signals.timer_facts import TimerFacts


def test_it_is_over_its_line_strictly() -> None:
    rule = FutureBlockRule(id="a")
    for lead, active in ((3_600, False), (3_601, True)):
        found = rule.judge(TimerFacts(now=0.0, changed_at=0.0, scored_height=7, scored_time=lead), None)
        assert found is not None and (found.active, found.key) == (active, 7)
    assert rule.judge(TimerFacts(now=0.0, changed_at=0.0), None) is None
