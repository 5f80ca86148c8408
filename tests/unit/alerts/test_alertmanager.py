"""Alertmanager against a strict stand-in, and against the real one where its binary is installed."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import subprocess
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from alerts.outbox.alert_event import utc_text
from alerts.outbox.receivers.alertmanager_receiver import AlertmanagerReceiver, as_alert
from alerts.outbox.receivers.receiver import AmbiguousError, NotAcceptedError, ReceiverRefusedError
from alerts.outbox.receivers.receiver_request import request
from alerts.outbox.receivers.receivers import make_receivers, probes
from alerts.outbox.render import Message, check_message
from counterpoise.errors import ConfigError, CounterpoiseError
from counterpoise.settings.model import Settings
from testkit.alertmanager_server import AlertmanagerServer
from testkit.ports import reserved_port
from testkit.webhook_server import ReceivedRequest, WebhookServer
from tests.unit.alerts.events import FIRED, FIRED_AT, RESOLVED, message, step
from tests.unit.alerts.slack_world import HandClock
from tests.waiting import wait_for

TOKEN = "leak-me-if-you-can-0123456789"
HOUR = 3_600


@pytest.fixture
def server() -> Iterator[AlertmanagerServer]:
    with AlertmanagerServer() as running:
        yield running


def receiver(url: str, clock: Any, *, hold: float = 900.0, token: str | None = None) -> AlertmanagerReceiver:
    return AlertmanagerReceiver(
        url,
        dataset="test",
        clock=clock,
        hold_seconds=hold,
        token=lambda: SecretStr(token) if token else None,
        timeout_seconds=5.0,
    )


def test_an_alert_fires_is_renewed_and_resolves_under_the_same_labels(server: AlertmanagerServer) -> None:
    clock = HandClock(FIRED_AT + 60.0)
    told = receiver(server.url, clock)
    told.post(message(FIRED, page_url="https://desk.example/alert/1"), "a:1:post", thread=None)
    [sent] = server.requests[-1].json
    assert sent["labels"] == {
        "alertname": "top4-share",
        "alert_id": FIRED.alert_id,
        "chain": "bitcoin",
        "severity": "critical",
        "dataset": "test",
    }
    assert (sent["startsAt"], sent["endsAt"]) == (utc_text(FIRED_AT), utc_text(clock.at + 900))
    assert (sent["generatorURL"], sent["annotations"]["value"]) == ("https://desk.example/alert/1", "0.751")
    clock.at += 800  # an outage of ours that is shorter than the hold
    assert len(server.firing(clock.at)) == 1
    told.post(message(FIRED), "a:1:renew", thread=None)
    clock.at += 800
    assert len(server.firing(clock.at)) == 1
    clock.at = FIRED_AT + HOUR + 5.0
    told.post(message(RESOLVED, FIRED, RESOLVED), "a:2:thread", thread=None)
    assert server.firing(clock.at) == [] and len(server.alerts) == 1
    told.post(message(FIRED, FIRED, RESOLVED), "a:1:post", thread=None)
    assert server.firing(clock.at) == [], "a late or repeated firing states how the alert stands"


def test_block_times_ahead_of_the_clock_make_no_alert_that_ends_before_it_starts(server: AlertmanagerServer) -> None:
    clock = HandClock(FIRED_AT - HOUR * 1.0)
    told = receiver(server.url, clock)
    told.post(message(RESOLVED, FIRED, RESOLVED), "a:2:thread", thread=None)
    clock.at += 1
    assert server.firing(clock.at) == []
    ended_early = step("retracted", 2, FIRED_AT - HOUR)
    event = message(ended_early, FIRED, ended_early).event
    assert event is not None
    alert = as_alert(event, dataset="test", now=FIRED_AT + 10.0, hold_seconds=900.0)
    assert alert["startsAt"] == alert["endsAt"]


def test_what_is_about_no_alert_is_not_sent_and_a_test_is(server: AlertmanagerServer) -> None:
    clock = HandClock()
    told = receiver(server.url, clock)
    told.post(Message("t", (), "state at start"), "0123:0:start", thread=None)
    assert server.requests == []
    told.post(check_message("test"), "test:1.5", thread=None)
    assert server.firing(clock.at + 1) == [{"alertname": "CounterpoiseTest", "dataset": "test"}]
    assert told.check() == f"Alertmanager 0.0.0-stand-in answers at {server.url}."


@pytest.mark.parametrize(
    ("answer", "error"),
    [(400, ReceiverRefusedError), (503, AmbiguousError), (403, NotAcceptedError), ("drop", AmbiguousError)],
)
def test_a_failure_is_judged_and_leaks_no_token(
    server: AlertmanagerServer, answer: Any, error: type[CounterpoiseError], caplog: pytest.LogCaptureFixture
) -> None:
    server.plan = [answer]
    told = receiver(server.url, HandClock(), token=TOKEN)
    with caplog.at_level(logging.DEBUG), pytest.raises(error) as found:
        told.post(message(FIRED), "a:1:post", thread=None)
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in f"{caplog.text}{told!r}{told.channel}{''.join(traceback.format_exception(found.value))}"


def test_the_reason_of_a_refusal_is_shown(server: AlertmanagerServer) -> None:
    told = receiver(server.url, HandClock())
    wrong = message(FIRED, page_url="no-address")
    with pytest.raises(
        ReceiverRefusedError, match=r"refuses the message: 400 \(generatorURL in body must be of type uri\)"
    ):
        told.post(wrong, "a:1:post", thread=None)


@dataclass(slots=True)
class Nested(WebhookServer):
    """Its answers are JSON deeper than anything that is meant."""

    status: int = 200

    def respond(self, request: ReceivedRequest) -> tuple[int, bytes]:
        return self.status, b"[" * 60_000


def test_an_answer_that_is_nested_without_end_is_no_failure_of_ours() -> None:
    with Nested() as other:
        told = receiver(other.url, HandClock())
        told.post(message(FIRED), "a:1:post", thread=None)
        with pytest.raises(ConfigError, match="is no Alertmanager"):
            told.check()
        other.status = 400
        with pytest.raises(ReceiverRefusedError, match=r"refuses the message: 400$"):
            told.post(message(FIRED), "a:1:post", thread=None)


def test_something_else_at_the_address_is_no_alertmanager(server: AlertmanagerServer) -> None:
    server.plan = [200]
    with pytest.raises(ConfigError, match="is no Alertmanager: its status has no version"):
        receiver(server.url, HandClock()).check()


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ({}, "an Alertmanager has no address: set COUNTERPOISE_ALERTMANAGER__URL"),
        (
            {"url": "http://am.example:9093", "token": TOKEN},
            "expected https:// (or http:// on this machine): the token",
        ),
        ({"url": "am.example:9093"}, "is no address"),
    ],
)
def test_a_wrong_setting_is_one_line(found: dict[str, Any], problem: str) -> None:
    settings = Settings(alertmanager=found, alerts={"notifier": "alertmanager"})
    with pytest.raises(ConfigError) as raised:
        make_receivers(settings, io.StringIO())
    assert problem in str(raised.value) and TOKEN not in str(raised.value)


def test_a_plain_address_in_the_same_network_is_enough() -> None:
    settings = Settings(alertmanager={"url": "http://am.example:9093"})
    assert [one.channel for one in make_receivers(settings, io.StringIO())] == ["http://am.example:9093"]
    assert dict(probes(settings))["alertmanager"].verdict == "ok"


# The real one.

BINARY = os.environ.get("COUNTERPOISE_TEST_ALERTMANAGER") or shutil.which("prometheus-alertmanager") or ""


@pytest.mark.skipif(not BINARY, reason="no prometheus-alertmanager on the PATH, nor in COUNTERPOISE_TEST_ALERTMANAGER")
def test_a_real_alertmanager_fires_renews_and_resolves(tmp_path: Path) -> None:
    from counterpoise.runtime.clock import SystemClock

    config, port = tmp_path / "alertmanager.yml", reserved_port()
    config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    arguments = [
        f"--config.file={config}",
        f"--storage.path={tmp_path}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    log = tmp_path / "alertmanager.log"
    with log.open("wb") as stream:
        process = subprocess.Popen([BINARY, *arguments], stdout=stream, stderr=stream)
    url = f"http://127.0.0.1:{port}"
    told, clock = receiver(url, SystemClock()), SystemClock()

    def answers() -> bool:
        assert process.poll() is None, log.read_text(errors="replace")
        try:
            return told.check() is not None
        except CounterpoiseError:
            return False

    def active() -> list[dict[str, Any]]:
        answer = request("GET", f"{url}/api/v2/alerts?active=true", None, {}, timeout_seconds=5.0)
        found: list[dict[str, Any]] = json.loads(answer.body)
        return found

    try:
        wait_for(answers, "the Alertmanager answers")
        now = int(clock.now())
        fired = step("firing", 1, now - 60)
        told.post(message(fired, page_url="https://desk.example/alert/1"), "a:1:post", thread=None)
        wait_for(lambda: len(active()) == 1, "it fires")
        [shown] = active()
        assert shown["labels"]["alertname"] == "top4-share"
        assert shown["generatorURL"] == "https://desk.example/alert/1"
        assert shown["startsAt"].startswith(utc_text(now - 60)[:-1])
        told.post(message(fired), "a:1:renew", thread=None)
        assert len(active()) == 1, "it is the same alert"
        assert active()[0]["startsAt"] == shown["startsAt"]
        resolved = step("resolved", 2, now - 1)
        told.post(message(resolved, fired, resolved), "a:2:thread", thread=None)
        wait_for(lambda: active() == [], "it is resolved")
        told.post(message(fired, fired, resolved), "a:1:renew", thread=None)
        assert active() == []
        told.post(check_message("test"), "test:1.5", thread=None)
        assert [one["labels"]["alertname"] for one in active()] == ["CounterpoiseTest"]
        refused = message(fired, page_url="no-address")
        with pytest.raises(ReceiverRefusedError, match="generatorURL"):
            told.post(refused, "a:1:post", thread=None)
    finally:
        process.terminate()
        process.wait(timeout=30)
