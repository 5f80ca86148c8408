"""The address of a receiver may be a secret as a whole: neither its path nor its query is in what anybody reads, nor is its token."""

from __future__ import annotations

import io
import logging
import traceback
from typing import Any

import pytest
import structlog

from alerts.machine.ledger import LedgerEntry
from alerts.outbox.receivers.receivers import make_receivers, probes
from counterpoise.errors import ConfigError, CounterpoiseError
from counterpoise.settings.model import Settings
from testkit.webhook_server import Failure, WebhookServer
from tests.integration.security.leaks import assert_hidden
from tests.unit.alerts.slack_world import Alerter, HandClock, Rows

LEAK = "T0LEAK"
SECRET = "s3cret/of+16&more=1"
URL = f"https://hooks.example/services/{LEAK}/in?key={LEAK}"
OF_TYPE: dict[str, dict[str, Any]] = {
    "webhook": {"url": URL, "secret": SECRET},
    "alertmanager": {"url": URL, "token": SECRET},
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


@pytest.mark.parametrize("kind", ["webhook", "alertmanager"])
@pytest.mark.parametrize("answer", [200, 302, 400, 404, 429, 503, "drop", "slow", None])
def test_no_failure_and_no_row_has_the_path(
    kind: str, answer: int | Failure | None, caplog: pytest.LogCaptureFixture
) -> None:
    """`answer` None: nobody listens."""
    with WebhookServer() as server:
        server.plan = [] if answer is None else [answer] * 3
        url = f"{server.url}/services/{LEAK}/in?key={LEAK}"
        values = {"type": kind, **OF_TYPE[kind], "url": url, "timeout_seconds": 1.0}
        settings = Settings.model_validate({"alerts": {"receivers": {"ops": values}}})
        [made] = make_receivers(settings, io.StringIO())
        if answer is None:
            server.stop()
        clock, rows = HandClock(), Rows()
        with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as lines:
            alerter = Alerter(rows, made, clock)
            alerter.record([LedgerEntry("ab" * 8, 1, "firing", 10, "t", notify=True, rule_hash="c" * 12)])
            alerter.work(0.5)
        assert lines or rows.read(), "it was tried"
        said = f"{caplog.text}{lines}{rows.read()}{alerter.outbox.trouble}{made!r}{made}"
        try:
            made.check()
        except CounterpoiseError as error:
            said += "".join(traceback.format_exception(error))
        assert LEAK not in said
        assert_hidden(f"{said}{vars(made)}", SECRET)


def test_a_refused_setting_does_not_show_its_path() -> None:
    for kind, values in OF_TYPE.items():
        wrong = {name: str(value).replace("https://", "http://") for name, value in values.items()}
        settings = Settings.model_validate({"alerts": {"notifier": kind}, kind: wrong})
        with pytest.raises(ConfigError, match="expected https://") as found:
            make_receivers(settings, io.StringIO())
        assert LEAK not in str(found.value)


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
