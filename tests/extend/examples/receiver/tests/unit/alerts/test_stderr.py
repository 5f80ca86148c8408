"""The receiver on standard error."""

from io import StringIO

import pytest

from alerts.outbox.receivers.stderr_receiver import StderrReceiver
from alerts.outbox.render import Message
from counterpoise.settings.model import Settings


def test_a_message_is_a_line_and_no_secret_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(slack={"token": "xoxb-of-the-test", "channel": "C1"})
    receiver = StderrReceiver.from_settings(settings, StringIO())
    assert receiver.post(Message("text", (), "line"), "key", thread=None) == "key"
    assert capsys.readouterr().err == "line\n"
    assert "xoxb" not in repr(receiver)
