"""The value around an alert: the evidence's query over heights, the plot with its line and marks, or a plain sentence."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.rules.metric_rule import MetricRule
from alerts.rules.rule import HeightRule
from alerts.rules.rule_types import RULE_TYPES
from alerts.rules.top_share_probability_rule import TopShareProbabilityRule
from alerts.rules.top_share_rule import TopShareRule
from alerts.rules.when import WhenRule
from counterpoise.metrics.specs.metric_registry import SPECS
from desk.web.pages import alert_page
from desk.web.pages.alert_values import ValuePoint, Values, draw_values, over_heights, value_words
from tests.unit.web.test_panels import AT, CONTEXT, EVIL, STEP, Elements, inert

HEIGHT_RULES = [
    TopShareRule(id="a", title="A", k=2, view="entity", window_blocks=144),
    TopShareProbabilityRule(id="b", title="B"),
    MetricRule(id="c", title="C", metric="hhi_10000", above=2_500),
    MetricRule(id="d", title="D", metric="nakamoto_half", below=3),
    WhenRule.model_validate({"id": "e", "when": {"signal": "hhi", "change_blocks": 144}, "fire": {"above": 0.02}}),
]


def test_there_is_a_case_for_every_type_that_judges_blocks() -> None:
    assert {type(rule) for rule in HEIGHT_RULES} == {
        kind for kind in RULE_TYPES.values() if issubclass(kind, HeightRule)
    }


@pytest.mark.parametrize("rule", HEIGHT_RULES, ids=lambda rule: rule.id)
def test_the_evidence_of_each_type_becomes_a_query_over_heights(rule: HeightRule) -> None:
    sql = rule.on_chain("bitcoin").reproducing_sql("r-1", 840_000)
    wide = over_heights(sql, 840_000, 839_000, 841_000, 7)
    assert wide is not None
    assert wide.endswith("AND height BETWEEN 839000 AND 841000 AND (841000 - height) % 7 = 0")
    assert wide.count("840000") == sql.count("840000") - 1
    assert over_heights(sql, 840_001, 839_000, 841_000, 7) is None, "another height"


@given(st.text(max_size=80), st.integers(0, 10**6))
def test_another_query_is_left_alone(sql: str, height: int) -> None:
    assert over_heights(sql, height, 0, height, 1) is None or sql.endswith(f" height = {height}")


def points(values: list[float]) -> list[ValuePoint]:
    return [ValuePoint(900_000 + at, AT + timedelta(minutes=10 * at), value) for at, value in enumerate(values)]


def test_a_firing_that_is_stated_again_is_no_second_one() -> None:
    """A reorganisation undid its clear: the alert fires as before, and since before."""
    steps = [
        step("firing", 2, previous_state="pending", reason="observed"),
        step("resolved", 6, previous_state="firing", reason="observed"),
        step("retracted", 7, previous_state="resolved", reason="reorg"),
        step("firing", 7, previous_state="retracted", reason="restated", value=1.0),
    ]
    assert alert_page.shown_step(steps) == steps[0]
    assert alert_page.shown_step(steps[3:]) == steps[3], "its only firing"
    drawn = draw_values(Values(points([2_400.0] * 9)), steps, "hhi_10000", "HHI")
    assert drawn.count(">fired<") == drawn.count(">cleared<") > 0


def step(state: str, after: int, **more: Any) -> dict[str, Any]:
    return STEP | {"state": state, "event_time": AT + timedelta(minutes=10 * after), "threshold": 2_500.0, **more}


def test_the_line_and_the_marks_are_drawn_and_said() -> None:
    steps = [step("firing", 2), step("resolved", 5)]
    drawn = draw_values(Values(points([2_300.0, 2_400, 2_600, 2_700, 2_550, 2_390])), steps, "hhi_10000", "HHI")
    assert drawn.count('class="line alert"') == 2, "one mark of the firing, at both widths"
    words = Elements(drawn).words.replace("\xa0", " ")
    assert (
        "The line of the rule is 2,500." in words
        and "fired 2026-01-02 03:24 UTC; cleared 2026-01-02 03:54 UTC" in words
    )
    assert 'class="numbers"' in drawn
    [fired, *_] = re.findall(r'<line x1="([\d.]+)"[^>]*class="line alert"', drawn)
    [path, *_] = re.findall(r' d="M([^"]+)" class="line mining"', drawn)
    assert fired == path.split("L")[2].split()[0], "at the block that fired"


def test_a_step_that_goes_on_firing_is_no_second_mark() -> None:
    steps = [step("firing", 1), step("firing", 3, previous_state="firing")]
    drawn = draw_values(Values(points([2_600.0, 2_700, 2_650, 2_700])), steps, "hhi_10000", "HHI")
    assert drawn.count('class="line alert"') == 2, "one mark, at both widths"


def test_a_rule_without_a_series_has_a_sentence() -> None:
    timer = STEP | {"height": None, "window_blocks": 0, "metric": ""}
    page = alert_page.draw(
        alert_page.AlertPage([timer], None, "", (), None, Values((), "Judges a moment.")), "x", CONTEXT
    )
    assert "The value around the alert" in page and "Judges a moment." in page and "<svg" not in page


@pytest.mark.parametrize("metric", [*SPECS, "", EVIL])
def test_every_metric_is_drawn_in_its_unit(metric: str) -> None:
    drawn = draw_values(Values(points([0.1, 0.9, 0.5])), [step(EVIL, 1, threshold=0.5)], metric, EVIL)
    inert(drawn)
    assert value_words(metric, 0.5) in drawn


def test_a_hostile_page_is_inert() -> None:
    found = alert_page.AlertPage([STEP], 0.76, "", (), None, Values(points([0.1, 0.2])))
    inert(alert_page.draw(found, EVIL, CONTEXT))
    inert(alert_page.draw(alert_page.AlertPage([STEP], 0.76, "", (), None, Values((), EVIL)), EVIL, CONTEXT))


@pytest.mark.parametrize(
    ("values", "threshold", "worse_than", "shown"),
    [
        ([0.76, 0.80], 0.75, 0.78, "Was silenced until worse than 0.78"),
        ([0.80, 0.76], 0.75, 0.78, "Silenced until worse than 0.78"),
        ([0.76, 0.60], 0.80, 0.70, "Was silenced until worse than 0.7"),
        ([0.76, 0.80], 0.76, 0.78, "Silenced until worse than 0.78"),  # on its line no side is the worse one
        ([], 0.75, 0.70, "Silenced until worse than 0.7"),
    ],
)
def test_a_silence_is_past_once_the_newest_value_is_worse(
    values: list[float], threshold: float, worse_than: float, shown: str
) -> None:
    asked = {"kind": "silence", "acted_at": AT, "ended": 0, "author": "ada", "reason": "", "via": "page"}
    asked |= {"until": None, "until_resolved": False, "worse_than": worse_than}
    drawn = Values(points(values) if values else (), "none")
    found = alert_page.AlertPage([STEP | {"threshold": threshold}], 0.76, "", (), None, drawn, people=(asked,))
    assert shown in Elements(alert_page.draw(found, "a", CONTEXT)).words
