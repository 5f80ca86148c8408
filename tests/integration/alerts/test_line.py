"""Scores in ClickHouse and Kafka in; rows and Slack messages out."""

from __future__ import annotations

from pathlib import Path

from counterpoise.settings import Settings
from counterpoise.testing.slack_server import SlackServer
from tests.integration.alerts.running import alerter, states_of
from tests.integration.alerts.world import BETWEEN, CLEAR, OVER, a_world, with_slack


def test_an_alert_fires_after_its_hold_and_resolves_below_the_clearing_line(
    replayed: Settings, state_dir: Path
) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine([CLEAR] * 5 + [OVER] * 37 + [BETWEEN] * 3)  # breach at 800_005, 36 blocks later is 800_041
        with alerter(settings) as running:
            running.at(800_044)
            world.mine([CLEAR], tell=True)
            running.at(800_045)
        assert states_of(settings) == [("pending", 800_005, 0), ("firing", 800_041, 1), ("resolved", 800_045, 2)]
        assert [m.text.split(":")[0] for m in slack.messages] == ["🟢 RESOLVED", "🟢 RESOLVED"]
        root, reply = slack.messages
        assert (root.thread_ts, root.edits) == (None, 1)
        assert (reply.thread_ts, reply.broadcast) == (root.ts, True)
