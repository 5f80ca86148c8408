"""Two steps of one alert in Slack: over both lines at once, a restart, back over one line, and below both."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts import alert_session
from counterpoise.settings.model import Settings
from testkit.slack_server import SlackServer
from tests.integration.alerts.running import alerter
from tests.integration.alerts.test_line import H
from tests.integration.alerts.world import BETWEEN, CLEAR, OVER, a_world, with_rules, with_slack

WARNING = "{id: warning, type: top_share, title: Warning, above: 0.74, clear_below: 0.735, for_blocks: 0, inhibited_by: critical}"
CRITICAL = "{id: critical, type: top_share, title: Critical, above: 0.75, clear_below: 0.748, for_blocks: 0}"


def told(slack: SlackServer) -> list[str]:
    return [f"{m.text.split(' (')[0]}{' (reply)' if m.thread_ts else ''}" for m in slack.messages]


def test_a_lower_step_is_told_once_the_higher_one_has_ended(
    replayed: Settings, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_session, "POLL_SECONDS", 0.3)
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_rules(with_slack(replayed, slack, state_dir), WARNING, CRITICAL)
        world.mine([CLEAR, OVER])
        with alerter(settings) as running:
            running.at(H + 1)
            assert [text.split(":")[:2] for text in told(slack)] == [["🔴 FIRING", " Critical"]]
        with alerter(settings) as running:  # a restart changes nothing
            world.mine([OVER], tell=True)
            running.at(H + 2)
            assert len(slack.messages) == 1
            world.mine([BETWEEN], tell=True)
            running.until(lambda: len(slack.messages) == 3, "the lower step is told")
            world.reorg(H + 2, [OVER], branch="b", tell=True)
            running.until(lambda: len(slack.messages) == 4, "the end of the higher step is taken back")
            world.mine([CLEAR], branch="b", tell=True)
            running.at(H + 4)
            running.until(lambda: all("FIRING" not in m.text for m in slack.messages if not m.thread_ts), "both ended")
        roots = [text.split(":")[:2] for text in told(slack) if "(reply)" not in text]
        assert roots == [["🟢 RESOLVED", " Critical"], ["🟢 RESOLVED", " Warning"]]
