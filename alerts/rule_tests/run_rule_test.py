"""Runs a unit test of a rule on the state machine, the ledger and the rendering of the service."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from alerts.dead_man import DeadManRules
from alerts.machine.ledger import Ledger, LedgerEntry, reconcile
from alerts.machine.machine import Step
from alerts.machine.path import RING_HEIGHTS
from alerts.machine.rule_state import RuleState
from alerts.outbox.render import MessageContext, transition_message
from alerts.rule_tests.rule_test import Expectation, RuleTest
from alerts.rule_tests.timer_inputs import INPUTS
from alerts.rule_tests.window_series import FIRST_HEIGHT, window_series
from alerts.rules.ai_top4_rise_rule import AiTop4RiseRule
from alerts.rules.edge_share_fall_rule import EdgeShareFallRule
from alerts.rules.rule import HeightRule, Rule, TimerRule
from alerts.rules.series_stale_rule import SeriesStaleRule
from alerts.signals.window_counts import WindowCounts
from alerts.transition_evidence import height_transition
from counterpoise.contracts.alert_transition import AlertTransition

FIRED: Final = "fired"
CLEARED: Final = "cleared"
KEPT_BACK: Final = "kept back"
REVISED: Final = "revised"
QUIET: Final = "quiet"
BRANCHES: Final = (FIRED, CLEARED, KEPT_BACK, REVISED, QUIET)
"""fired and cleared; pending, and ended without firing; changed by a reorganisation or by a release that came later; judged
without firing."""
_RENEWED: Final = (AiTop4RiseRule, EdgeShareFallRule, SeriesStaleRule)


def branches_of(rule: Rule) -> tuple[str, ...]:
    """The branches that tests of a rule can take."""
    if isinstance(rule, HeightRule):
        return (FIRED, CLEARED, *([KEPT_BACK] if rule.for_blocks else []), REVISED)
    return (FIRED, CLEARED, *([REVISED] if isinstance(rule, _RENEWED) else []), QUIET)


@dataclass(slots=True)
class RunRuleTest:
    """What a run gave: `failures` are sentences, `branches` those that were taken."""

    failures: list[str] = field(default_factory=list)
    branches: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Trace:
    """State and messages by position; `first` is the first position that may be expected."""

    states: dict[int, str] = field(default_factory=dict)
    sent: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    first: int = 1

    def add(self, position: int, transition: AlertTransition, rule: Rule) -> None:
        if not transition.notify:
            return
        context = MessageContext(
            title=rule.name,
            condition=rule.condition(),
            dataset="test",
            advice=rule.next_step(),
            share=transition.value_high is not None,
            lines=rule.written_lines if isinstance(rule, HeightRule) else (),
            tip_height=transition.evidence.height,
            responsible=rule.responsible(),
        )
        message = transition_message(transition, context)
        text = "\n".join((message.text, message.line, json.dumps(message.blocks, ensure_ascii=False)))
        self.sent.setdefault(position, []).append((transition.state, text))


def run_rule_test(test: RuleTest, rule: Rule) -> RunRuleTest:
    """Run a test on a rule as it is judged, on one chain. ValueError where its inputs do not fit the rule."""
    found = RunRuleTest()
    if isinstance(rule, HeightRule):
        _on_heights(test, rule, found)
    elif isinstance(rule, TimerRule):
        _on_timer(test, rule, found)
    return found


def _on_heights(test: RuleTest, rule: HeightRule, found: RunRuleTest) -> None:
    if not test.values or test.inputs or test.every:
        raise ValueError("a rule on concentration has `values`, and neither `inputs` nor `every`")
    state = RuleState(rule.id, rule.rule_hash, rule.chain, rule.for_blocks, "test", go_live_height=-1)
    ledger, versions, trace = Ledger.of(()), count(1), _Trace()
    series = window_series(rule, test.values)
    levels = rule.levels(series)
    for at in range(len(series)):
        part = series.part(slice(at, at + 1))
        steps = state.extend(part, levels[at : at + 1])
        entries = reconcile(
            ledger,
            state,
            steps,
            hashes={FIRST_HEIGHT + at: part.tip_hash[0]},
            fork=FIRST_HEIGHT + at - 1,
            cause="observed",
            version=next(versions),
        )
        trace.states[at + 1] = state.standing.state
        _take(trace, entries, rule, series, found)
    found.failures += _compare(test.expect, trace, len(series))
    if test.reorg is not None:
        trace = _reorganise(test, rule, state, ledger, before=series, found=found)
        failures = _compare(test.reorg.expect, trace, max(trace.states))
        found.failures += [f"after the reorganisation: {one}" for one in failures]


def _reorganise(
    test: RuleTest,
    rule: HeightRule,
    state: RuleState,
    ledger: Ledger,
    *,
    before: WindowCounts,
    found: RunRuleTest,
) -> _Trace:
    """The branch arrives as a whole, as the service reads it after a fork."""
    reorg = test.reorg
    assert reorg is not None  # noqa: S101 - the caller asked
    if reorg.at > len(test.values):
        raise ValueError(f"the reorganisation at {reorg.at} is behind the last position, {len(test.values)}")
    fork = FIRST_HEIGHT + reorg.at - 2
    if not any(mark.height == fork for mark in state.marks):
        raise ValueError(f"the reorganisation at {reorg.at} is deeper than {RING_HEIGHTS} positions")
    series = window_series(rule, reorg.values, first=reorg.at - 1, branch="b")
    state.rewind(fork)
    whole = before.part(slice(0, reorg.at - 1)).then(series)
    levels, steps, trace = rule.levels(whole)[reorg.at - 1 :], list[Step](), _Trace(first=reorg.at)
    for at in range(len(series)):
        steps += state.extend(series.part(slice(at, at + 1)), levels[at : at + 1])
        trace.states[reorg.at + at] = state.standing.state
    hashes = dict(zip(series.height.tolist(), series.tip_hash, strict=True))
    version = len(test.values) + 1
    entries = reconcile(ledger, state, steps, hashes=hashes, fork=fork, cause="reorg", version=version)
    _take(trace, entries, rule, whole, found)
    return trace


def _take(
    trace: _Trace, entries: Iterable[LedgerEntry], rule: HeightRule, series: WindowCounts, found: RunRuleTest
) -> None:
    for entry in entries:
        transition = height_transition(entry, rule, series, attribution_id="test", recorded_at_ms=0)
        trace.add(entry.height - FIRST_HEIGHT + 1, transition, rule)
        if entry.state == "firing":
            found.branches.add(FIRED)
        elif entry.state == "resolved":
            found.branches.add(CLEARED)
        elif entry.state == "retracted":
            found.branches.add(REVISED)
        elif entry.state == "inactive" and entry.previous == "pending":
            found.branches.add(KEPT_BACK)


def _on_timer(test: RuleTest, rule: TimerRule, found: RunRuleTest) -> None:
    kind = type(rule).model_fields["type"].default
    inputs = INPUTS.get(kind)
    if inputs is None:
        raise ValueError(f"rules of type {kind} cannot be tested by a file")
    if test.values or test.reorg:
        raise ValueError("a rule on a timer has `inputs`, and neither `values` nor `reorg`")
    missing = [name for name in inputs.names if name not in test.inputs]
    unknown = [name for name in test.inputs if name not in inputs.names and not inputs.free]
    if missing or unknown or not test.inputs:
        wanted = " and ".join(inputs.names) or "a series by its name"
        raise ValueError(f"`inputs` has {', '.join(test.inputs) or 'nothing'}, expected {wanted}")
    trace = _Trace()
    rules, versions = DeadManRules((rule.model_copy(update={"enabled": True}),)), count(1)
    facts = inputs.make(rule, test.inputs, test.every or inputs.every_seconds)
    for position, one in enumerate(facts, start=1):
        transitions = rules.tick(one, lambda: next(versions))
        trace.states[position] = "firing" if rules.firing() else "inactive"
        if not transitions and not rules.firing():
            found.branches.add(QUIET)
        for transition in transitions:
            trace.add(position, transition, rule)
            again = transition.state == transition.previous_state == "firing"
            if transition.state in ("firing", "resolved"):
                found.branches.add(REVISED if again else FIRED if transition.state == "firing" else CLEARED)
    found.failures += _compare(test.expect, trace, len(facts))


def _compare(expected: Sequence[Expectation], trace: _Trace, last: int) -> list[str]:
    """Every expectation that does not hold, and every message that none expects."""
    failures: list[str] = []
    named: set[int] = set()
    for one in expected:
        begin, end = one.at
        if begin < trace.first:
            failures.append(f"position {begin} is before position {trace.first}, where the input begins")
            continue
        if end > last:
            failures.append(f"position {end} is expected, and the input ends at position {last}")
            continue
        for position in range(begin, end + 1):
            if one.sent is not None or one.message:
                named.add(position)
            failures += _differences(one, position, trace)
    failures += [
        f"position {position}: sent {_states(trace, position)}, which no expectation names"
        for position in sorted(trace.sent)
        if position not in named
    ]
    return failures


def _differences(one: Expectation, position: int, trace: _Trace) -> Iterable[str]:
    state = trace.states[position]
    if one.state is not None and one.state != state:
        yield f"position {position}: {state}, expected {one.state}"
    sent = [name for name, _ in trace.sent.get(position, ())]
    wanted = None if one.sent is None else [] if one.sent == "nothing" else [one.sent]
    if wanted is not None and sent != wanted:
        yield f"position {position}: sent {_states(trace, position)}, expected {one.sent}"
    for text in one.message:
        if not any(text in message for _, message in trace.sent.get(position, ())):
            what = trace.sent.get(position)
            shown = f"the message is {what[0][1].splitlines()[0]!r}" if what else "no message was sent"
            yield f"position {position}: {shown}, expected {text!r} in it"


def _states(trace: _Trace, position: int) -> str:
    return ", ".join(name for name, _ in trace.sent.get(position, ())) or "nothing"
