"""Many rules at once: the arrays, the shared path and the checkpoints say what one rule alone says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.machine.checkpoints import SHARED_PATH, Checkpoints
from alerts.machine.machine import NOWHERE, Phase, Standing, advance
from alerts.machine.many_standings import ManyStandings
from alerts.machine.path import RING_HEIGHTS, Path
from alerts.machine.rule_state import RuleState, SharedPath
from alerts.rules.many_levels import ManyLevels
from alerts.rules.metric_rule import MetricRule
from alerts.rules.rule import HeightRule
from alerts.rules.top_share_rule import TopShareRule
from alerts.rules.when import WhenRule
from alerts.signals.levels import Level
from alerts.signals.specs.signal_registry import SIGNALS
from alerts.signals.window_counts import WindowPlace
from counterpoise.metrics.specs.metric_registry import SPECS
from tests.unit.alerts.chains import a_hash, a_series
from tests.unit.alerts.test_metric_rules import windows
from tests.unit.alerts.test_when_rules import LINES, ROWS, conditions

LEVELS = st.sampled_from(list(Level))


@st.composite
def standings(draw: st.DrawFn) -> tuple[Standing, int]:
    """A standing that a machine with this hold reaches."""
    hold, standing = draw(st.integers(0, 5)), NOWHERE
    for height, level in enumerate(draw(st.lists(LEVELS, max_size=12)), start=20 - 12):
        standing, _ = advance(standing, level, height, hold)
    return standing, hold


@given(st.lists(st.tuples(standings(), LEVELS), max_size=20))
@settings(deadline=None)
def test_the_arrays_name_exactly_the_rules_that_a_height_changes(
    rules: list[tuple[tuple[Standing, int], Level]],
) -> None:
    many = ManyStandings([standing for (standing, _), _ in rules], [hold for (_, hold), _ in rules])
    found = many.changing(np.array([level for _, level in rules], np.int8), 20).tolist()
    expected = []
    for at, ((standing, hold), level) in enumerate(rules):
        after, steps = advance(standing, level, 20, hold)
        assert (after != standing) == bool(steps)
        assert many.changes(at, level, 20) == (after != standing)
        if after != standing:
            expected.append(at)
            many.put(at, after)
    assert found == expected
    again = many.changing(np.full(len(rules), Level.HELD, np.int8), 21)
    assert len(again) == 0


@st.composite
def many_rules(draw: st.DrawFn) -> list[HeightRule]:
    rules: list[HeightRule] = []
    for _ in range(draw(st.integers(1, 8))):
        if draw(st.integers(0, 3)) == 0:
            low, high = sorted((draw(LINES), draw(LINES)))
            fields = {"k": draw(st.integers(1, 6)), "above": float(high), "clear_below": float(low)}
            rules.append(TopShareRule.model_validate({"id": "a", **fields}))
            continue
        one = draw(conditions())
        more: dict[str, Any] = {
            "no_data": draw(st.sampled_from(["ignore", "fire", "keep"])),
            "keep_firing_for": draw(st.sampled_from([0, 0, 0, 2])),
            "max_unknown": draw(st.sampled_from([None, None, 0.25])),
        }
        shape = one
        if draw(st.booleans()):
            more_of_it = draw(st.lists(conditions(), min_size=0, max_size=2))
            elsewhere = {"view": "entity", "window_blocks": 144} if draw(st.booleans()) else {}
            shape = {draw(st.sampled_from(["all", "any"])): [one, *({**other, **elsewhere} for other in more_of_it)]}
        rules.append(WhenRule.model_validate({"id": "a", "when": shape, **more}))
    return rules


@given(rules=many_rules(), blocks=ROWS)
@settings(max_examples=60, deadline=None)
def test_rules_judged_together_have_the_levels_of_each_alone(
    rules: list[HeightRule], blocks: list[tuple[list[int], int]]
) -> None:
    counts = np.array([sorted(row, reverse=True) for row, _ in blocks])
    unknown = np.array([gone for _, gone in blocks])
    other = replace(windows(counts[::-1], unknown[::-1]), tip_hash=windows(counts, unknown).tip_hash)
    series = replace(windows(counts, unknown), beside={WindowPlace("entity", 144): other})
    many = ManyLevels(rules, ["one"] * len(rules))
    as_compared = [
        rule if many.is_exact(at) else rule.model_copy(update={"keep_firing_for": 0}) for at, rule in enumerate(rules)
    ]
    for end in {1, len(series) // 2 + 1, len(series)}:
        so_far = series.part(slice(0, end))
        assert many.at_last({"one": so_far})[0].tolist() == [int(rule.levels(so_far)[-1]) for rule in as_compared]
        # Several heights together, the first ones of the series among them, whose earlier heights are missing.
        assert many.at_last({"one": so_far}, end).T.tolist() == [rule.levels(so_far).tolist() for rule in as_compared]
        alone = [many.alone(at, so_far, end).tolist() for at in range(len(rules))]
        assert alone == [rule.levels(so_far).tolist() for rule in rules]
        last = [many.alone(at, so_far, 1).tolist() for at in range(len(rules))]
        assert last == [rule.levels(so_far)[-1:].tolist() for rule in rules]


@given(standings(), LEVELS)
def test_whether_a_rule_is_clear_matters_only_where_it_fires(one: tuple[Standing, int], level: Level) -> None:
    """What `ManyLevels.is_exact` rests on."""
    standing, hold = one
    not_clear = {Level.CLEAR: Level.BETWEEN, Level.CLEAR_POSSIBLE: Level.BETWEEN_POSSIBLE}.get(level, level)
    if standing.phase is not Phase.FIRING:
        assert advance(standing, level, 20, hold) == advance(standing, not_clear, 20, hold)


def test_every_metric_judged_together_is_as_alone() -> None:
    rng = np.random.default_rng(7)
    counts = -np.sort(-rng.integers(0, 40, (30, 6)), axis=1)
    series = windows(counts, rng.integers(0, 5, 30))
    alone: list[HeightRule] = []
    for name in SPECS:
        bounds = SIGNALS[name].range
        high = bounds.high if np.isfinite(bounds.high) else 20.0
        for share in (0.2, 0.5, 0.8):
            line = bounds.low + share * (high - bounds.low)
            for side in ("above", "below"):
                alone.append(MetricRule.model_validate({"id": "a", "metric": name, side: line}))
    many = ManyLevels(alone, [rule.further_columns for rule in alone])
    for end in (1, 7, 30):
        so_far = series.part(slice(0, end))
        found = many.at_last({rule.further_columns: so_far for rule in alone})[0].tolist()
        assert found == [int(rule.levels(so_far)[-1]) for rule in alone]
        assert {Level.OVER, Level.CLEAR} <= set(found)


def test_rules_that_follow_one_chain_hold_one_path() -> None:
    one, other = RuleState("a", "0", "bitcoin", 0), RuleState("b", "0", "bitcoin", 2)
    for state in (one, other):
        state.extend(a_series([0] * 400), np.zeros(400, np.int8))
    assert one.path is not other.path and one.path == other.path
    assert other.path.ends_as(one.path)
    other.path = one.path
    for state in (one, other):
        state.rewind(390)
        state.extend(a_series([0] * 3, first=391, branch="b"), np.full(3, Level.OVER, np.int8))
    assert one.path is other.path
    assert one.path.height == 393 and len(one.path.hashes) == RING_HEIGHTS - 10 + 3
    assert one.path.fork({392: a_hash("b", 392), 393: a_hash("a", 393)}) == 392


@st.composite
def growth(draw: st.DrawFn) -> list[tuple[int, list[list[Level]], list[bool]]]:
    """Of each step: how far it rewinds, the levels of three rules at the new heights, and who of them is left behind."""
    steps = []
    for _ in range(draw(st.integers(1, 8))):
        size = draw(st.sampled_from([1, 1, 2, 5]))
        levels = draw(st.lists(st.lists(LEVELS, min_size=size, max_size=size), min_size=3, max_size=3))
        steps.append((draw(st.integers(0, 3)), levels, draw(st.lists(st.booleans(), min_size=3, max_size=3))))
    return steps


@given(growth(), st.data())
@settings(deadline=None)
def test_what_the_checkpoints_leave_out_is_as_it_was_written(
    steps: list[tuple[int, list[list[Level]], list[bool]]], data: st.DataObject
) -> None:
    """The rows of all writes together, the newest of each key, give the states again."""
    states = [RuleState(name, "0", "bitcoin", at, go_live_height=-1) for at, name in enumerate("abc")]
    for state in states:
        state.extend(a_series([0] * 5), np.zeros(5, np.int8))
    stored: dict[str, str] = {}
    checkpoints, number = Checkpoints(1), 1
    shared_path: Path | None = None
    for depth, levels, behind in steps:
        if data.draw(st.booleans()):  # another alerter takes over
            number += 1
            checkpoints = Checkpoints(number)
        fork = (states[0].path.height or 0) - depth
        first = max(1, fork) + 1
        changed = []
        for state, its, stays in zip(states, levels, behind, strict=True):
            if (state.height or 0) < first - 1 or (stays and state is not states[0]):
                continue
            state.rewind(first - 1)
            branch = f"{first}{levels}"
            state.extend(a_series([0] * len(its), first=first, branch=branch), np.array(its, np.int8))
            changed.append(state)
        path, on_path = states[0].path, {state.rule_id for state in states if state.path is shared_path}
        for state in states:
            if state.path.ends_as(path):
                state.path = path
        came_or_left = [state for state in states if (state.path is path) != (state.rule_id in on_path)]
        shared_path = path
        for row in checkpoints.rows("bitcoin", path, states, [*changed, *came_or_left], seen_version=9):
            stored[row.rule_id] = row.state
        shared = SharedPath.from_json(stored[SHARED_PATH])
        assert (shared.path, shared.seen_version) == (path, 9)
        for state in states:
            again = RuleState.from_json(
                stored[state.rule_id], rule_id=state.rule_id, chain="bitcoin", hold=state.hold, shared=shared
            )
            assert again == state
            assert again.marks == state.marks


def of_version_3(state: RuleState, shared: int | None) -> str:
    """The checkpoint as it was written before standings and hashes were packed."""
    return json.dumps(
        {
            "v": 3,
            "rule_hash": state.rule_hash,
            "attribution_id": state.attribution_id,
            "settled_through": state.settled_through,
            "silent_through": state.silent_through,
            "adopted": state.adopted,
            "frozen_version": state.frozen_version,
            "go_live_height": state.go_live_height,
            "standings": [[since, int(s.phase), s.start, s.since] for since, s in state.standings],
            "path": [state.path.first, state.path.hashes] if shared is None else shared,
        }
    )


@given(
    levels=st.lists(LEVELS, min_size=1, max_size=40),
    hold=st.integers(0, 5),
    more=st.fixed_dictionaries(
        {},
        optional={
            "adopted": st.tuples(st.integers(0, 40), st.just("0123456789abcdef")),
            "frozen_version": st.integers(0, 1 << 62),
            "go_live_height": st.integers(-1, 1 << 20),
            "settled_through": st.integers(-1, 40),
            "silent_through": st.integers(-1, 40),
        },
    ),
    shared=st.booleans(),
    odd=st.booleans(),
)
def test_a_checkpoint_of_this_version_and_of_the_one_before_give_the_state_again(
    levels: list[Level], hold: int, more: dict[str, Any], shared: bool, odd: bool
) -> None:
    state = RuleState("a", "0123456789ab", "bitcoin", hold, "set", **more)
    series = a_series([0] * len(levels), first=700)
    if odd:  # hashes that are not 64 hexadecimal digits are kept as they are
        series = replace(series, tip_hash=tuple(f"Block {height}" for height in series.height))
    state.extend(series, np.array(levels, np.int8))
    path = SharedPath(7, state.path, 9)
    earlier = json.dumps({"path": 7, "first": state.path.first, "hashes": state.path.hashes, "seen_version": 9})
    assert SharedPath.from_json(path.to_json()) == SharedPath.from_json(earlier) == path
    number = 7 if shared else None
    for text in (state.to_json(shared=number), of_version_3(state, number)):
        assert RuleState.from_json(text, rule_id="a", chain="bitcoin", hold=hold, shared=path) == state


def test_a_checkpoint_is_small() -> None:
    """The path of 288 blocks, a rule that changed at every one of them, and one that did not change."""
    state = RuleState("rule", "0123456789ab", "bitcoin", 0, "r0123456789ab", go_live_height=900_000)
    turns = np.tile(np.array([Level.OVER, Level.CLEAR], np.int8), RING_HEIGHTS)
    state.extend(a_series([0] * len(turns), first=900_000), turns)
    assert len(state.standings) >= RING_HEIGHTS
    assert len(SharedPath(1, state.path, 1 << 62).to_json()) < 16_384
    assert len(state.to_json(shared=1)) < 3_072
    quiet = RuleState("rule", "0123456789ab", "bitcoin", 0, "r0123456789ab", go_live_height=900_000)
    quiet.extend(a_series([0] * 300, first=900_000), np.full(300, Level.OVER, np.int8))
    assert len(quiet.to_json(shared=1)) < 160


def test_a_block_that_changes_no_rule_costs_one_row() -> None:
    states = [RuleState(f"rule-{at}", "0", "bitcoin", 0, go_live_height=-1) for at in range(50)]
    path = Path().then(1, [a_hash("a", height) for height in range(1, 400)])
    for state in states:
        state.path = path
    checkpoints = Checkpoints(4)
    assert checkpoints.rows("bitcoin", Path(), [RuleState("new", "0", "bitcoin", 0)], [], 0) == []
    assert not checkpoints.has("bitcoin"), "nothing was read yet"
    assert len(checkpoints.rows("bitcoin", path, states, [], 1)) == 51
    assert checkpoints.has("bitcoin")
    after = path.then(400, [a_hash("a", 400)])
    for state in states:
        state.path = after
    [row] = checkpoints.rows("bitcoin", after, states, [], 2)
    assert row.rule_id == SHARED_PATH
    assert len(row.state) < 16_384
    assert checkpoints.rows("bitcoin", after, states, states, 2) == []


def test_a_rule_that_was_switched_off_is_followed_from_the_beginning() -> None:
    state = RuleState("a", "0", "bitcoin", 0, go_live_height=7)
    state.extend(a_series([0] * 5), np.full(5, Level.OVER, np.int8))
    text = state.to_json(shared=3)
    later = SharedPath(4, state.path.then(6, [a_hash("a", 6)]))
    found = RuleState.from_json(text, rule_id="a", chain="bitcoin", hold=0, shared=later)
    assert found is not None
    assert (found.height, found.standing, found.go_live_height) == (None, NOWHERE, 7)
