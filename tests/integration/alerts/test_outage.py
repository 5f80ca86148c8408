"""Slack away and back, posts that it accepts late, and a history that lags: what the channel shows in the end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from alerts.outbox import digest, look_ups, outbox
from counterpoise.settings.model import Settings
from testkit.slack_server import SlackServer
from tests.integration.alerts.running import alerter, states_of
from tests.integration.alerts.test_line import FIRED, H, heads
from tests.integration.alerts.world import CLEAR, OVER, a_world, with_rules, with_slack
from tests.waiting import PATIENCE_SECONDS

TWO_RULES = (
    "{id: top4-share, type: top_share, for_blocks: 2}",
    "{id: always, type: top_share, above: 0.5, clear_below: 0.4, for_blocks: 60}",
)


@pytest.fixture(autouse=True)
def _is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (digest, outbox):
        monkeypatch.setattr(module, "OLD_SECONDS", 1.0)
    for module in (look_ups, outbox):
        monkeypatch.setattr(module, "AFTER_SECONDS", tuple(map(float, range(1, int(PATIENCE_SECONDS)))))


def test_after_an_outage_what_fires_comes_first_and_then_one_digest(replayed: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_rules(with_slack(replayed, slack, state_dir), *TWO_RULES)
        slack.stop()
        for _ in range(6):  # fires and clears six times; the other rule fires at H+60 and goes on
            world.mine([*([OVER] * 5), *([CLEAR] * 8)])
        with alerter(settings) as running:
            running.until(lambda: len(states_of(settings)) >= 20, "all rows are written")
            running.until(lambda: running.status.snapshot().get("waiting_on") == "slack", "Slack is missed")
            time.sleep(1.5)  # the messages are old
            slack.start()
            running.until(lambda: len(slack.messages) == 2, "both messages")
            running.at(world.height)
        assert heads(slack) == ["🔴 FIRING", "6 alerts fired and ended while no message could be sent"]
        assert [m.key.split(":")[2] for m in slack.messages] == ["post", "digest"]


def test_a_post_that_slack_accepts_late_is_found_and_one_message_stays(replayed: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED)
        slack.fail("late")
        with alerter(settings) as running:
            running.at(H + 41)
            assert heads(slack) == ["🔴 FIRING"]
            world.mine([CLEAR], tell=True)
            running.at(H + 42)
            slack.accept_late()
            running.until(lambda: heads(slack) == ["🟢 RESOLVED", "🟢 RESOLVED (reply)"], "one message, in its state")


def test_a_history_that_lags_ends_in_one_message(replayed: Settings, state_dir: Path) -> None:
    with SlackServer(lag_seconds=10 * PATIENCE_SECONDS) as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED)
        slack.fail("drop")
        with alerter(settings) as running:
            running.until(lambda: len(slack.messages) == 2, "it stands twice")
            slack.lag_seconds = 0.0
            running.until(lambda: heads(slack) == ["🔴 FIRING"], "the later one is withdrawn")
            running.until(lambda: running.status.snapshot()["info"]["undelivered"] == 0, "and that is stored")


def test_a_locked_thread_and_a_message_that_cannot_be_edited_hold_nothing_up(
    replayed: Settings, state_dir: Path
) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
            slack.refuse("is_inactive", method="chat.update")
            slack.refuse("restricted_action_thread_locked")
            world.mine([CLEAR], tell=True)
            running.at(H + 42)
        assert heads(slack) == ["🔴 FIRING", "🟢 RESOLVED"]
