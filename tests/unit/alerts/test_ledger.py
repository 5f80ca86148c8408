"""Rows against the chain: reorgs retract, kills repeat nothing, a flip of the attribution announces nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.machine.ledger import LedgerEntry, close_all, is_settled, reconcile
from alerts.machine.path import RING_HEIGHTS
from alerts.machine.rule_state import ALL_EARLIER, RuleState
from alerts.signals.levels import Level
from tests.unit.alerts.chains import a_hash, a_series
from tests.unit.alerts.follower import Follower, branch, edit, flip

OVER, BETWEEN, CLEAR, MAYBE = Level.OVER, Level.BETWEEN, Level.CLEAR, Level.CLEAR_POSSIBLE


def test_a_replay_gives_the_same_ids_and_sequences() -> None:
    chain = branch("a", [OVER] * 5 + [CLEAR] + [OVER] * 4)
    once, again = Follower(), Follower()
    once.reach(chain)
    for length in range(1, len(chain) + 1):
        again.reach(chain[:length])
    assert {(k, e.state, e.height) for k, e in once.rows.items()} == {
        (k, e.state, e.height) for k, e in again.rows.items()
    }
    assert [row[:3] for row in once.brief()] == [
        (0, "pending", 1),
        (1, "firing", 4),
        (2, "resolved", 6),
        (0, "pending", 7),
        (1, "firing", 10),
    ]


def test_a_firing_that_rests_on_an_undone_block_is_retracted_and_can_fire_again() -> None:
    follower = Follower()
    follower.reach(branch("a", [OVER] * 4))  # fires at 4
    follower.reach(branch("a", [OVER] * 3) + branch("b", [BETWEEN]))
    assert follower.brief()[1:] == [
        (1, "firing", 4, "observed"),
        (2, "retracted", 4, "reorg"),
        (3, "inactive", 4, "observed"),
    ]
    assert follower.ledger.open() == []


def test_a_branch_that_says_the_same_changes_no_row_but_the_block_it_rests_on() -> None:
    follower = Follower()
    follower.reach(branch("a", [OVER] * 4))
    written = follower.reach(branch("a", [OVER] * 3) + branch("b", [OVER] * 2))
    assert [(e.sequence, e.state, e.tip_hash) for e in written] == [(1, "firing", a_hash("b", 4))]
    assert len(follower.rows) == 2


def test_a_shorter_branch_takes_the_firing_back_and_the_pending_stands() -> None:
    follower = Follower()
    follower.reach(branch("a", [OVER] * 5))
    follower.reach(branch("a", [OVER] * 2) + branch("b", [OVER]))
    assert follower.brief()[1:] == [
        (1, "firing", 4, "observed"),
        (2, "retracted", 3, "reorg"),
        (3, "pending", 3, "restated"),
    ]
    follower.reach(branch("a", [OVER] * 2) + branch("b", [OVER] * 2))
    assert follower.brief()[-1] == (4, "firing", 4, "observed")


def test_an_undone_resolve_leaves_the_alert_firing() -> None:
    follower = Follower()
    follower.reach(branch("a", [OVER] * 4 + [CLEAR]))
    follower.reach(branch("a", [OVER] * 4) + branch("b", [BETWEEN]))
    assert follower.brief()[2:] == [
        (2, "resolved", 5, "observed"),
        (3, "retracted", 5, "reorg"),
        (4, "firing", 5, "restated"),
    ]
    assert [entry.notify for entry in follower.ledger.of_alert(next(iter(follower.ledger.rows)))] == [
        False,
        True,
        True,
        True,
        True,
    ]


def test_a_kill_between_rows_and_checkpoint_writes_nothing_twice() -> None:
    follower = Follower()
    follower.reach(branch("a", [OVER] * 2))
    checkpoint = follower.checkpoint()
    chain = branch("a", [OVER] * 4 + [CLEAR])
    follower.reach(chain)
    before = dict(follower.rows)
    follower.kill(checkpoint)
    assert follower.reach(chain) == []
    assert follower.rows == before


def test_rows_of_a_branch_that_lost_while_we_were_dead_are_retracted() -> None:
    follower = Follower()
    follower.reach(branch("a", [OVER] * 2))
    checkpoint = follower.checkpoint()
    follower.reach(branch("a", [OVER] * 4))
    follower.kill(checkpoint)
    follower.reach(branch("a", [OVER] * 2) + branch("b", [BETWEEN, BETWEEN, BETWEEN]))
    assert [row[1] for row in follower.brief()] == ["pending", "firing", "retracted", "inactive"]


def test_a_reorg_deeper_than_the_ring_reads_all_history_again() -> None:
    follower = Follower()
    depth = RING_HEIGHTS + 20
    follower.reach(branch("a", [CLEAR] * 10 + [OVER] * depth))
    follower.reach(branch("a", [CLEAR] * 10) + branch("b", [CLEAR] * (depth + 1)))
    assert [row[1] for row in follower.brief()] == ["pending", "firing", "retracted"]
    assert follower.ledger.open() == []


def test_history_before_go_live_is_not_told() -> None:
    follower = Follower(go_live_height=4)
    follower.reach(branch("a", [OVER] * 4 + [CLEAR] + [OVER] * 4))
    assert [(e.state, e.notify) for e in sorted(follower.rows.values(), key=lambda e: (e.height, e.sequence))] == [
        ("pending", False),
        ("firing", False),
        ("resolved", True),
        ("pending", False),
        ("firing", True),
    ]


def test_a_flip_by_itself_fires_nothing() -> None:
    follower = Follower()
    follower.reach(branch("a", [CLEAR] * 8))
    written = flip(follower, [OVER] * 8)
    assert [(e.state, e.reason, e.notify) for e in written] == [("rebased", "rebased", False)]
    written = follower.reach(branch("a", [CLEAR] * 8 + [CLEAR]))
    assert [(e.state, e.previous, e.notify) for e in written] == [("inactive", "rebased", False)]


def test_a_hold_that_began_before_the_flip_may_end_after_it() -> None:
    follower = Follower()
    follower.reach(branch("a", [CLEAR] * 8))
    assert [e.state for e in flip(follower, [CLEAR] * 6 + [OVER] * 2)] == ["pending"]
    written = follower.reach(branch("a", [CLEAR] * 8 + [OVER] * 2))
    assert [(e.state, e.height, e.notify) for e in written] == [("firing", 10, True)]


def test_an_open_alert_that_the_new_attribution_does_not_support_is_resolved() -> None:
    follower = Follower()
    follower.reach(branch("a", [OVER] * 8))
    written = flip(follower, [CLEAR] * 8)
    assert [(e.state, e.reason, e.notify) for e in written] == [("resolved", "rebased", True)]


def test_an_open_alert_that_both_support_goes_on_under_its_name_although_it_began_elsewhere() -> None:
    follower = Follower()
    follower.reach(branch("a", [CLEAR] * 2 + [OVER] * 6))
    name = follower.ledger.open()[0].alert_id
    assert flip(follower, [OVER] * 8) == []
    written = follower.reach(branch("a", [OVER] * 8 + [CLEAR]))
    assert [(e.alert_id, e.state, e.previous) for e in written] == [(name, "resolved", "firing")]


def test_flipping_again_after_a_kill_adds_nothing() -> None:
    follower = Follower()
    follower.reach(branch("a", [CLEAR] * 8))
    checkpoint = follower.checkpoint()
    flip(follower, [OVER] * 8)
    before = dict(follower.rows)
    follower.kill(checkpoint)
    assert flip(follower, [OVER] * 8) == []
    assert follower.rows == before


def test_an_alert_whose_rule_is_gone_is_closed() -> None:
    follower = Follower()
    follower.reach(branch("a", [OVER] * 8))
    closed = close_all(follower.ledger, 99)
    assert [(e.state, e.reason, e.sequence, e.notify) for e in closed] == [("inactive", "rule-changed", 2, True)]
    assert close_all(follower.ledger, 100) == []


def test_an_edit_under_which_the_alert_fires_too_is_a_note_in_its_own_thread() -> None:
    follower = Follower()
    follower.reach(branch("a", [CLEAR] * 2 + [OVER] * 6))
    name = follower.ledger.open()[0].alert_id
    written = edit(follower, [OVER] * 8)
    assert [(e.alert_id, e.state, e.previous, e.reason, e.notify) for e in written] == [
        (name, "firing", "firing", "rule-changed", True)
    ]
    assert edit(follower, [OVER] * 8) == [], "the same edit says nothing twice"
    written = follower.reach(branch("a", [CLEAR] * 2 + [OVER] * 6 + [CLEAR]))
    assert [(e.alert_id, e.state, e.reason) for e in written] == [(name, "resolved", "observed")]


def test_an_edit_under_which_the_alert_does_not_fire_closes_it_and_never_resolves_it() -> None:
    follower = Follower()
    follower.reach(branch("a", [OVER] * 8))
    written = edit(follower, [BETWEEN] * 8)
    assert [(e.state, e.previous, e.reason, e.notify) for e in written] == [
        ("inactive", "firing", "rule-changed", True)
    ]
    assert follower.reach(branch("a", [OVER] * 8 + [CLEAR])) == []


def test_an_edit_under_which_it_fires_now_is_announced_once() -> None:
    follower = Follower()
    follower.reach(branch("a", [BETWEEN] * 8))
    written = edit(follower, [OVER] * 8)
    assert [(e.state, e.previous, e.reason, e.notify) for e in written] == [("firing", None, "rule-changed", True)]
    checkpoint = follower.checkpoint()
    follower.kill(checkpoint)
    assert follower.reach(follower.chain) == []
    written = follower.reach(branch("a", [OVER] * 8 + [CLEAR]))
    assert [(e.state, e.previous, e.notify) for e in written] == [("resolved", "firing", True)]


def test_a_reorg_below_an_edit_tells_nothing_of_what_the_edit_settled() -> None:
    """By the new line an alert fired and cleared before the edit: nobody was told of it, and a reorg does not tell."""
    follower = Follower(hold=0)
    chain = branch("a", [BETWEEN] * 8)
    follower.reach(chain)
    assert edit(follower, [CLEAR] * 4 + [OVER] * 2 + [CLEAR] * 2) == []
    written = follower.reach(branch("a", [CLEAR] * 4 + [OVER]) + branch("b", [CLEAR] * 2))
    assert [e for e in written if e.notify] == []


def test_a_reorg_of_everything_below_an_edit_tells_of_the_same_firing_once() -> None:
    follower = Follower()
    follower.reach(branch("a", [OVER] * 8))
    assert [e.state for e in edit(follower, [OVER] * 8)] == ["firing"]
    written = follower.reach(branch("b", [OVER] * 8))
    assert [e for e in written if e.notify] == []


def test_what_a_new_attribution_alone_made_fire_stays_silent_when_the_rule_is_edited() -> None:
    follower = Follower()
    follower.reach(branch("a", [CLEAR] * 8))
    assert [e.state for e in flip(follower, [OVER] * 8)] == ["rebased"]
    assert [e for e in edit(follower, [OVER] * 8) if e.notify] == []
    written = follower.reach(branch("a", [OVER] * 8 + [CLEAR]))
    assert [e for e in written if e.notify] == []


def test_what_fires_on_a_new_branch_is_sent_though_the_attribution_changed_at_its_height() -> None:
    follower = Follower(hold=2)
    stays = branch("a", [CLEAR] * 5 + [OVER] * 2)
    follower.reach(stays + branch("a", [BETWEEN]))
    assert flip(follower, [CLEAR] * 5 + [OVER] * 2 + [BETWEEN]) == []
    written = follower.reach(stays + branch("b", [OVER] * 2))
    assert [(e.state, e.notify) for e in written] == [("firing", True)], "it was `rebased`, and never sent"


def test_a_kill_between_the_rows_of_an_edit_and_the_checkpoint_repeats_nothing() -> None:
    for now in (OVER, BETWEEN):
        for then in (OVER, BETWEEN):
            follower = Follower()
            follower.reach(branch("a", [then] * 8))
            checkpoint = follower.checkpoint()
            edit(follower, [now] * 8)
            before = dict(follower.rows)
            follower.kill(checkpoint)
            assert edit(follower, [now] * 8) == []
            assert follower.rows == before


def test_an_alert_of_a_checkpoint_of_the_first_version_keeps_its_name() -> None:
    follower = Follower()
    follower.reach(branch("a", [OVER] * 8))
    document = json.loads(follower.checkpoint())
    for name in ("standings", "path"):
        del document[name]
    document |= {"silent_through": -1, "adopted": None, "frozen_version": 0}
    marks = [
        [m.height, m.tip_hash, int(m.standing.phase), m.standing.start, m.standing.since] for m in follower.track.marks
    ]
    earlier = json.dumps(document | {"v": 1, "seen_version": 7, "marks": marks})
    state = RuleState.from_json(earlier, rule_id="rule", chain="bitcoin", hold=3)
    assert state is not None and state.marks == follower.track.marks
    assert state is not None and state.frozen_version == ALL_EARLIER
    shown = state.shown()
    assert shown is not None and shown[1] == "firing"
    assert shown[0] == hashlib.sha256(b"rule\x000123456789ab\x00bitcoin\x001").hexdigest()[:16]
    assert RuleState.from_json('{"v": 5}', rule_id="rule", chain="bitcoin", hold=3) is None


levels = st.sampled_from([OVER, OVER, OVER, BETWEEN, CLEAR, MAYBE])


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[list[tuple[str, int]], bool]]:
    """Chains to reach one after the other, each a fork of the one before; and whether to be killed before it."""
    chain: list[tuple[str, int]] = []
    found = []
    for number in range(draw(st.integers(1, 6))):
        keep = draw(st.integers(max(0, len(chain) - 8), len(chain)))
        grown = draw(st.lists(levels, min_size=1, max_size=10))
        chain = chain[:keep] + branch(f"b{number}", grown)
        found.append((chain, draw(st.booleans())))
    return found


def lived(
    follower: Follower, history: list[tuple[list[tuple[str, int]], bool]]
) -> Iterator[tuple[list[tuple[str, int]], bool]]:
    """Each chain that is to be reached next, and whether the follower was killed just before."""
    checkpoint = follower.checkpoint()
    for chain, is_killed in history:
        if is_killed:
            follower.kill(checkpoint)
        else:
            checkpoint = follower.checkpoint()
        yield chain, is_killed


@given(histories(), st.integers(0, 4))
@settings(deadline=None)
def test_after_any_reorgs_and_kills_the_rows_claim_what_a_straight_run_claims(
    history: list[tuple[list[tuple[str, int]], bool]], hold: int
) -> None:
    follower = Follower(hold)
    for chain, _ in lived(follower, history):
        follower.reach(chain)
    straight = Follower(hold)
    straight.reach(history[-1][0])
    assert follower.track.marks == straight.track.marks
    assert follower.standing_claims() == straight.standing_claims()
    assert [(e.alert_id, e.state) for e in follower.ledger.open()] == [
        (e.alert_id, e.state) for e in straight.ledger.open()
    ]


@given(histories(), st.integers(0, 4))
@settings(deadline=None)
def test_reaching_a_chain_again_writes_nothing(history: list[tuple[list[tuple[str, int]], bool]], hold: int) -> None:
    follower = Follower(hold)
    for chain, _ in history:
        follower.reach(chain)
        assert follower.reach(chain) == []


@given(histories(), st.integers(0, 4))
@settings(deadline=None)
def test_sequences_of_an_alert_count_from_zero_without_gaps(
    history: list[tuple[list[tuple[str, int]], bool]], hold: int
) -> None:
    follower = Follower(hold)
    for chain, _ in history:
        follower.reach(chain)
    for rows in follower.ledger.rows.values():
        assert sorted(rows) == list(range(len(rows)))


@given(histories(), st.integers(0, 4))
@settings(deadline=None)
def test_rows_are_settled_where_a_height_that_changes_nothing_writes_nothing(
    history: list[tuple[list[tuple[str, int]], bool]], hold: int
) -> None:
    follower = Follower(hold)
    for chain, was_killed in lived(follower, history):
        if was_killed:
            assert is_settled(follower.ledger, follower.track) == (next_height_writes(follower) == [])
        follower.reach(chain)
        assert is_settled(follower.ledger, follower.track) and next_height_writes(follower) == []


def test_rows_that_are_ahead_of_their_checkpoint_are_not_settled() -> None:
    follower = Follower()
    follower.reach(branch("a", [OVER]))
    checkpoint = follower.checkpoint()
    follower.reach(branch("a", [OVER, CLEAR]))
    follower.kill(checkpoint)
    assert not is_settled(follower.ledger, follower.track)
    assert [entry.state for entry in next_height_writes(follower)] == ["retracted", "pending"]


def next_height_writes(follower: Follower) -> list[LedgerEntry]:
    """What the next height writes if it changes no standing; the follower stays as it is."""
    twin = Follower(follower.track.hold)
    twin.rows = dict(follower.rows)
    twin.kill(follower.checkpoint())
    height, tip_hash = twin.track.height, a_hash("next", (twin.track.height or 0) + 1)
    if height is None:
        return [LedgerEntry("of no height", 0, "pending", 0, tip_hash)]
    series = replace(a_series([0], first=height + 1), tip_hash=(tip_hash,))
    assert twin.track.extend(series, np.array([Level.HELD], np.int8)) == []
    return reconcile(twin.ledger, twin.track, (), hashes={}, fork=height, cause="observed", version=twin.version)
