"""A new receiver is chosen by its name, and `auto` goes on as before."""

from __future__ import annotations

from io import StringIO

import pytest

from alerts.outbox.receivers.receivers import choose_receiver, make_receivers
from alerts.outbox.render import Message
from counterpoise.settings.model import Settings


def test_it_is_chosen_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    stream = StringIO()
    [receiver] = make_receivers(Settings(alerts={"notifier": "stderr"}), stream)
    receiver.post(Message("text", (), "a line"), "key", thread=None)
    assert (receiver.name, stream.getvalue(), capsys.readouterr().err) == ("stderr", "", "a line\n")
    assert choose_receiver(Settings()) == "console"
