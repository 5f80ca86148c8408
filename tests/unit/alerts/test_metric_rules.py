"""Rules on any metric: one entry in a rules file, judged by the metric's own function and worded by its spec."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.machine.ledger import LedgerEntry
from alerts.machine.rule_state import RuleState
from alerts.outbox.render import MessageContext, transition_message
from alerts.rule_tests.window_series import further_columns
from alerts.rules.metric_rule import MetricRule
from alerts.rules.rule import HeightRule
from alerts.rules.top_share_rule import TopShareRule
from alerts.rules_file import parse_rules
from alerts.signals.levels import Level
from alerts.signals.window_counts import WindowCounts
from alerts.transition_evidence import height_transition
from counterpoise.contracts.alert_transition import AlertState, AlertTransition
from counterpoise.contracts.scores import WindowScore
from counterpoise.formats import TEXT
from counterpoise.metrics.spec import MetricSpec
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.metrics.stored_integers import STORED_COLUMNS

HHI = """
version: 1
rules:
  - id: hhi
    type: metric
    title: Pool concentration is high
    metric: hhi_10000
    above: 2500
    clear_below: 2400
    for_blocks: 36
"""
NAKAMOTO = """
version: 1
rules:
  - {id: two-pools, type: metric, metric: nakamoto_half, below: 3, for_blocks: 0}
"""
NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")


def rule_of(text: str) -> MetricRule:
    [rule] = parse_rules(text, "rules file")
    assert isinstance(rule, MetricRule)
    return rule


def windows(counts: npt.ArrayLike, unknown: npt.ArrayLike = 0, size: int | None = None) -> WindowCounts:
    """One height for each row of blocks by pool; the window is full where it has `size` blocks (all, if not given)."""
    pools = np.atleast_2d(np.asarray(counts, np.int64))
    missing = np.broadcast_to(np.asarray(unknown, np.int64), len(pools))
    n = pools.sum(axis=1) + missing
    largest = -np.sort(-np.pad(pools, ((0, 0), (0, 6))), axis=1)[:, :6]
    return WindowCounts.of(
        height=range(1, len(pools) + 1),
        tip_hash=[f"{at:064x}" for at in range(len(pools))],
        time=np.full(len(pools), 1_700_000_000),
        n=n,
        unknown=missing,
        window_full=n == (n if size is None else size),
        pools_seen=(pools > 0).sum(axis=1),
        counts=largest,
        p_top4_above_75=np.linspace(0, 1, len(pools)),
        leaders=np.tile(np.arange(6), (len(pools), 1)),
        names=NAMES,
        further=further_columns(pools, missing),
    )


def told(rule: HeightRule, series: WindowCounts, state: AlertState, at: int = 0) -> AlertTransition:
    height = int(series.height[at])
    previous: Mapping[AlertState, AlertState] = {"firing": "pending", "resolved": "firing"}
    entry = LedgerEntry("ab" * 8, 1, state, height, series.tip_hash[at], start=1, previous=previous.get(state))
    return height_transition(entry, rule, series, attribution_id="set-a", recorded_at_ms=0)


def text_of(transition: AlertTransition, rule: HeightRule) -> str:
    context = MessageContext(title=rule.name, condition=rule.condition(), dataset="live", advice="", share=False)
    message = transition_message(transition, context)
    return "\n".join([message.text, message.line, json.dumps(message.blocks, ensure_ascii=False)])


def test_a_rule_on_hhi_is_eight_lines_and_its_message_is_worded_as_hhi() -> None:
    assert len(HHI.strip().splitlines()[2:]) <= 8
    rule = rule_of(HHI)
    assert rule.condition() == "HHI in points of 1008 blocks (raw) over 2,500 for 36 blocks, clear below 2,400"
    series = windows([[420, 200, 150, 120, 80, 38]])
    # 10,000 · (420² + 200² + 150² + 120² + 80² + 38²) / 1008² = 10,000 · 261,144 / 1,016,064 = 2,570.2
    fired = told(rule, series, "firing")
    assert fired.value == pytest.approx(2570.15, abs=0.01)
    assert fired.summary == (
        "HHI in points over the last 1,008 blocks is 2,570, over 2,500 for 36 blocks: "
        "alpha 41.7 %, beta 19.8 %, gamma 14.9 %, delta 11.9 % (height 1)."
    )
    shown = text_of(fired, rule)
    assert "2,570 over 1,008 blocks" in shown
    assert "*HHI in points*" in shown
    assert "185027" not in shown
    assert not re.search(r"mined [\d,.]+ %", shown)
    assert not re.search(r"\d{4,} %", shown)
    # 90,000 + 62,500 + 40,000 + 22,500 + 4,900 + 1,444 = 221,344 squares.
    cleared = told(rule, windows([[300, 250, 200, 150, 70, 38]]), "resolved")
    assert cleared.summary == "HHI in points over the last 1,008 blocks is 2,178, below 2,400 (height 1)."


def test_a_rule_may_fire_on_what_is_low() -> None:
    rule = rule_of(NAKAMOTO)
    series = windows(
        [
            [400, 300, 308, 0, 0],
            [600, 300, 108, 0, 0],
            [336, 336, 336, 0, 0],
            [200, 200, 200, 200, 208],
            [0, 0, 0, 0, 0],
        ],
        [0, 0, 0, 0, 1008],
    )
    # Fewest pools over 504 of 1008: 2, 1, 2, 3, and not reached where nothing is known.
    assert rule.values(series).tolist()[:4] == [2, 1, 2, 3]
    assert rule.levels(series).tolist() == [Level.OVER, Level.OVER, Level.OVER, Level.CLEAR, Level.BLIND]
    assert told(rule, series, "firing").summary == (
        "Nakamoto coefficient over the last 1,008 blocks is 2, below 3: alpha 39.7 %, beta 30.6 %, gamma 29.8 % (height 1)."
    )
    assert rule.condition() == "Nakamoto coefficient of 1008 blocks (raw) below 3"
    assert told(rule, series, "resolved", 3).summary.endswith("is 3, no longer below 3 (height 4).")
    assert told(rule, series, "inactive", 3).summary.endswith("is 3, no longer below 3 (height 4).")
    assert told(rule, series, "resolved", 4).summary == "two-pools: no value (height 5)."


def test_on_every_real_block_a_metric_rule_on_the_top_four_is_the_rule_on_the_top_four(
    real_series: WindowCounts,
) -> None:
    """The eight fires and clears of the shipped rule, at their heights, through numpy's shares instead of integers."""
    shipped = TopShareRule(id="a")
    rule = MetricRule(id="a", metric="top4_share", above=0.75, clear_below=0.73)
    levels = rule.levels(real_series)
    assert levels.tolist() == shipped.levels(real_series).tolist()
    steps = RuleState("a", rule.rule_hash, "bitcoin", rule.for_blocks).extend(real_series, levels)
    fired = [step.height for step in steps if step.state == "firing"]
    assert (len(fired), fired[0], fired[-1]) == (8, 760903, 892330)


@pytest.fixture(scope="module")
def real_series() -> WindowCounts:
    from tests.unit.alerts.test_rules import real_series as series

    found = series()
    size = len(found)
    absent = {name: np.zeros(size) for name in STORED_COLUMNS if name not in WindowScore.NAMED}
    return replace(found, further=absent)


def rule_on(spec: MetricSpec, line: float, *, rises: bool) -> MetricRule:
    lines: dict[str, Any] = {"above": line} if rises else {"below": line}
    return MetricRule(id="a", metric=spec.name, for_blocks=0, **lines)


@given(
    counts=st.lists(st.lists(st.integers(0, 400), min_size=8, max_size=8), min_size=1, max_size=12),
    unknown=st.integers(0, 50),
    name=st.sampled_from(sorted(SPECS)),
    rises=st.booleans(),
    place=st.floats(0, 1),
)
def test_the_levels_of_any_metric_are_its_comparisons_with_the_line(
    counts: list[list[int]], unknown: int, name: str, rises: bool, place: float
) -> None:
    series = windows(counts, unknown)
    spec = SPECS[name]
    values = np.asarray(spec.compute(series.integers()), float)
    known = values[np.isfinite(values) & (values >= spec.range.low)]
    line = float(np.quantile(known, place)) if len(known) else max(spec.range.low, 0.5)
    rule = rule_on(spec, min(max(line, spec.range.low), spec.range.high), rises=rises)
    assert all("can pass" in one.expected for one in rule.unfit()), "only a line at the end of the range"
    for level, value, n in zip(rule.levels(series).tolist(), values.tolist(), series.n.tolist(), strict=True):
        if not n or np.isnan(value) or not spec.range.low <= value <= spec.range.high:
            assert level == Level.BLIND
        elif (value > rule.line) if rises else (value < rule.line):
            assert level == Level.OVER
        else:
            assert level in (Level.CLEAR, Level.CLEAR_POSSIBLE)


@pytest.mark.parametrize("name", SPECS)
def test_every_metric_has_a_message_in_its_own_words(name: str) -> None:
    """The first of all specs are those of tomorrow's metrics: a file of a metric is all that its rules need."""
    spec = SPECS[name]
    series = windows([[420, 200, 150, 120, 80, 30]], 8)
    value = float(np.asarray(spec.compute(series.integers()))[0])
    rule = rule_on(spec, value, rises=True)
    fired = told(rule, series, "firing")
    written = TEXT.metric(value, spec.kind, spec.unit)
    assert fired.summary.lower().startswith(f"{spec.title} over the last 1,008 blocks is {written}".lower())
    assert fired.evidence.metric == name
    shown = text_of(fired, rule)
    assert written in shown
    assert spec.title.lower() in shown.lower()
    # Percent signs belong to shares alone: those of the metric, and those of the pools that lead.
    without_pools = re.sub(r"(alpha|beta|gamma|delta|epsilon|zeta)\s+\d*\s*[\d.]+ %", "", shown).replace(
        "95 % interval", ""
    )
    assert ("%" in without_pools.replace(spec.title, "")) == (spec.kind == "percent")


@pytest.mark.parametrize("name", SPECS)
def test_a_rule_asks_for_the_columns_that_its_metric_needs_and_no_others(name: str) -> None:
    rule = MetricRule(id="a", metric=name, above=SPECS[name].range.low)
    full = windows([[420, 200, 150, 120, 80, 38]])
    few = replace(full, further={column: full.further[column] for column in rule.further_columns})
    assert rule.levels(few).tolist() == rule.levels(full).tolist()
    reading, whole = rule.reading(few, 0), rule.reading(full, 0)
    assert reading == whole
    assert reading is not None
    assert set(rule.further_columns) <= set(STORED_COLUMNS) - WindowScore.NAMED


def test_unknown_blocks_make_it_possible_where_the_metric_has_an_upper_bound() -> None:
    rule = MetricRule(id="a", metric="top1_share", above=0.5, clear_below=0.4)
    series = windows([[600, 408, 0], [450, 458, 0], [300, 200, 508], [200, 200, 0]], [0, 100, 0, 608], 1008)
    assert rule.levels(series).tolist() == [
        Level.OVER,
        Level.BETWEEN_POSSIBLE,
        Level.OVER,
        Level.CLEAR_POSSIBLE,
    ]
    assert "55.4 % if the 100 unknown blocks were theirs" in told(rule, series, "possible", 1).summary


def test_the_hash_of_a_rule_covers_its_metric_and_lines() -> None:
    rules = [
        MetricRule(id="a", metric="hhi_10000", above=2500),
        MetricRule(id="a", metric="hhi_10000", above=2500, clear_below=2400),
        MetricRule(id="a", metric="hhi_10000", below=2500),
        MetricRule(id="a", metric="hhi", above=0.25),
    ]
    assert len({rule.rule_hash for rule in rules}) == len(rules)
    assert MetricRule(id="b", metric="hhi_10000", above=2500.0).rule_hash == rules[0].rule_hash


def test_the_rules_files_in_the_docs_are_rules_files() -> None:
    page = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(version: 1\nrules:\n.*?)```", page, re.DOTALL)
    rules = [rule for text in examples for rule in parse_rules(text, "docs/rules.md")]
    assert {rule.content()["type"] for rule in rules} == {"metric", "top_share", "when", "sql"}
