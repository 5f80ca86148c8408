"""The slash command and the silence until worse over Socket Mode: from Slack to the rows, and back to the person."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts import alert_session
from alerts.people import slack_actions
from alerts.store.alert_store import AlertStore
from alerts.store.delivery import Delivery
from counterpoise.clickhouse.client import connect
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from engines.local_slack import socket_mode, workspace
from testkit.slack_server import SlackServer
from tests.integration.alerts.running import alerter
from tests.integration.alerts.test_buttons import with_buttons
from tests.integration.alerts.test_line import FIRED, H
from tests.integration.alerts.world import CLEAR, OVER, a_world, with_slack
from tests.waiting import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_session, "REMINDER_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(alert_session, "POLL_SECONDS", 0.3)
    # Slack's three seconds are for the product; a busy machine takes them for itself.
    monkeypatch.setattr(slack_actions, "ANSWER_SECONDS", PATIENCE_SECONDS / 2)
    monkeypatch.setattr(socket_mode, "ANSWER_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(workspace, "TRIGGER_SECONDS", PATIENCE_SECONDS)


def test_a_person_asks_in_slack_and_is_answered_alone(replayed: Settings, state_dir: Path) -> None:
    with (
        SlackServer() as slack,
        a_world(replayed) as world,
        connect(clickhouse_target(replayed), replayed.dataset) as ch,
    ):
        store = AlertStore(ch)

        def rows() -> list[tuple[str, str, float | None]]:
            return [(one.kind, one.reason, one.worse_than) for one in store.actions.read()]

        def said(text: str, envelope_id: str | None = None, **changed: object) -> str:
            assert slack.command(text, envelope_id=envelope_id, **changed), "it is answered within three seconds"
            return slack.ephemerals[-1][1]

        world.mine(FIRED)
        with alerter(with_buttons(with_slack(replayed, slack, state_dir))) as running:
            running.at(H + 41)
            running.until(lambda: slack.socket.connections == 1, "it listens")
            assert said("top4").startswith(f"*Top-4 share of bitcoin* at height {world.height} (")
            assert "• pools as they sign: 75.1 % of 1,008 blocks, 95 % interval " in said("top4")
            assert "Largest: alpha 18.8 %, beta 18.8 %" in said("top4")
            [alert] = store.events.alerts_of("")
            assert said("alerts").startswith(f"🔴 FIRING `{alert[:8]}` top4-share since 20")
            assert "SQL that reproduces the value" in said(f"why {alert[:8]}")
            assert said("why ffff") == "There is no alert with an id that begins with ffff."
            assert said("top5").count("\n") == 1
            assert rows() == []

            assert slack.press(slack.roots[0], "reason")
            [window] = slack.windows
            values = {"choice": "acknowledge", "reason": "known <pool>"}
            assert slack.submit_window(window, values, user_id="U0ADA", user_name="ada")
            running.until(lambda: "known &lt;pool&gt;" in str(slack.roots[0].blocks), "the message shows the reason")
            assert ", acknowledged by ada" in said("alerts")
            assert slack.press(slack.roots[0], "silence-worse")
            running.until(lambda: len(rows()) == 2, "the silence is stored")
            running.until(lambda: "worse than 75.1" in slack.ephemerals[-1][1], "the person sees its end")
            world.mine([OVER + 12], tell=True)  # 76.3 %
            running.until(lambda: any("Worse than 75.1" in one.text for one in slack.messages), "it is worse")

            first = said(f"silence {alert[:8]} 4h known <outage>", "e1")
            assert first.startswith(f"Alert {alert[:8]} is silenced until 20")
            assert said(f"silence {alert[:8]} 4h known <outage>", "e1") == first
            assert said("silence ffff 4h") == "Not done: there is no alert with an id that begins with ffff."
            assert said("alerts", channel_id="C0ELSE") == "Not done: it comes from another channel."
            world.mine([CLEAR], tell=True)
            running.at(H + 43)
            assert said("alerts") == "No alert fires."
            assert said(f"silence {alert} 4h") == "Not done: the alert fires no more."
        assert rows() == [
            ("acknowledge", "known <pool>", None),
            ("silence", "", 757 / 1008),
            ("silence", "known <outage>", None),
            ("refused", "there is no alert with an id that begins with ffff", None),
            ("refused", "it comes from another channel", None),
            ("refused", "the alert fires no more", None),
        ]
        assert {user for user, _ in slack.ephemerals} == {"U0ADA"}


def test_an_alert_was_told_where_its_message_stands(replayed: Settings) -> None:
    """A row of what was routed elsewhere, muted or only promised to a digest has a channel too, and no message."""
    with connect(clickhouse_target(replayed), replayed.dataset) as ch:
        deliveries = AlertStore(ch).deliveries
        sent, silenced, promised = "a" * 16, "b" * 16, "c" * 16
        deliveries.write(
            [
                Delivery(sent, 1, "ops", "post", "sent", "C0OPS", "1.000001"),
                Delivery(silenced, 1, "ops", "post", "skipped", "C0OPS", detail="routed to others"),
                Delivery(silenced, 1, "desk", "post", "sent", "C0DESK", "1.000002"),
                Delivery(promised, 1, "ops", "post", "pending", "C0OPS"),
            ],
            1,
        )
        everything = [sent, silenced, promised, "d" * 16]
        assert deliveries.told_in("C0OPS", everything) == {sent}
        assert deliveries.told_in("C0DESK", everything) == {silenced}
        assert deliveries.told_in("C0OPS", []) == set()
