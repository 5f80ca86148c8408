"""The demo's alerts go to the local workspace and nowhere else, whatever the settings name."""

from __future__ import annotations

import io
import os
from pathlib import Path
from unittest import mock

import pytest
from slack_sdk import WebClient

from alerts.outbox.receivers.receivers import make_receivers
from alerts.outbox.receivers.slack_receiver import SlackReceiver, read_app_token
from alerts.outbox.render import note_message
from counterpoise.settings.model import Settings
from desk.cli.demo import local_channel

OWN_SLACK = """
[alerts]
notifier = "slack"
[slack]
token_file = "real-token"
app_token_file = "real-token"
channel = "C0REAL"
base_url = "https://slack.example/api/"
"""
NAMED = """
[alerts]
allow_slack_when_not_live = true
[alerts.receivers.desk]
type = "slack"
channel = "C0REAL"
token_file = "real-token"
"""


@pytest.fixture
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real-token").write_text("xoxb-real")


@pytest.mark.usefixtures("_own_environment")
@pytest.mark.parametrize("file", ["", OWN_SLACK], ids=["no settings", "a real Slack"])
def test_alerts_of_the_demo_reach_the_local_channel_only(tmp_path: Path, file: str) -> None:
    (tmp_path / "counterpoise.toml").write_text(file)
    demo = {"COUNTERPOISE_DATASET": "demo", "COUNTERPOISE_DATASET_KIND": "simulated"}
    with mock.patch.dict(os.environ, demo), local_channel(Settings.load()) as page:
        settings = Settings.load()
        [receiver] = make_receivers(settings, io.StringIO())
        assert isinstance(receiver, SlackReceiver)
        receiver.post(note_message("an alert"), "a:0:post", thread=None)
        client = WebClient(str(settings.slack.token.get_secret_value()), base_url=settings.slack.base_url)  # type: ignore[union-attr]
        history = client.conversations_history(channel=settings.slack.channel or "")
        assert [one["text"] for one in history["messages"]] == ["an alert"]
        assert page.startswith("http://127.0.0.1:") and settings.slack.base_url.startswith("http://127.0.0.1:")
        assert read_app_token(settings).get_secret_value().startswith("xapp-")


@pytest.mark.usefixtures("_own_environment")
def test_with_named_receivers_there_is_no_channel_and_nothing_changes(tmp_path: Path) -> None:
    (tmp_path / "counterpoise.toml").write_text(NAMED)
    with mock.patch.dict(os.environ):
        before = dict(os.environ)
        with local_channel(Settings.load()) as page:
            assert page == "" and dict(os.environ) == before
