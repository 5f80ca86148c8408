"""The address of a receiver may be a secret as a whole: neither its path nor its query is in what anybody reads."""

from __future__ import annotations

import io
from typing import Any

import pytest

from alerts.outbox.receivers.receivers import make_receivers, probes
from counterpoise.settings.model import Settings

LEAK = "T0LEAK"
SECRET = "0123456789abcdef"
URL = f"https://hooks.example/services/{LEAK}/in?key={LEAK}"
OF_TYPE: dict[str, dict[str, Any]] = {
    "webhook": {"url": URL, "secret": SECRET},
    "slack": {"base_url": URL, "token": "xoxb", "channel": "C0"},
}


@pytest.mark.parametrize("kind", OF_TYPE)
@pytest.mark.parametrize("named", [True, False])
def test_no_one_reads_the_path_of_an_address(kind: str, named: bool) -> None:
    values = OF_TYPE[kind]
    if named:
        settings = Settings(alerts={"receivers": {"ops": {"type": kind, **values}}})
    else:
        settings = Settings.model_validate({"alerts": {"notifier": kind}, kind: values})
    [made] = make_receivers(settings, io.StringIO())
    shown = f"{settings!r}{settings}{made!r}{made.channel}{list(probes(settings))}"
    assert LEAK not in shown
    assert made.channel == ("C0" if kind == "slack" else "https://hooks.example/…")


@pytest.mark.parametrize(
    "values",
    [
        {"webhook": {"url": URL}},
        {"alertmanager": {"url": URL}},
        {"alerts": {"receivers": {"a": {"type": "x", "url": URL}}}},
    ],
)
def test_settings_show_no_address(values: dict[str, Any]) -> None:
    assert LEAK not in f"{Settings.model_validate(values)!r}"
