"""A value that is written beside a line stands on the side of it that the text states: in summaries, facts, lists and rules `sql`."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.dead_man import DeadManRules
from alerts.machine.ledger import LedgerEntry
from alerts.outbox.render import MessageContext, transition_message
from alerts.rules.condition import Condition
from alerts.rules.line import Line
from alerts.rules.rule import HeightRule
from alerts.rules.sql_rule import SqlRule
from alerts.rules.top_share_rule import TopShareRule
from alerts.rules_file import parse_rules
from alerts.signals.query_answer import QueryAnswer, QueryRow
from alerts.signals.specs.signal_registry import SIGNALS
from alerts.signals.timer_facts import TimerFacts
from alerts.transition_evidence import height_transition
from counterpoise.contracts.alert_transition import AlertState
from counterpoise.windows import WINDOWS_BLOCKS
from tests.unit.alerts.chains import a_series

NUMBER = r"[-+]?[\d,]+(?:\.\d+)?"
CHANGES = {"hhi_10000": 144, "top4_share": 1008}


def number(text: str) -> Fraction:
    """The first number of a text, exactly as it is written."""
    found = re.search(NUMBER, text)
    assert found is not None
    return Fraction(found[0].replace(",", ""))


def side(value: Any, line: Any) -> int:
    return int(value > line) - int(value < line)


def written(rule: HeightRule, top: int, n: int, state: AlertState) -> tuple[str, list[str]]:
    """The summary of a step of a window in which the leaders have `top` of `n` blocks, and the texts of its facts."""
    series = a_series([top], n=n, window=n)
    entry = LedgerEntry("0" * 16, 0, state, 1, series.tip_hash[0], notify=True, start=1, rule_hash=rule.rule_hash)
    step = height_transition(entry, rule, series, attribution_id="a", recorded_at_ms=0)
    context = MessageContext(rule.name, rule.condition(), "test", share=step.value_high is not None)
    blocks = transition_message(step, context).blocks
    return step.summary, [one["text"] for block in blocks for one in block.get("fields", ())]


WINDOWS = st.sampled_from(WINDOWS_BLOCKS).flatmap(lambda n: st.tuples(st.just(n), st.integers(n // 20, n * 19 // 20)))


@given(WINDOWS, st.integers(2, 6), st.sampled_from(["top_share", "when"]))
@example((4320, 3241), 2, "top_share")
@example((4320, 3239), 2, "when")
def test_a_share_that_fires_is_written_over_its_line(window: tuple[int, int], decimals: int, kind: str) -> None:
    """3,241 of 4,320 blocks are 75.02 %, which was written as `75.0 % …, over 75 %`."""
    n, top = window
    line = round(top / n, decimals)
    if not 0 < line < 1:
        return
    rule: HeightRule = TopShareRule(id="a", window_blocks=n, above=line, clear_below=line, for_blocks=0)
    if kind == "when":
        [rule] = parse_rules(  # type: ignore[assignment]
            f"version: 1\nrules:\n  - {{id: a, type: when, window_blocks: {n}, when: {{signal: top3_share}}, "
            f"fire: {{above: {line}}}, clear: {{below: {line}}}}}\n",
            "rules",
        )
    over = side(Fraction(top, n), Fraction(str(line)))
    state: AlertState = "firing" if over > 0 else "resolved"
    summary, facts = written(rule, top, n, state)
    value = re.search(rf"(?:mined|blocks is) ({NUMBER}) %", summary)
    stated = re.search(rf"(?:over|below) ({NUMBER}) %", summary)
    assert value is not None and stated is not None, summary
    assert side(number(value[1]), number(stated[1])) == over, summary
    assert any(f"{value[1]} %" in fact for fact in facts), "the facts have the value of the summary"


@pytest.mark.parametrize("name", [name for name, one in SIGNALS.items() if one.switch is None])
@given(
    part=st.integers(1, 999), change=st.booleans(), off=st.sampled_from([-1e-2, -1e-4, -3e-7, 0.0, 3e-7, 1e-4, 1e-2])
)
def test_each_signal_is_written_on_its_side_of_a_line(name: str, part: int, change: bool, off: float) -> None:
    signal = SIGNALS[name]
    size = 1.0 if signal.kind == "percent" else min(signal.range.high, 10_000.0)
    line = round(size * part / 1000, 3)
    blocks = CHANGES.get(name, 0) if change else 0
    one = Condition(signal=name, pool="antpool" if signal.per_pool else "", change_blocks=blocks, fire=Line(above=line))
    value = line + off * size
    assert side(number(one.format(value)), number(one.format_line(line))) == side(value, line)


@given(st.integers(1, 10**7), st.sampled_from([-1e-3, -1e-7, 1e-7, 1e-3]), st.sampled_from(["", "USD", "share"]))
def test_a_value_of_a_query_is_written_on_its_side_of_its_line(line: int, off: float, unit: str) -> None:
    at = line / 10**7 if unit == "share" else line
    value = at + off
    rule = SqlRule(id="q", sql="SELECT 1", fire=Line(above=at) if off > 0 else Line(below=at), unit=unit)
    answer = QueryAnswer(1_700_000_000, (QueryRow("a", value),))
    facts = TimerFacts(now=answer.at, changed_at=0, chain="bitcoin", answers={"q": answer})
    [step] = DeadManRules((rule,)).tick(facts, lambda: 1)
    found = re.fullmatch(rf"a: ({NUMBER})[^,]*, (?:over|below) ({NUMBER}).*", step.summary)
    assert found is not None, step.summary
    assert side(number(found[1]), number(found[2])) == side(off, 0), step.summary
