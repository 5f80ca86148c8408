"""Explanations of alerts: parts that sum to the change as written, why the views differ, and Slack's limits for any input."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.explanation import joined, moved_by, subject_of
from alerts.outbox.explained import moved_text, rounded_parts, views_text
from alerts.outbox.render import changed_root, transition_message
from alerts.rules.metric_rule import MetricRule
from alerts.rules.no_block_rule import NoBlockRule
from alerts.rules.top_share_rule import TopShareRule
from counterpoise.contracts.alert_transition import AlertEvidence, AlertExplanation, AlertTransition, MovedBy, ViewValue
from counterpoise.explain.contributions import ADDITIVE
from counterpoise.explain.explained_change import Window, explain
from counterpoise.explain.views import groups_of
from counterpoise.metrics.specs.metric_registry import SPECS
from tests.unit.alerts.test_messages import CONTEXT, a_transition

POOLS = [f"pool-{letter}" for letter in "abcdefgh"]
ENTITY_OF = dict.fromkeys(POOLS[:3], "group-x") | dict.fromkeys(POOLS[3:5], "group-y") | {p: p for p in POOLS[5:]}
METRICS = [name for name in ADDITIVE if name in SPECS]
counts = st.dictionaries(st.sampled_from(POOLS), st.integers(1, 400), min_size=1)


def by_entity(raw: dict[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for pool, blocks in raw.items():
        found[ENTITY_OF[pool]] = found.get(ENTITY_OF[pool], 0) + blocks
    return found


def written(line: str) -> float:
    """The signed number at the end of a line, before its unit."""
    match = re.search(r"([+-][\d,]+(?:\.\d+)?)(?: points)?$", line)
    assert match, line
    return float(match[1].replace(",", ""))


@given(before=counts, after=counts, unknown=st.integers(0, 50), metric=st.sampled_from(METRICS))
def test_the_parts_sum_to_the_change_as_written(
    before: dict[str, int], after: dict[str, int], unknown: int, metric: str
) -> None:
    found = explain(metric, Window(before, unknown, 1), Window(after, unknown, 1_009))
    if not (math.isfinite(found.before) and math.isfinite(found.after)):
        return
    moved = moved_by(found, from_height=1, from_time=0)
    assert math.fsum([*(part for _, part in moved.parts), moved.others]) == pytest.approx(found.change, abs=1e-9)
    total, parts, others = rounded_parts(moved)
    assert total == sum(part for _, part in parts) + others or not parts
    head, *lines = moved_text(moved).splitlines()
    assert bool(lines) == bool(moved.parts) == (not head.startswith("unchanged "))
    if lines:
        change = written(head.rpartition(", from ")[0])
        assert sum(map(written, lines)) == pytest.approx(change, abs=1e-6)
    assert len(lines) <= 4


@given(raw=counts, unknown=st.integers(0, 50))
def test_of_a_sum_over_pools_the_groups_make_the_whole_difference(raw: dict[str, int], unknown: int) -> None:
    n = sum(raw.values()) + unknown
    gap = sum((c / n) ** 2 for c in by_entity(raw).values()) - sum((c / n) ** 2 for c in raw.values())
    found = groups_of(raw, ENTITY_OF, unknown, "hhi")
    assert math.fsum(group.change or 0.0 for group in found) == pytest.approx(gap, abs=1e-12)
    assert [abs(group.change or 0.0) for group in found] == sorted((abs(g.change or 0.0) for g in found), reverse=True)
    assert {group.entity for group in found} == {
        entity for entity in ("group-x", "group-y") if sum(ENTITY_OF[pool] == entity for pool in raw) > 1
    }


def explanation_of(blocks: dict[str, int], metric: str, *, raw: float, entity: float) -> AlertExplanation:
    views = (ViewValue(view="raw", value=raw), ViewValue(view="entity", value=entity))
    return AlertExplanation(metric=metric, views=views, joined=joined(groups_of(blocks, ENTITY_OF, 0, metric)))


def test_both_views_stand_beside_each_other_with_the_group_that_makes_the_difference() -> None:
    # 100 blocks. Top-1 share: pool-f with 40 as pools sign, group-x with 30 + 15 + 5 = 50 by entity: +10 points.
    raw = {"pool-a": 30, "pool-b": 15, "pool-c": 5, "pool-d": 6, "pool-e": 4, "pool-f": 40}
    found = explanation_of(raw, "top1_share", raw=0.40, entity=0.50)
    assert views_text(found).splitlines() == [
        "• pools as they sign: 40.0 %",
        "• entities: 50.0 %",
        "The entity view is 10.0 points higher: it counts pools with one owner or proxy together. The largest group is group-x "
        "with 50 blocks (+10.0 points alone): pool-a 30, pool-b 15 and pool-c 5.",
    ]


def test_a_value_is_on_its_side_of_the_lines_of_its_rule() -> None:
    raw = {"pool-a": 30, "pool-b": 15, "pool-c": 5, "pool-d": 6, "pool-e": 4, "pool-f": 40}
    found = explanation_of(raw, "top4_share", raw=0.74996, entity=0.80)
    assert "• pools as they sign: 74.996 %" in views_text(found, [0.75]).splitlines()


def test_bounds_and_intervals_are_of_each_view() -> None:
    views = (
        ViewValue(view="raw", value=0.751, high=0.771, interval_low=0.72, interval_high=0.78),
        ViewValue(view="entity", value=0.751, high=0.771),
    )
    lines = views_text(AlertExplanation(metric="top4_share", views=views)).splitlines()
    assert (
        lines[0]
        == "• pools as they sign: 75.1 %, 95 % interval 72.0 % to 78.0 %, at most 77.1 % with the unknown blocks"
    )
    assert lines[2] == "Both views agree: no pools among the largest share an owner or a proxy in this window."


def test_views_that_agree_although_pools_are_joined_say_so() -> None:
    text = views_text(explanation_of({"pool-d": 2, "pool-e": 1, "pool-f": 90}, "nakamoto_half", raw=1.0, entity=1.0))
    assert "Both views agree, although some pools share an owner or a proxy. The largest group is group-y" in text


@pytest.mark.parametrize(
    ("rule", "metric", "additive", "change_blocks"),
    [
        (TopShareRule(id="r", k=1), "top1_share", "top1_share", 0),
        (MetricRule(id="r", metric="hhi_10000", above=2_500.0), "hhi_10000", "hhi_10000", 0),
        (MetricRule(id="r", metric="nakamoto_half", below=3.0), "nakamoto_half", "nakamoto_half", 0),
    ],
)
def test_rules_on_concentration_can_be_explained(
    rule: TopShareRule | MetricRule, metric: str, additive: str, change_blocks: int
) -> None:
    found = subject_of(rule)
    assert found is not None
    assert (found.metric, found.additive, found.change_blocks) == (metric, additive, change_blocks)
    assert found.place == (rule.view, rule.window_blocks)


def test_a_rule_on_silence_has_no_views() -> None:
    assert subject_of(NoBlockRule(id="r")) is None


def test_a_firing_and_its_edit_say_the_same() -> None:
    fired = explained_firing("pool-a")
    message, edited = (
        transition_message(fired, CONTEXT),
        changed_root(fired, a_transition(state="resolved"), CONTEXT, CONTEXT),
    )
    for head in ("*Both views*", "*What moved it*"):
        (first,) = [b for b in message.blocks if head in str(b)]
        assert first in edited.blocks


def explained_firing(name: str, change: float = 0.04) -> AlertTransition:
    moved = MovedBy(
        metric="top4_share",
        from_height=1,
        from_time=0,
        before=0.7,
        after=0.7 + change,
        parts=((name, change),) * 3,
        others=-2 * change,
        others_count=5,
    )
    raw = {"pool-a": 30, "pool-b": 15}
    found = explanation_of(raw, "top1_share", raw=0.4, entity=0.5).model_copy(update={"moved": moved})
    evidence = a_transition().evidence.model_copy(update={"explanation": found})
    assert AlertEvidence.model_validate_json(evidence.as_json()) == evidence
    return a_transition(evidence=evidence)


@given(name=st.text(max_size=4_000), change=st.floats(-1e9, 1e9))
def test_slacks_limits_hold_and_nothing_from_outside_formats(name: str, change: float) -> None:
    message = transition_message(explained_firing(f"<!channel> & {name}", change), CONTEXT)
    assert len(message.blocks) <= 50
    for block in message.blocks:
        if block["type"] == "section" and "text" in block:
            assert 0 < len(block["text"]["text"]) <= 3_000
    assert "<!channel>" not in str(message.blocks)
