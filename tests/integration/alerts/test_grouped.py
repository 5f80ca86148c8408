"""Two alerts of one group in the local Slack: one message, through a lost answer, a restart and their ends; a webhook has both."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from alerts import alert_session
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.alert_sections import ReceiverSettings, RouteSettings
from testkit.slack_server import CHANNEL, SlackServer
from testkit.webhook_server import WebhookServer
from tests.integration.alerts.running import alerter
from tests.integration.alerts.test_line import H
from tests.integration.alerts.world import BETWEEN, CLEAR, OVER, a_world, with_rules, with_slack

LOW = "{id: low, type: top_share, title: Low line, above: 0.74, clear_below: 0.735, for_blocks: 0, labels: {team: mining}}"
HIGH = "{id: high, type: top_share, title: High line, above: 0.75, clear_below: 0.748, for_blocks: 0, labels: {team: mining}}"
SECRET = "of-the-webhook-0123456789"


def grouped(settings: Settings, webhook: WebhookServer) -> Settings:
    receivers = {
        "desk": ReceiverSettings(type="slack", channel=CHANNEL),
        "siem": ReceiverSettings(type="webhook", url=webhook.url + "/in", secret=SecretStr(SECRET)),
    }
    route = RouteSettings(receivers=("desk", "siem"), group_by=("chain", "team"))
    changed = {"notifier": "auto", "receivers": receivers, "routes": (route,)}
    return settings.model_copy(update={"alerts": settings.alerts.model_copy(update=changed)})


def texts(slack: SlackServer, block: int) -> list[str]:
    """One block of each message of the channel itself."""
    return [root.blocks[block]["text"]["text"] for root in slack.roots]


def test_two_alerts_share_one_message(replayed: Settings, state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_session, "POLL_SECONDS", 0.3)
    with SlackServer() as slack, WebhookServer() as webhook, a_world(replayed) as world:
        settings = grouped(with_rules(with_slack(replayed, slack, state_dir), LOW, HIGH), webhook)
        world.mine([CLEAR, BETWEEN])
        with alerter(settings) as running:
            running.at(H + 1)
            assert texts(slack, 0) == ["🔴 FIRING: Low line"]
            slack.fail("drop")  # the reply is taken, its answer lost
            world.mine([OVER], tell=True)
            running.at(H + 2)
            assert texts(slack, 0) == ["🔴 2 of 2 FIRING: chain bitcoin, team mining"]
            assert [(one.thread_ts, one.text.split(":")[:2]) for one in slack.messages if one.thread_ts] == [
                (slack.roots[0].ts, ["🔴 FIRING", " High line"])
            ]
        with alerter(settings) as running:
            world.mine([BETWEEN], tell=True)
            running.at(H + 3)
            assert texts(slack, 0) == ["🔴 1 of 2 FIRING: chain bitcoin, team mining"]
            lines = texts(slack, 1)[0].split("\n")
            assert [line.partition(" (")[0] for line in lines] == ["🔴 FIRING: Low line", "🟢 RESOLVED: High line"]
            assert texts(slack, 2) == ["*First alert*: Low line"]
            world.mine([CLEAR], tell=True)
            running.at(H + 4)
            assert texts(slack, 0) == ["🟢 RESOLVED: 2 alerts: chain bitcoin, team mining"]
            world.mine([OVER], tell=True)
            running.at(H + 5)
            assert len(slack.roots) == 2, "the next firing has a new message"
        groups = [request.json["alert"]["group"] for request in webhook.requests]
        assert groups == [{"chain": "bitcoin", "team": "mining"}] * 6
