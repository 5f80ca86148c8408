"""Buttons over Socket Mode: from a press in Slack to the row and the edited message."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from alerts import alert_session
from alerts.people import slack_actions, slack_socket
from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.client import connect
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.alert_sections import ReceiverSettings
from engines.local_slack import socket_mode, workspace
from testkit.slack_server import APP_TOKEN, SlackServer
from tests.integration.alerts.running import Alerter, alerter
from tests.integration.alerts.test_line import FIRED, H
from tests.integration.alerts.world import CLEAR, a_world, with_slack
from tests.waiting import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_session, "REMINDER_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(alert_session, "POLL_SECONDS", 0.3)
    # Slack's three seconds are for the product; a busy machine takes them for itself.
    monkeypatch.setattr(slack_actions, "ANSWER_SECONDS", PATIENCE_SECONDS / 2)
    monkeypatch.setattr(socket_mode, "ANSWER_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(workspace, "TRIGGER_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(slack_socket, "PING_SECONDS", 2.0)


def with_buttons(settings: Settings) -> Settings:
    """With buttons, and with the bot token at a receiver of its own name alone."""
    own = ReceiverSettings(type="slack", channel=settings.slack.channel, token_file=settings.slack.token_file)
    slack = {"app_token": SecretStr(APP_TOKEN), "token": None, "token_file": None, "channel": None}
    return settings.model_copy(
        update={
            "slack": settings.slack.model_copy(update=slack),
            "alerts": settings.alerts.model_copy(update={"receivers": {"desk": own}}),
        }
    )


def test_a_pressed_button_becomes_a_row_and_what_is_refused_does_too(
    replayed: Settings, state_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        SlackServer() as slack,
        a_world(replayed) as world,
        connect(clickhouse_target(replayed), replayed.dataset) as ch,
    ):
        settings = with_buttons(with_slack(replayed, slack, state_dir))
        store = AlertStore(ch)

        def rows() -> list[tuple[str, str, str]]:
            return [(one.kind, one.author, one.reason) for one in store.actions.read()]

        def press(running: Alerter, button: str, expected: int, **changed: object) -> None:
            assert slack.press(slack.roots[0], button, **changed), "it is answered within three seconds"
            running.until(lambda: len(rows()) == expected, f"{expected} rows after {button}")

        def shown(text: str) -> Callable[[], bool]:
            return lambda: text in json.dumps(slack.roots[0].blocks)

        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
            running.until(lambda: slack.socket.connections == 1, "it listens")
            assert shown("Silence 24 h")()
            assert slack.press(slack.roots[0], "why")
            running.until(lambda: any("SELECT" in text for _, text in slack.ephemerals), "the person sees why")
            assert {user for user, _ in slack.ephemerals} == {"U0ADA"}
            at = time.time()
            press(running, "acknowledge", 1, at=at)
            running.until(shown("by ada at "), "the message shows it")
            assert not shown('"Acknowledge"')()
            assert slack.press(slack.roots[0], "acknowledge", at=at, value=store.actions.read()[0].target)
            press(running, "silence-4h", 2)
            press(running, "acknowledge", 3, value=store.actions.read()[0].target, user="U0BOB")
            press(running, "silence-4h", 4, at=time.time() - 400)
            press(running, "silence-4h", 5, value="f" * 16)
            press(running, "silence-4h", 6, channel="C0ELSE")
            press(running, "silence-4h", 7, message_ts="1.000001")
            slack.socket.drop()
            running.until(lambda: slack.socket.connections == 1, "it connects again")
            world.mine([CLEAR], tell=True)
            running.at(H + 42)
            running.until(lambda: not shown('"actions"')(), "an alert that ended has no buttons")
            press(running, "silence-4h", 8, value=store.actions.read()[0].target)
        ours = "the message is not one of ours for this alert"
        assert rows() == [
            ("acknowledge", "ada", ""),
            ("silence", "ada", ""),
            ("refused", "bob", "ada acknowledged it before"),
            ("refused", "ada", "it is too old"),
            ("refused", "ada", ours),
            ("refused", "ada", "it comes from another channel"),
            ("refused", "ada", ours),
            ("refused", "ada", "the alert fires no more"),
        ]
        assert "Not done: it is too old." in [text for _, text in slack.ephemerals]
    assert APP_TOKEN not in "".join(capfd.readouterr()) and APP_TOKEN not in repr(settings)
