"""The webhook against a server over HTTP: what is signed is verified by the recipe of the docs, and every failure is judged."""

from __future__ import annotations

import io
import logging
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from alerts.machine.ledger import LedgerEntry
from alerts.outbox.receivers.receiver import (
    AmbiguousError,
    NotAcceptedError,
    ReceiverRefusedError,
    UnknownAnswerError,
)
from alerts.outbox.receivers.receiver_request import ReceiverAnswer, check_url, judge, retry_after
from alerts.outbox.receivers.receivers import make_receivers, probes
from alerts.outbox.receivers.webhook_receiver import WebhookReceiver, signature
from alerts.outbox.render import Message, check_message
from counterpoise.errors import ConfigError, CounterpoiseError
from counterpoise.runtime.clock import SystemClock
from counterpoise.settings.model import Settings
from testkit.webhook_server import Failure, WebhookServer
from tests.unit.alerts.events import ALERT, FIRED, RESOLVED, message
from tests.unit.alerts.slack_world import Alerter, HandClock, Rows

SECRET = "leak-me-if-you-can-0123456789"
DOCS = Path(__file__).parents[3] / "docs" / "alerts.md"


@pytest.fixture
def server() -> Iterator[WebhookServer]:
    with WebhookServer() as running:
        yield running


@pytest.fixture(scope="module")
def verify() -> Callable[..., bool]:
    """The recipe, as the docs have it."""
    [code] = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the docs are ours
    found: Callable[..., bool] = names["verify"]
    return found


def receiver(server: WebhookServer, *, seconds: float = 10.0, path: str = "/hook?key=in-the-query") -> WebhookReceiver:
    return WebhookReceiver(
        lambda: SecretStr(SECRET), server.url + path, dataset="test", clock=SystemClock(), timeout_seconds=seconds
    )


def test_the_recipe_of_the_docs_verifies_what_is_sent(server: WebhookServer, verify: Callable[..., bool]) -> None:
    told = receiver(server)
    assert told.post(message(FIRED), f"{ALERT}:1:post", thread=None) == f"{ALERT}:1:post"
    [sent] = server.requests
    header = sent.headers["counterpoise-signature"]
    assert verify(header, sent.body, SECRET)
    assert not verify(header, sent.body + b" ", SECRET)
    assert not verify(header, sent.body, SECRET + "x")
    assert not verify(header.replace("t=1", "t=2"), sent.body, SECRET)
    assert not verify("", sent.body, SECRET)
    old = signature(SecretStr(SECRET), int(time.time()) - 301, sent.body)
    assert not verify(old, sent.body, SECRET), "a request that is sent again by somebody else gets old"


@given(st.binary(), st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_body_and_secret_is_verified(verify: Callable[..., bool], body: bytes, secret: str) -> None:
    header = signature(SecretStr(secret), int(time.time()), body)
    assert verify(header, body, secret)
    assert not verify(header, body + b"x", secret)


def test_each_step_is_an_event_with_an_id(server: WebhookServer) -> None:
    told = receiver(server)
    told.post(message(FIRED, page_url="https://desk.example/alert/1"), f"{ALERT}:1:post", thread=None)
    told.post(message(FIRED, FIRED, RESOLVED), f"{ALERT}:1:post", thread=None)
    told.post(message(RESOLVED, FIRED, RESOLVED), f"{ALERT}:2:thread", thread=None)
    told.post(Message("t", (), "state at start"), "0123:0:start", thread=None)
    told.post(check_message("test"), "test:1.5", thread=None)
    first, late, end, start, test = (request.json for request in server.requests)
    assert (first["version"], first["id"], first["type"], first["dataset"]) == (
        1,
        f"{ALERT}:1:post",
        "alert.firing",
        "test",
    )
    assert first["alert"]["state_now"] == "firing" and first["alert"]["ended_at"] is None
    assert first["alert"]["labels"]["severity"] == "critical"
    assert first["alert"]["page_url"] == "https://desk.example/alert/1"
    assert (late["type"], late["alert"]["state_now"]) == ("alert.firing", "resolved"), "it came after its end"
    assert (end["type"], end["alert"]["ended_at"]) == ("alert.resolved", "2023-11-14T23:13:20Z")
    assert (start["type"], start["text"], start["alert"]) == ("start", "state at start", None)
    assert test["type"] == "test"
    assert {request.headers["counterpoise-event-id"] for request in server.requests[:2]} == {f"{ALERT}:1:post"}


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (500, AmbiguousError, "answers 500"),
        (503, AmbiguousError, "answers 503"),
        (429, NotAcceptedError, "answers 429"),
        (401, NotAcceptedError, "check the address and the secret"),
        (404, NotAcceptedError, "check the address and the secret"),
        ("redirect", NotAcceptedError, "a redirect: set the address that it leads to"),
        (400, ReceiverRefusedError, "refuses the message: 400"),
        (413, ReceiverRefusedError, "refuses the message: 413"),
        (418, UnknownAnswerError, "answers 418"),
        ("drop", AmbiguousError, "gave no answer"),
        ("slow", AmbiguousError, "gave no answer"),
        ("drip", AmbiguousError, "gave no answer"),
    ],
)
def test_every_failure_is_judged_and_leaks_nothing(
    server: WebhookServer,
    answer: int | Failure,
    error: type[CounterpoiseError],
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.plan = [answer]
    told = receiver(server, seconds=0.3)
    with caplog.at_level(logging.DEBUG), pytest.raises(error, match=re.escape(said)) as found:
        told.post(message(FIRED), "a:1:post", thread=None)
    assert type(found.value) is error
    assert len(server.requests) == 1, "a redirect is not followed"
    everything = f"{caplog.text}{found.value!r}{told!r}{told.channel}{''.join(traceback.format_exception(found.value))}"
    assert SECRET not in everything and "in-the-query" not in everything
    assert all(SECRET not in argument for argument in sys.argv)
    assert SECRET.encode() not in server.requests[0].body


def test_an_answer_without_end_is_cut(server: WebhookServer) -> None:
    server.plan = ["huge"]
    assert receiver(server).post(message(FIRED), "a:1:post", thread=None) == "a:1:post"


@pytest.mark.parametrize("status", [408, 423, 425, 429, 500, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17.0),
        ({"Retry-After": "0"}, 1.0),
        ({"Retry-After": "99999999"}, 3_600.0),
        ({"Date": "Fri, 27 Nov 2026 08:00:00 GMT", "Retry-After": "Fri, 27 Nov 2026 08:02:00 GMT"}, 120.0),
        ({}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Fri, 27 Nov 99999999999 08:02:00 GMT"}, None),
    ],
)
def test_the_pause_that_it_asks_for_is_kept(status: int, headers: dict[str, str], seconds: float | None) -> None:
    answer = ReceiverAnswer(status, {name.lower(): text for name, text in headers.items()}, b"")
    with pytest.raises((NotAcceptedError, AmbiguousError)) as found:
        judge(answer, "there")
    assert getattr(found.value, "retry_after_seconds", "lost") == seconds


@given(st.text())
def test_whatever_it_asks_for_is_a_pause_or_nothing(text: str) -> None:
    found = retry_after({"retry-after": text})
    assert found is None or 1.0 <= found <= 3_600.0


def test_a_busy_one_is_asked_again_after_its_pause(server: WebhookServer) -> None:
    clock, rows = HandClock(), Rows()
    server.plan, server.answer_headers = [503, 429], {"Retry-After": "300"}
    alerter = Alerter(rows, receiver(server), clock)
    alerter.record([LedgerEntry(ALERT, 1, "firing", 10, "t", notify=True, rule_hash="c" * 12)])
    alerter.work(299.0)
    assert len(server.requests) == 1
    alerter.work(2.0)
    assert len(server.requests) == 2
    server.plan, server.answer_headers = [429] * 4, {}
    alerter.work(300.0)
    tried = len(server.requests)
    alerter.work(10.0)
    assert tried + 2 <= len(server.requests) <= tried + 4, "without one the pauses grow: 1, 2 and 4 seconds"


def test_one_that_is_not_there_received_nothing(server: WebhookServer) -> None:
    told = receiver(server)
    server.stop()
    with pytest.raises(NotAcceptedError, match="refuses connections") as found:
        told.post(message(FIRED), "a:1:post", thread=None)
    assert "in-the-query" not in str(found.value)


@pytest.mark.parametrize(
    ("webhook", "problem"),
    [
        ({}, "a webhook has no address: set COUNTERPOISE_WEBHOOK__URL"),
        ({"url": "https://a.example/x"}, "a webhook has no secret: set COUNTERPOISE_WEBHOOK__SECRET_FILE"),
        ({"url": "https://a.example/x", "secret": "short-leak"}, "is too short, expected at least 16 characters"),
        ({"url": "http://a.example/x", "secret": SECRET}, "expected https:// (or http:// on this machine)"),
        ({"url": "https://u:leak@a.example/x", "secret": SECRET}, "has a user or a fragment"),
        ({"url": "file:///etc/passwd", "secret": SECRET}, "is no address, expected https://HOST[:PORT]/PATH"),
        ({"url": "https://a.example:port/x", "secret": SECRET}, "is no address"),
        ({"url": "https://a..example/x", "secret": SECRET}, "is no address"),
        ({"url": f"https://{'a' * 64}.example/x", "secret": SECRET}, "is no address"),
        ({"url": "https://a.example/x", "secret_file": "/nowhere/at-all"}, "cannot be read"),
    ],
)
def test_a_wrong_setting_is_one_line_without_the_secret(webhook: dict[str, Any], problem: str) -> None:
    settings = Settings(webhook=webhook, alerts={"notifier": "webhook"})
    with pytest.raises(ConfigError) as found:
        make_receivers(settings, io.StringIO())
    assert problem in str(found.value) and "leak" not in str(found.value)
    if webhook:
        [probe] = [probe for name, probe in probes(settings) if name == "webhook"]
        assert probe.verdict == "problem" and "leak" not in probe.said


def test_a_named_webhook_has_its_own_secret(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    receivers = {"siem": {"type": "webhook", "url": "https://siem.example/in?token=leak", "secret_file": str(file)}}
    settings = Settings(alerts={"receivers": receivers})
    [made] = make_receivers(settings, io.StringIO())
    assert (made.name, made.kind, made.channel) == ("siem", "webhook", "https://siem.example/…")
    [(name, probe)] = probes(settings)
    assert (name, probe.verdict, "leak" in probe.said) == ("siem", "ok", False)


@given(st.text(st.characters(codec="utf-8"), max_size=80), st.sampled_from(["http", "https"]))
def test_what_is_taken_for_an_address_can_be_looked_up(host: str, scheme: str) -> None:
    try:
        url = check_url("URL", f"{scheme}://{host}/x")
    except ConfigError:
        return
    assert (urlsplit(url).hostname or "").encode("idna")


def test_an_address_of_this_machine_needs_no_tls() -> None:
    for url in ("http://127.0.0.1:1/x", "http://[::1]:1/x", "http://localhost/x", "https://a.example"):
        assert check_url("URL", url, clear_text="no") == url
