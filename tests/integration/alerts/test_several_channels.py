"""Two Slack channels, a webhook and an Alertmanager: routes by labels, and receivers that are added to a dataset with history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from alerts import alert_session
from counterpoise.clickhouse.client import connect
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.alert_sections import ReceiverSettings, RouteSettings
from testkit.alertmanager_server import AlertmanagerServer
from testkit.slack_server import CHANNEL, SlackServer
from testkit.webhook_server import WebhookServer
from tests.integration.alerts.running import alerter
from tests.integration.alerts.test_line import FIRED, H
from tests.integration.alerts.world import CLEAR, OVER, a_world, with_rules, with_slack

OPS = "C0OPS"
SECRET = "of-the-webhook-0123456789"
RULES = (
    "{id: top4-share, type: top_share}",
    "{id: top4-early, type: top_share, for_blocks: 0}",
)


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_session, "REMINDER_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(alert_session, "POLL_SECONDS", 0.3)


def routed(settings: Settings, **channels: Any) -> Settings:
    alerts = settings.alerts.model_copy(
        update={
            "notifier": "auto",
            "receivers": {name: ReceiverSettings(type="slack", channel=channel) for name, channel in channels.items()},
            "routes": (RouteSettings(match={"rule": "*-early"}, receivers=("desk",)),),
        }
    )
    return settings.model_copy(update={"alerts": alerts})


def seen(slack: SlackServer, channel: str) -> list[str]:
    """What stands in a channel itself."""
    return [": ".join(m.text.split(": ")[:2]) for m in slack.roots if m.channel == channel]


def to_programs(settings: Settings, webhook: WebhookServer, alertmanager: AlertmanagerServer) -> Settings:
    """The same with a webhook and an Alertmanager too."""
    more = {
        "siem": ReceiverSettings(type="webhook", url=webhook.url + "/in", secret=SecretStr(SECRET)),
        "pager": ReceiverSettings(type="alertmanager", url=alertmanager.url),
    }
    alerts = settings.alerts.model_copy(update={"receivers": {**settings.alerts.receivers, **more}})
    return settings.model_copy(update={"alerts": alerts})


def test_each_channel_gets_what_is_routed_to_it(replayed: Settings, state_dir: Path) -> None:
    with (
        SlackServer(channels=(CHANNEL, OPS)) as slack,
        WebhookServer() as webhook,
        AlertmanagerServer() as alertmanager,
        a_world(replayed) as world,
    ):
        settings = with_rules(with_slack(replayed, slack, state_dir), *RULES)
        world.mine(FIRED)
        with alerter(routed(settings, desk=CHANNEL)) as running:
            running.at(H + 41)
        early, firing = "🔴 FIRING: top4-early", "🔴 FIRING: top4-share"
        assert sorted(seen(slack, CHANNEL)) == [early, firing]
        with alerter(to_programs(routed(settings, desk=CHANNEL, ops=OPS), webhook, alertmanager)) as running:
            running.at(H + 41)
            running.until(lambda: firing in seen(slack, OPS), "what fires comes here too")
            running.until(lambda: len(alertmanager.firing()) == 1, "and to the pager")
            running.until(lambda: len(alertmanager.requests) > 2, "which receives it again and again")
            [labels] = alertmanager.firing()
            assert (labels["alertname"], labels["view"], labels["window_blocks"]) == ("top4-share", "raw", "1008")
            world.mine([CLEAR], tell=True)
            running.at(H + 42)
            world.mine([OVER], tell=True)
            running.at(H + 43)
        assert seen(slack, OPS) == ["🟢 RESOLVED: top4-share"]
        assert sorted(seen(slack, CHANNEL)) == [early, "🟢 RESOLVED: top4-early", "🟢 RESOLVED: top4-share"]
        assert alertmanager.firing() == []
        assert [(request.json["type"], request.json["alert"]["rule"]) for request in webhook.requests] == [
            ("alert.firing", "top4-share"),
            ("alert.resolved", "top4-share"),
        ]
        with connect(clickhouse_target(settings), settings.dataset) as ch:
            rows = ch.query(
                "SELECT action, uniqExact(alert_id) FROM alert_deliveries WHERE detail = 'routed to others' "
                "AND notifier = 'ops' GROUP BY ALL ORDER BY ALL"
            )
            assert rows == [("post", 1), ("thread", 1)]
            active = ch.query("SELECT receiver FROM alert_receivers_log FINAL WHERE is_active ORDER BY receiver")
            assert active == [("desk",), ("ops",), ("pager",), ("siem",)]
