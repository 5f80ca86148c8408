"""Rules of type `when`: their levels against a plain judgement height by height, their words, and what does not fit together."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.machine.machine import NOWHERE, Step, advance, advance_many
from alerts.outbox.routes import labels_of
from alerts.rules.changes import changes
from alerts.rules.condition import Condition, condition_of
from alerts.rules.line import OPERATORS, Line
from alerts.rules.metric_rule import MetricRule
from alerts.rules.when import WhenRule
from alerts.rules_file import parse_rules, parse_rules_file
from alerts.signals.levels import Level
from alerts.signals.specs.signal_registry import SIGNALS, register
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.windows import WINDOWS_BLOCKS
from tests.unit.alerts.test_metric_rules import text_of as shown_text
from tests.unit.alerts.test_metric_rules import told, windows

HHI = """
version: 1
rules:
  - id: hhi
    type: when
    title: Pool concentration is high
    when: {signal: hhi_10000}
    fire: {above: 2500}
    clear: {below: 2400}
    for: 6h
"""
NAKAMOTO = "version: 1\nrules:\n  - {id: few, type: when, when: {signal: nakamoto_half}, fire: {at_most: 2}}\n"
UNKNOWN = (
    "version: 1\nrules:\n  - {id: unknown, type: when, when: {signal: unknown_share}, fire: {above: 0.1}, for: 36}\n"
)


def when(text: str) -> WhenRule:
    [rule] = parse_rules(text, "rules file")
    assert isinstance(rule, WhenRule)
    return rule


def a_rule(**fields: Any) -> WhenRule:
    return WhenRule.model_validate({"id": "a", **fields})


def mistakes_of(**fields: Any) -> list[str]:
    entry = json.dumps({"id": "a", "type": "when", **fields})
    return [one.problem.partition(": ")[2] for one in parse_rules_file(f"version: 1\nrules: [{entry}]", "f").mistakes]


# Words.


@pytest.mark.parametrize("text", [HHI, NAKAMOTO, UNKNOWN])
def test_the_usual_rules_are_at_most_eight_lines(text: str) -> None:
    assert len(text.strip().splitlines()[2:]) <= 8


def test_messages_are_in_the_words_and_the_unit_of_the_signal() -> None:
    hhi, few, unknown = when(HHI), when(NAKAMOTO), when(UNKNOWN)
    assert hhi.condition() == "HHI in points of 1008 blocks (raw) over 2,500 for 36 blocks, clear below 2,400"
    series = windows([[420, 200, 150, 120, 80, 38]])
    fired = told(hhi, series, "firing")
    # 10,000 · (420² + 200² + 150² + 120² + 80² + 38²) / 1008² = 10,000 · 261,144 / 1,016,064 = 2,570.2
    assert fired.summary == (
        "HHI in points over the last 1,008 blocks is 2,570, over 2,500 for 36 blocks: "
        "alpha 41.7 %, beta 19.8 %, gamma 14.9 %, delta 11.9 % (height 1)."
    )
    assert "*HHI in points*" in (text := shown_text(fired, hhi))
    assert "2,570 over 1,008 blocks" in text
    assert few.condition() == "Nakamoto coefficient of 1008 blocks (raw) at most 2"
    assert told(few, windows([[600, 300, 108]]), "firing").summary == (
        "Nakamoto coefficient over the last 1,008 blocks is 1, at most 2: alpha 59.5 %, beta 29.8 %, gamma 10.7 % (height 1)."
    )
    assert told(few, windows([[200, 200, 200, 200, 208]]), "resolved").summary.endswith(
        "is 3, no longer at most 2 (height 1)."
    )
    fired = told(unknown, windows([[500, 300, 88]], 120), "firing")
    assert fired.summary.startswith(
        "Share of unknown blocks over the last 1,008 blocks is 11.9 %, over 10 % for 36 blocks"
    )
    assert fired.evidence.metric == "unknown_share"
    assert "*Share of unknown blocks*\\n11.9 % over 1,008 blocks" in shown_text(fired, unknown)


def test_a_change_is_worded_in_points_or_in_its_own_unit() -> None:
    rise = a_rule(when={"signal": "top4_share", "change_blocks": 2}, fire={"above": 0.05}, clear={"at_most": 0})
    assert rise.condition() == (
        "change of share of the 4 largest pools in 2 blocks of 1008 blocks (raw) over 5 points, clear at most 0 points"
    )
    wide, narrow = [200, 200, 100, 100, *[51] * 8], [200, 200, 150, 150, *[44] * 7]
    series = windows(np.array([[*wide, 0], [*wide, 0], [*narrow, 0, 0]]))
    assert [Level(one).name for one in rise.levels(series).tolist()] == ["BLIND", "BLIND", "OVER"]
    fired = told(rise, series, "firing", 2)
    # 700 of 1008 after 600 of 1008: 69.44 % after 59.52 %.
    assert fired.value == pytest.approx(100 / 1008)
    assert fired.summary.startswith(
        "Change of share of the 4 largest pools in 2 blocks over the last 1,008 blocks is +9.9 points, over 5 points"
    )
    assert "+9.9 points over 1,008 blocks" in shown_text(fired, rise)
    assert told(rise, series, "inactive", 0).summary == "a: no value (height 1)."
    key = condition_of(fired.evidence.metric or "")
    assert key is not None
    assert (key.signal, key.change_blocks, key.format(-0.031)) == ("top4_share", 2, "-3.1 points")


def test_several_conditions_are_stated_together() -> None:
    rule = a_rule(
        when={
            "all": [
                {"signal": "hhi_10000", "fire": {"above": 2500}},
                {"signal": "unknown_share", "fire": {"below": 0.05}},
            ]
        },
        **{"for": 2},
    )
    assert rule.condition() == (
        "HHI in points of 1008 blocks (raw) over 2,500 and share of unknown blocks of 1008 blocks (raw) below 5 % for 2 blocks"
    )
    fired = told(rule, windows([[420, 200, 150, 120, 80, 38]]), "firing")
    assert fired.summary.startswith(
        "HHI in points over the last 1,008 blocks is 2,570, share of unknown blocks over the last 1,008 blocks is 0.0 %, "
        "with all of 2 conditions met for 2 blocks: alpha"
    )


def test_an_alert_of_a_later_condition_states_its_value_where_the_first_has_none() -> None:
    """The first condition has no value before its change can be measured; the message was `a: no value (height 1).`"""
    rule = a_rule(
        when={
            "any": [
                {"signal": "hhi_10000", "change_blocks": 5, "fire": {"above": 100}},
                {"signal": "top3_share", "fire": {"above": 0.7}},
            ]
        },
    )
    series = windows([[420, 200, 150, 120, 80, 38]])
    assert rule.levels(series)[0] == Level.OVER
    fired = told(rule, series, "firing")
    assert fired.summary.startswith(
        "Change of HHI in points in 5 blocks over the last 1,008 blocks is not known, "
        "share of the 3 largest pools over the last 1,008 blocks is 76.4 %, with one of 2 conditions met: alpha"
    )
    assert (fired.value, fired.value_low, fired.value_high) == (None, None, None)
    assert rule.format_value(float("nan")) == "–"


def test_a_pool_is_judged_where_the_six_largest_decide_it() -> None:
    below = a_rule(when={"signal": "pool_share", "pool": "zeta"}, fire={"below": 0.05})
    above = a_rule(when={"signal": "pool_share", "pool": "zeta"}, fire={"above": 0.03})
    named = [300, 250, 200, 150, 68, 40, 0, 0]
    hidden = [300, 250, 200, 78, 60, 40, 40, 40]  # zeta may be a seventh: at most 40 of 1008
    series = windows([named, hidden])
    other = replace(series, names=("alpha", "beta", "gamma", "delta", "epsilon", "eta"))
    assert [below.levels(series)[0], below.levels(other)[1]] == [Level.OVER, Level.OVER]
    assert above.levels(series)[0] == Level.OVER
    assert above.levels(other)[1] == Level.BLIND, "40 of 1008 are over 3 %, none is not"
    assert told(below, other, "firing", 1).summary.startswith(
        "Share of zeta over the last 1,008 blocks is at most 4.0 %, below 5 %"
    )
    few = replace(other, pools_seen=np.array([6, 6]))
    assert above.levels(few)[1] == Level.CLEAR, "no seventh pool has a block"


def test_owner_severity_runbook_alarm_rate_and_labels_are_in_the_message_and_not_in_the_hash() -> None:
    bare = when(NAKAMOTO)
    named = bare.model_copy(
        update={
            "owner": "mining desk",
            "severity": "critical",
            "runbook": "https://desk.example/few",
            "alarm_rate": "not backtested",
            "labels": {"team": "risk"},
        }
    )
    assert named.rule_hash == bare.rule_hash
    assert named.responsible() == (
        ("Severity", "critical"),
        ("Owner", "mining desk"),
        ("Runbook", "https://desk.example/few"),
        ("Alarm rate", "not backtested"),
        ("Labels", "team=risk"),
    )
    fired = told(named, windows([[600, 300, 108]]), "firing")
    then = fired.evidence.rule or {}
    assert (then["owner"], then["labels"]) == ("mining desk", {"team": "risk"})
    assert {name: then[name] for name in named.content()} == bare.content()
    assert "owner" not in (told(bare, windows([[600, 300, 108]]), "firing").evidence.rule or {})
    assert labels_of(fired, None)["severity"] == "critical", "as the rule was at this step"


def test_a_hold_in_time_is_the_blocks_that_the_chain_aims_at() -> None:
    rule = a_rule(when={"signal": "hhi"}, fire={"above": 0.2}, chain="all", **{"for": "6h"}, keep_firing_for="25m")
    found = {one.chain: (one.for_blocks, one.keep_firing_for) for one in rule.per_chain()}
    assert (found["bitcoin"], found["litecoin"]) == ((36, 3), (144, 10))
    blocks = a_rule(when={"signal": "hhi"}, fire={"above": 0.2}, **{"for": 36}, keep_firing_for=3)
    assert rule.on_chain("bitcoin").rule_hash == blocks.rule_hash


def test_an_edit_is_told_by_the_condition_before_and_after() -> None:
    rule = when(HHI)
    before = rule.varied(line=2600.0)
    assert before is not None
    assert changes(before.content(), rule) == f"{before.condition()} → {rule.condition()}"
    kept = rule.model_copy(update={"no_data": "keep"})
    assert changes(rule.content(), kept) == "no data ignore → keep"
    assert changes({"type": "metric"}, rule) == "type metric → when"


# What does not fit together.


HHI_OVER: dict[str, Any] = {"when": {"signal": "hhi"}, "fire": {"above": 0.2}}
ONE_OF_ALL: dict[str, Any] = {"signal": "hhi", "fire": {"above": 0.2}}
MISFITS: list[tuple[dict[str, Any], str]] = [
    (HHI_OVER | {"when": {"signal": "hhi_1000"}}, "'when.signal' is 'hhi_1000', perhaps 'hhi_10000' was meant"),
    ({"when": {"signal": "hhi_10000"}}, "'fire' is missing, expected a mapping with one of above"),
    (HHI_OVER | {"when": {"signal": "hhi", "sginal": 1}}, "'when.sginal' is 1, expected no such field"),
    (HHI_OVER | {"fire": {"above": 0.2, "below": 0.1}}, "'fire' is {'above': 0.2, 'below': 0.1}, expected a mapping"),
    (HHI_OVER | {"fire": {"above": 2500}}, "'fire.above' is 2500.0, expected a value in the range of hhi, 0–1"),
    (HHI_OVER | {"fire": {"above": 1}}, "'fire.above' is 1.0, expected a line that hhi can pass"),
    (HHI_OVER | {"clear": {"below": 0.3}}, "'clear.below' is 0.3, expected a value not over the line (0.2)"),
    (HHI_OVER | {"clear": {"above": 0.1}}, "'clear.above' is 0.1, expected below or at_most"),
    (HHI_OVER | {"fire": {"at_least": 0.2}, "clear": {"at_most": 0.2}}, "'clear.at_most' is 0.2, expected a value"),
    (HHI_OVER | {"when": ONE_OF_ALL}, "'when.fire' is {'above': 0.2}, expected nothing: the rule has `fire`"),
    ({"when": {}}, "'when' is missing, expected one of signal, all and any"),
    ({"when": {"all": []}}, "'when.all' is [], expected a list of 1…8 conditions"),
    ({"when": {"any": [{"signal": "hhi"}]}}, "'when.any.0.fire' is missing"),
    (
        {"when": {"all": [{"signal": "hhi", "fire": {"above": "x"}}]}},
        "'when.all.0.fire.above' is 'x', expected a number",
    ),
    ({"when": {"all": [ONE_OF_ALL | {"window_blocks": 7}]}}, "'when.all.0.window_blocks' is 7"),
    (HHI_OVER | {"when": {"all": [ONE_OF_ALL]}}, "'fire' is {'above': 0.2}, expected nothing"),
    (HHI_OVER | {"when": {"signal": "pool_share"}}, "'when.pool' is missing, expected the slug of a pool"),
    (HHI_OVER | {"when": {"signal": "hhi", "pool": "antpool"}}, "'when.pool' is 'antpool', expected nothing"),
    (HHI_OVER | {"when": {"signal": "pool_share", "pool": "antpol"}}, "'when.pool' is 'antpol', perhaps 'antpool'"),
    (HHI_OVER | {"for": "6 weeks"}, "'for' is '6 weeks', expected a whole number of blocks"),
    (HHI_OVER | {"for": 1009}, "'for' is 1009, expected at most the window of 1008 blocks"),
    (HHI_OVER | {"for_blocks": 3}, "'for_blocks' is unknown to type 'when'"),
    (HHI_OVER | {"no_data": "alert"}, "'no_data' is 'alert', expected ignore, fire or keep"),
    (HHI_OVER | {"runbook": "javascript:x"}, "'runbook' is 'javascript:x', expected the https address of what to do"),
    (
        HHI_OVER | {"runbook": "docs/../x.md x"},
        "'runbook' is 'docs/../x.md x', expected the https address of what to do, or",
    ),
    (HHI_OVER | {"alarm_rate": "x" * 161}, "'alarm_rate' is 'xxx"),
    (HHI_OVER | {"severity": "high"}, "'severity' is 'high', expected info, warning or critical"),
]


@pytest.mark.parametrize(("fields", "expected"), MISFITS)
def test_what_does_not_fit_is_named_with_its_place(fields: dict[str, Any], expected: str) -> None:
    found = mistakes_of(**fields)
    assert any(one.startswith(f"field {expected}") for one in found), found


def test_the_place_of_a_mistake_is_inside_the_condition() -> None:
    text = "version: 1\nrules:\n  - id: a\n    type: when\n    when:\n      all:\n        - {signal: hhii, fire: {above: 0.2}}\n"
    [mistake] = parse_rules_file(text, "f").mistakes
    assert (mistake.line, mistake.column, mistake.field, mistake.hint) == (7, 20, "when.all.0.signal", "hhi")


def test_two_signals_of_one_name_are_refused() -> None:
    signal = SIGNALS["unknown_share"]
    with pytest.raises(ValueError, match="two signals are named unknown_share"):
        register([signal, signal])


def test_every_metric_is_a_signal_and_every_signal_has_words() -> None:
    assert set(SPECS) < set(SIGNALS)
    for name, signal in SIGNALS.items():
        condition = Condition(signal=name, pool="antpool" if signal.per_pool else "")
        assert condition_of(condition.key) == condition
        assert signal.comment
        assert not signal.comment.endswith(".")
        assert "{" not in condition.title


# Levels against a plain judgement, height by height.

LINES = st.sampled_from([Fraction(n, 100) for n in range(5, 100, 5)])
SIGNAL_NAMES = ("top2_share", "unknown_share", "pool_share", "top1_share_upper")


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    signal = draw(st.sampled_from(SIGNAL_NAMES))
    operator = draw(st.sampled_from(OPERATORS))
    fire, clear = draw(LINES), draw(LINES)
    rises = operator in ("above", "at_least")
    found: dict[str, Any] = {
        "signal": signal,
        "fire": {operator: float(fire)},
        "change_blocks": draw(st.sampled_from([0, 0, 1, 3])),
    }
    if signal == "pool_share":
        found["pool"] = "beta"
    if draw(st.booleans()):
        low, high = sorted((fire, clear))
        found["fire"] = {operator: float(high if rises else low)}
        found["clear"] = {draw(st.sampled_from(["below"] if rises else ["above"])): float(low if rises else high)}
    return found


def value_at(condition: dict[str, Any], row: list[int], unknown: int) -> tuple[Fraction, Fraction] | None:
    """The lower and the upper bound of a value; None for an empty window."""
    n = sum(row) + unknown
    if not n:
        return None
    ranked = sorted(row, reverse=True)
    blocks = {
        "top2_share": sum(ranked[:2]),
        "unknown_share": unknown,
        "pool_share": ranked[1],
        "top1_share_upper": ranked[0] + unknown,
    }
    low = Fraction(blocks[condition["signal"]], n)
    if condition["signal"] == "pool_share" and ranked[1] == 0:  # of six pools none is hidden
        return Fraction(0), Fraction(0)
    return low, low


def passes(line: dict[str, float], value: Fraction) -> bool:
    [(operator, number)] = line.items()
    limit = Fraction(str(number))
    return {"above": value > limit, "at_least": value >= limit, "below": value < limit, "at_most": value <= limit}[
        operator
    ]


def says(
    condition: dict[str, Any], rows: list[list[int]], unknown: list[int], at: int, max_unknown: Fraction | None
) -> tuple[bool, bool, bool, bool]:
    """(known, over, possible, clear) of one condition at one height."""
    change = condition["change_blocks"]

    def judged(place: int) -> bool:
        n = sum(rows[place]) + unknown[place]
        return n > 0 and (max_unknown is None or Fraction(unknown[place], n) <= max_unknown)

    places = [at] if not change else [at, at - change]
    if min(places) < 0 or not all(judged(place) for place in places):
        return False, False, False, False
    values = [value_at(condition, rows[place], unknown[place]) for place in places]
    first = values[0]
    assert first is not None
    value = first[0] if not change else first[0] - (values[1] or first)[0]
    fire = condition["fire"]
    over = passes(fire, value)
    clear = passes(condition["clear"], value) if "clear" in condition else not over
    possible = False
    if not change and condition["signal"] in ("top2_share", "pool_share") and next(iter(fire)) in ("above", "at_least"):
        possible = passes(fire, value + Fraction(unknown[at], sum(rows[at]) + unknown[at]))
    return True, over, possible, clear


def reference(rule: dict[str, Any], rows: list[list[int]], unknown: list[int]) -> list[int]:
    """One level a height, by Kleene's three values: None where nothing is known."""
    joint, parts = ("all", rule["all"]) if "all" in rule else ("any", rule["any"])
    found, clears = [], 0
    limit = None if rule["max_unknown"] is None else Fraction(str(rule["max_unknown"]))
    for at in range(len(rows)):
        each = [says(one, rows, unknown, at, limit) for one in parts]
        truths = [over if known else None for known, over, _, _ in each]
        if joint == "all":
            truth = False if False in truths else None if None in truths else True
            clear = any(known and c for known, _, _, c in each)
            possible = all(known and (over or p) for known, over, p, _ in each)
        else:
            truth = True if True in truths else None if None in truths else False
            clear = all(known and c for known, _, _, c in each)
            possible = any(known and (over or p) for known, over, p, _ in each)
        clears = clears + 1 if truth is not None and clear else 0
        if truth is None:
            found.append({"ignore": Level.BLIND, "fire": Level.OVER, "keep": Level.HELD}[rule["no_data"]])
        elif truth:
            found.append(Level.OVER)
        else:
            cleared = clears > rule["keep_firing_for"]
            found.append(Level((0 if cleared else 1) + (2 if possible else 0)))
    return [int(one) for one in found]


ROWS = st.lists(
    st.tuples(st.lists(st.integers(0, 6), min_size=6, max_size=6), st.integers(0, 4)), min_size=1, max_size=14
)


@given(
    blocks=ROWS,
    joint=st.sampled_from(["all", "any"]),
    parts=st.lists(conditions(), min_size=1, max_size=3),
    more=st.fixed_dictionaries(
        {
            "no_data": st.sampled_from(["ignore", "fire", "keep"]),
            "keep_firing_for": st.sampled_from([0, 0, 1, 2]),
            "max_unknown": st.sampled_from([None, 0.25]),
        }
    ),
)
@settings(max_examples=150)
def test_the_levels_are_those_of_a_plain_judgement_at_each_height(
    blocks: list[tuple[list[int], int]],
    joint: str,
    parts: list[dict[str, Any]],
    more: dict[str, Any],
) -> None:
    rows, unknown = [sorted(row, reverse=True) for row, _ in blocks], [missing for _, missing in blocks]
    series = windows(np.array(rows), np.array(unknown))
    rule, plain = a_rule(when={joint: parts}, **more), {joint: parts, **more}
    assert rule.levels(series).tolist() == reference(plain, rows, unknown)
    # What it looks back on is enough: each height judged with so many before it is as in the whole series.
    back = rule.lookback_blocks
    whole = rule.levels(series).tolist()
    for at in range(back, len(series)):
        assert rule.levels(series.part(slice(at - back, at + 1))).tolist()[-1] == whole[at]
    # A series in two parts is the series.
    cut = len(series) // 2
    joined = series.part(slice(0, cut)).then(series.part(slice(cut, None)))
    assert rule.levels(joined).tolist() == whole
    assert [joined.named_counts(at) for at in range(len(joined))] == [
        series.named_counts(at) for at in range(len(series))
    ]


@given(
    levels=st.lists(st.sampled_from(list(Level)), max_size=40),
    hold=st.integers(0, 4),
)
def test_many_heights_at_once_are_as_one_by_one_where_some_are_held(levels: list[Level], hold: int) -> None:
    standing, steps = NOWHERE, list[Step]()
    for at, level in enumerate(levels):
        standing, found = advance(standing, level, at, hold)
        steps.extend(found)
    assert advance_many(NOWHERE, np.array(levels, np.int8), 0, hold) == (standing, steps)


@given(heights=st.integers(1, 6), operator=st.sampled_from(OPERATORS), value=st.floats(0, 1))
def test_a_line_compares_as_its_operator_says(heights: int, operator: str, value: float) -> None:
    line = Line.model_validate({operator: value})
    found = line.passed(np.array([np.nan, value, np.nextafter(value, -1), np.nextafter(value, 2)] * heights))
    expected = [False, line.inclusive, not line.rises, line.rises]
    assert found.tolist() == expected * heights


def test_a_metric_rule_is_the_same_condition() -> None:
    """`metric` is a reading of `when`: equal levels, words and SQL."""
    metric = MetricRule(id="a", metric="hhi_10000", above=2500, clear_below=2400)
    same = a_rule(when={"signal": "hhi_10000"}, fire={"above": 2500}, clear={"below": 2400}, **{"for": 36})
    series = windows([[420, 200, 150, 120, 80, 38], [300, 250, 200, 150, 70, 38]])
    assert metric.levels(series).tolist() == same.levels(series).tolist() == [Level.OVER, Level.CLEAR]
    assert metric.condition() == same.condition()
    assert metric.reproducing_sql("r1", 9) == same.reproducing_sql("r1", 9)
    assert metric.reading(series, 0) == same.reading(series, 0)


def test_a_window_that_is_not_full_is_judged_from_min_samples_on() -> None:
    series = windows([[60, 40, 0], [60, 44, 0], [100, 44, 0]], 0, 144)
    fields: dict[str, Any] = {"when": {"signal": "top1_share"}, "fire": {"above": 0.5}, "window_blocks": 144}
    assert a_rule(**fields).levels(series).tolist() == [Level.BLIND, Level.BLIND, Level.OVER]
    assert a_rule(**fields, min_samples=104).levels(series).tolist() == [Level.BLIND, Level.OVER, Level.OVER]


def test_other_windows_are_judged_beside_its_own() -> None:
    rule = a_rule(
        when={
            "all": [
                {"signal": "top1_share", "fire": {"above": 0.5}},
                {"signal": "top1_share", "fire": {"above": 0.5}, "window_blocks": 144},
            ]
        }
    )
    assert [place.window_blocks for place in rule.beside] == [144]
    own, other = windows([[600, 408], [600, 408]]), windows([[100, 44], [44, 100]])
    other_low = windows([[100, 44], [72, 72]])
    series = replace(own, beside={rule.beside[0]: other})
    assert rule.levels(series).tolist() == [Level.OVER, Level.OVER]
    series = replace(own, beside={rule.beside[0]: other_low})
    assert rule.levels(series).tolist() == [Level.OVER, Level.CLEAR]
    halves = [series.part(slice(at, at + 1)) for at in range(2)]
    for before, after in pairwise(halves):
        assert rule.levels(before.then(after)).tolist() == [Level.OVER, Level.CLEAR]
    assert {place.window_blocks for place in rule.beside} < set(WINDOWS_BLOCKS)


@pytest.mark.parametrize("operator", ["above", "at_least", "below", "at_most"])
def test_a_change_that_equals_the_line_is_the_line(operator: str) -> None:
    """0.6 − 0.5 is 0.1 to a reader, and less than that to a double."""
    rows, unknown = [[4, 4, 0, 0, 0, 0], [5, 3, 0, 0, 0, 0]], [2, 2]
    series = windows(np.array(rows), np.array(unknown))
    rule = a_rule(when={"signal": "top1_share_upper", "change_blocks": 1, "fire": {operator: 0.1}})
    found = rule.levels(series).tolist()[1]
    share = [Fraction(row[0] + missing, 10) for row, missing in zip(rows, unknown, strict=True)]
    assert share[1] - share[0] == Fraction("0.1")
    assert found == (Level.OVER if operator in ("at_least", "at_most") else Level.CLEAR)
