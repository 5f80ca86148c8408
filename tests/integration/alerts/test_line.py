"""Scores in ClickHouse and Kafka in; rows and Slack messages out."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts import rules_watch
from counterpoise.clickhouse.client import connect
from counterpoise.errors import ConfigError
from counterpoise.runtime.reload import RELOAD
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from testkit.slack_server import SlackServer
from tests.engines import ClickHouseServer
from tests.integration.alerts.running import alerter, states_of
from tests.integration.alerts.world import BETWEEN, CLEAR, OVER, N, a_world, with_rules, with_slack

H = 800_000
FIRED = [CLEAR] * 5 + [OVER] * 37
"""Breach at H+5; 36 blocks later, at H+41, it fires."""


def heads(slack: SlackServer) -> list[str]:
    return [m.text.split(":")[0] + (" (reply)" if m.thread_ts else "") for m in slack.messages]


def test_an_alert_fires_after_its_hold_and_resolves_below_the_clearing_line(
    replayed: Settings, state_dir: Path
) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED + [BETWEEN] * 3)
        with alerter(settings) as running:
            running.at(H + 44)
            assert heads(slack) == ["🔴 FIRING"]
            world.mine([CLEAR], tell=True)
            running.at(H + 45)
        assert states_of(settings) == [("pending", H + 5, 0), ("firing", H + 41, 1), ("resolved", H + 45, 2)]
        root, reply = slack.messages
        assert heads(slack) == ["🟢 RESOLVED", "🟢 RESOLVED (reply)"]
        assert (root.thread_ts, root.edits) == (None, 1)
        assert (reply.thread_ts, reply.broadcast) == (root.ts, True)


def test_the_evidence_gives_the_value_again_to_a_reader(
    replayed: Settings, state_dir: Path, clickhouse: ClickHouseServer
) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED, unknown=20)
        with alerter(settings) as running:
            running.at(H + 41)
        [fired] = [row for row in running.seen if row.state == "firing"]
        assert fired.value == OVER / N
        assert (fired.value_low, fired.value_high) == (OVER / N, (OVER + 20) / N)
        assert fired.evidence.counts[0] == ("alpha", 190)  # 757 = 190 + 189 + 189 + 189
        with connect(clickhouse.reader_target, settings.dataset) as reader:
            [(height, tip, n, unknown, value, low, high)] = reader.query(fired.evidence.sql)
        assert (height, tip, n, unknown) == (H + 41, fired.evidence.tip_hash, N, 20)
        assert (value, low, high) == (fired.value, fired.value_low, fired.value_high)


def test_blocks_one_by_one_and_all_at_once_give_equal_rows(replayed: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine([CLEAR] * 2)
        with alerter(settings) as running:
            running.at(H + 1)
            for top in FIRED[2:]:
                world.mine([top], tell=True)
            running.at(H + 41)
            running.until(lambda: running.status.snapshot()["counters"].get("events") == 2, "both are counted")
        assert states_of(settings) == [("pending", H + 5, 0), ("firing", H + 41, 1)]
        assert heads(slack) == ["🔴 FIRING"]


def test_a_reorg_retracts_the_firing_and_edits_its_message(replayed: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
            world.reorg(H + 40, [BETWEEN, BETWEEN], branch="b", tell=True)
            running.at(H + 42)
        assert [s for s, _, _ in states_of(settings)] == ["pending", "firing", "retracted", "inactive"]
        assert heads(slack) == ["⚪ RETRACTED", "⚪ RETRACTED (reply)"]


# Long: a branch that is shorter; a reorganisation that retracts stays above.
@pytest.mark.long
def test_a_shorter_but_heavier_branch_retracts_too_and_it_fires_again_in_the_thread(
    replayed: Settings, state_dir: Path
) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine([*FIRED, OVER])
        with alerter(settings) as running:
            running.at(H + 42)
            world.reorg(H + 38, [OVER], branch="b", tell=True)
            running.at(H + 39)
            assert [s for s, _, _ in states_of(settings)] == ["pending", "firing", "retracted", "pending"]
            world.mine([OVER] * 2, branch="b", tell=True)
            running.at(H + 41)
        assert states_of(settings)[-1] == ("firing", H + 41, 4)
        assert heads(slack) == ["🔴 FIRING", "⚪ RETRACTED (reply)", "🔴 FIRING (reply)"]


# Long: a branch that changes nothing; unit/alerts/test_evaluation.py draws such branches.
@pytest.mark.long
def test_a_branch_that_says_the_same_changes_nothing_that_anyone_sees(replayed: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
            world.reorg(H + 39, [OVER] * 3, branch="b", tell=True)
            running.at(H + 42)
        assert states_of(settings) == [("pending", H + 5, 0), ("firing", H + 41, 1)]
        assert running.seen[-1].evidence.tip_hash == world.rows[-2][1], "the row rests on the branch that won"
        assert (heads(slack), slack.messages[0].edits) == (["🔴 FIRING"], 0)


def test_a_message_that_never_came_is_made_up_for_from_clickhouse(replayed: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED[:-1])
        with alerter(settings) as running:
            running.at(H + 40)
            world.mine(FIRED[-1:])
            running.at(H + 41)
        assert heads(slack) == ["🔴 FIRING"]


def test_a_flip_fires_nothing_and_resolves_what_it_does_not_support(replayed: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
            world.name_set("set-b")
            world.score([(h, tip, CLEAR, 0) for h, tip, _, _ in world.rows], attribution_id="set-b")
            world.flip("set-b")
            running.until(lambda: running.seen[-1].state == "resolved", "the alert is resolved")
            assert running.seen[-1].reason == "rebased"
            running.until(lambda: len(slack.messages) == 2, "it is told")
            # Back again: over the line and held, but only because of the flip.
            world.flip("set-a")
            running.until(lambda: running.seen[-1].state == "rebased", "the alert is re-based")
            running.at(H + 41)
        assert [s for s, _, _ in states_of(settings)].count("firing") == 1
        assert heads(slack) == ["🟢 RESOLVED", "🟢 RESOLVED (reply)"]


def test_a_muted_rule_is_recorded_and_not_told(replayed: Settings, state_dir: Path) -> None:
    from alerts.store.alert_mutes_log import Mute
    from alerts.store.alert_store import AlertStore

    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        with connect(clickhouse_target(settings), settings.dataset) as ch:
            AlertStore(ch).mutes.write(Mute("top4-share", 4_000_000_000.0, muted_at=1.0))
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
        with connect(clickhouse_target(settings), settings.dataset) as ch:
            [sent] = AlertStore(ch).deliveries.read()
        assert (sent.status, sent.detail, slack.messages) == ("skipped", "muted", [])
        assert states_of(settings)[-1] == ("firing", H + 41, 1)


def test_a_rule_that_was_edited_closes_what_it_fires_no_more_and_never_resolves_it(
    replayed: Settings, state_dir: Path
) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
        changed = with_rules(settings, "{id: top4-share, type: top_share, above: 0.76}")
        with alerter(changed) as running:
            running.until(lambda: any(r.reason == "rule-changed" for r in running.seen), "the alert is closed")
            running.until(lambda: running.status.snapshot()["info"].get("undelivered") == 0, "all is told")
        assert [s for s, _, _ in states_of(settings)] == ["pending", "firing", "inactive"]
        assert heads(slack) == ["⚪ RULE CHANGED", "⚪ RULE CHANGED (reply)"]
        assert "Rule changed: line 75 % → 76 %" in slack.messages[1].text


# Long: an edit that keeps the alert; one that closes it stays above.
@pytest.mark.long
def test_a_rule_that_was_edited_keeps_the_alert_that_it_still_fires(replayed: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
        changed = with_rules(settings, "{id: top4-share, type: top_share, clear_below: 0.72, for_blocks: 12}")
        for _ in range(2):  # and a restart says nothing
            with alerter(changed) as running:
                running.at(H + 41)
        assert heads(slack) == ["🔴 STILL FIRING", "🔴 STILL FIRING (reply)"]
        assert "Rule changed: hold 36 blocks → 12 blocks, clear below 73 % → 72 %." in slack.messages[1].text
        with alerter(changed) as running:
            world.mine([CLEAR] * 2, tell=True)  # 72.9 %: under the old clearing line, not under the new one
            running.at(H + 43)
            assert heads(slack) == ["🔴 STILL FIRING", "🔴 STILL FIRING (reply)"]
            world.mine([CLEAR - 20], tell=True)
            running.at(H + 44)
        assert heads(slack) == ["🟢 RESOLVED", "🔴 STILL FIRING (reply)", "🟢 RESOLVED (reply)"]
        assert len({row.alert_id for row in running.seen}) == 1


def test_rules_are_read_again_while_it_runs_and_a_mistake_changes_nothing(
    replayed: Settings, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules_watch, "LOOK_SECONDS", 0.1)
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_rules(with_slack(replayed, slack, state_dir), "{id: top4-share, type: top_share}")
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
            with_rules(settings, "{id: top4-share, type: top_share, above: 1.5}")
            running.until(lambda: running.status.snapshot()["info"]["rules_problem"], "the mistake is reported")
            world.mine([OVER], tell=True)
            running.at(H + 42)
            assert heads(slack) == ["🔴 FIRING"]
            with_rules(settings, "{id: top4-share, type: top_share, above: 0.7, clear_below: 0.7}")
            running.until(lambda: len(slack.messages) == 2, "the edit is told")
            running.until(lambda: running.status.snapshot()["info"]["rules_problem"] is None, "all is well")
            with_rules(settings, "{id: top4-share, type: top_share, above: 0.69, clear_below: 0.6}")
            RELOAD.set()  # what SIGHUP sets
            running.until(lambda: len(slack.messages) == 3, "the next edit is told")
        assert heads(slack) == ["🔴 STILL FIRING"] + ["🔴 STILL FIRING (reply)"] * 2


def test_an_edit_with_which_it_could_not_start_again_is_refused(
    replayed: Settings, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules_watch, "LOOK_SECONDS", 0.1)
    grouped = {
        "notifier": "console",
        "receivers": Settings(alerts={"receivers": {"desk": {"type": "console"}}}).alerts.receivers,
        "routes": Settings(alerts={"routes": [{"receivers": ["desk"], "group_by": ["team"]}]}).alerts.routes,
    }
    labelled = "{id: top4-share, type: top_share, labels: {team: mining}}"
    with a_world(replayed) as world:
        settings = with_rules(
            replayed.model_copy(update={"state_dir": state_dir, "alerts": replayed.alerts.model_copy(update=grouped)}),
            labelled,
        )
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
            with_rules(settings, "{id: top4-share, type: top_share}")
            running.until(lambda: running.status.snapshot()["info"]["rules_problem"], "the mistake is reported")
            assert "group_by of route 1 names 'team'" in running.status.snapshot()["info"]["rules_problem"]
            with_rules(settings, labelled)
            running.until(lambda: running.status.snapshot()["info"]["rules_problem"] is None, "all is well")
        with alerter(settings) as running:
            running.at(H + 41)


# Long: two more edits of rules; one stays above.
@pytest.mark.long
def test_a_lower_line_fires_at_once_and_a_rule_that_is_gone_is_no_all_clear(
    replayed: Settings, state_dir: Path
) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine([BETWEEN] * 60)  # 74.4 %
        with alerter(settings) as running:
            running.at(H + 59)
        assert slack.messages == []
        with alerter(with_rules(settings, "{id: top4-share, type: top_share, above: 0.74}")) as running:
            running.until(lambda: heads(slack) == ["🔴 FIRING"], "the lower line fires")
        with alerter(with_rules(settings, "{id: other, type: top_share, above: 0.9}")) as running:
            running.until(lambda: len(heads(slack)) == 2, "its end is told")
        assert heads(slack) == ["⚪ RULE CHANGED", "⚪ RULE CHANGED (reply)"]
        assert "was removed or switched off" in slack.messages[1].text


def test_only_a_live_dataset_reaches_slack_unasked(replayed: Settings, state_dir: Path) -> None:
    with SlackServer() as slack:
        settings = with_slack(replayed, slack, state_dir)
        refused = settings.model_copy(
            update={"alerts": settings.alerts.model_copy(update={"allow_slack_when_not_live": False})}
        )
        with pytest.raises(ConfigError, match="is historical, and only a live one reaches Slack"), alerter(refused):
            pass


def test_without_a_token_the_console_says_it_in_one_line(replayed: Settings) -> None:
    with a_world(replayed) as world:
        settings = replayed
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
            world.mine([CLEAR], tell=True)
            running.at(H + 42)
        fired, resolved = running.console.getvalue().splitlines()
        head = "top4-share: The 4 largest pools mined "
        assert fired.startswith(f"2023-07-22 11:16  FIRING  {head}75.1 % of the last 1,008 blocks (95 % interval ")
        assert fired.endswith(
            "over 75 % for 36 blocks: alpha 18.8 %, beta 18.8 %, gamma 18.8 %, delta 18.8 % (height 800041)."
        )
        assert resolved.startswith(f"2023-07-22 11:26  RESOLVED  {head}72.9 % of the last 1,008 blocks (95 % interval ")
        assert resolved.endswith("), below 73 % (height 800042).")


# Long: rows that are written anew without a branch; a branch stays above.
@pytest.mark.long
def test_heights_that_were_written_anew_are_judged_anew(replayed: Settings, state_dir: Path) -> None:
    """The same blocks with other counts, from far below the tip on, as after a late block or a repair."""
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine([CLEAR] * 5 + [OVER] * 60)  # fires at H+41
        with alerter(settings) as running:
            running.at(H + 64)
            world.rows = [(h, tip, CLEAR if h >= H + 30 else top, u) for h, tip, top, u in world.rows]
            world.rewrite(H + 30)
            running.until(lambda: running.seen[-1].state == "inactive", "the repair is taken in")
            running.until(lambda: heads(slack) == ["⚪ RETRACTED", "⚪ RETRACTED (reply)"], "the retraction is told")
        assert states_of(settings)[1:] == [
            ("firing", H + 41, 1),
            ("retracted", H + 64, 2),
            ("inactive", H + 30, 3),
        ]
