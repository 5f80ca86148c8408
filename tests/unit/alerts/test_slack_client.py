"""One call to Slack's Web API: bounded in time and size, it follows no redirect and takes no proxy."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from alerts.outbox.alert_chart import Picture
from alerts.outbox.receivers import slack_client
from alerts.outbox.receivers.receiver import (
    AmbiguousError,
    NotAcceptedError,
    NotThisWayError,
    ReceiverRefusedError,
    UnknownAnswerError,
)
from alerts.outbox.receivers.slack_receiver import EVENT_TYPE, SlackReceiver, is_ts, socket_client
from alerts.outbox.render import note_message
from counterpoise.errors import ConfigError
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.alert_sections import SlackSettings
from testkit.slack_server import CHANNEL, TOKEN, SlackServer

HELLO = note_message("hello")


class _Wire(socketserver.BaseRequestHandler):
    """Sends `head`, and then `drip` again and again until the other side goes."""

    head: ClassVar[bytes]
    drip: ClassVar[bytes]
    requests: ClassVar[list[bytes]]

    def handle(self) -> None:
        self.requests.append(self.request.recv(65_536))
        with suppress(OSError):
            self.request.sendall(self.head)
            while self.drip:
                self.request.sendall(self.drip)
                if len(self.drip) == 1 and threading.Event().wait(0.05):
                    return


@contextmanager
def a_wire(head: bytes, drip: bytes = b"") -> Iterator[tuple[str, list[bytes]]]:
    handler = type("Wire", (_Wire,), {"head": head, "drip": drip, "requests": []})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api/", handler.requests  # type: ignore[attr-defined]
        server.shutdown()


def receiver(base_url: str, *, seconds: float = 30.0) -> SlackReceiver:
    return SlackReceiver(lambda: SecretStr(TOKEN), CHANNEL, base_url=base_url, timeout_seconds=seconds)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_takes_the_token_nowhere(status: int) -> None:
    with a_wire(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"ok":true}') as (elsewhere, asked):
        head = f"HTTP/1.1 {status} Found\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n".encode()
        with a_wire(head) as (base_url, _), pytest.raises(NotAcceptedError, match="a redirect"):
            receiver(base_url).post(HELLO, "a:0:post", thread=None)
        assert asked == []


def test_an_answer_without_an_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_client, "MAX_ANSWER_BYTES", 100_000)
    with (
        a_wire(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536) as (base_url, _),
        pytest.raises(AmbiguousError, match="HTTPException"),
    ):
        receiver(base_url).post(HELLO, "a:0:post", thread=None)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"])
def test_an_answer_byte_by_byte_ends_with_its_time(head: bytes) -> None:
    with a_wire(head, b"x") as (base_url, _), pytest.raises(AmbiguousError):
        receiver(base_url, seconds=1.0).post(HELLO, "a:0:post", thread=None)


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with SlackServer() as slack:
        receiver(slack.base_url).post(HELLO, "a:0:post", thread=None)
        assert [m.text for m in slack.messages] == ["hello"]


_WORDS = st.sampled_from(
    [
        *("ok", "ts", "messages", "metadata", "event_type", "event_payload", "key", "response_metadata", "next_cursor"),
        *("error", "file_id", "upload_url", "a:0:post", EVENT_TYPE, "1.000001"),
    ]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=12,
)
_DEEP = b"[" * 100_000
_BODIES = st.one_of(
    _JSON.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {"ok": st.just(True)}, optional=dict.fromkeys(("ts", "messages", "response_metadata"), _JSON)
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"", b"blocked", b"\xff\xfe", _DEEP, b'{"ok": true, "messages": ' + _DEEP, b"9" * 5_000]),
    st.integers(950, 1_010).map(lambda depth: b'{"ok":true,"a":' + b"[" * depth + b"]" * depth + b"}"),
)
_CALLS: dict[str, Callable[[SlackReceiver], object]] = {
    "post": lambda to: to.post(HELLO, "a:0:post", thread=None),
    "edit": lambda to: to.edit(HELLO, "a:0:post", "1.000001"),
    "find": lambda to: to.find("a:0:post", since=0.0, thread=None),
    "withdraw": lambda to: to.withdraw("1.000001"),
    "upload": lambda to: to.upload(Picture(b"png", "a.png", "title", "words")),
    "check": lambda to: to.check(),
}


@settings(max_examples=150)
@given(
    body=_BODIES,
    status=st.sampled_from([200, 400, 429, 500]),
    kind=st.sampled_from(["application/json", "application/json; charset=x-unknown", "text/html; charset=utf-16", ""]),
    call=st.sampled_from(sorted(_CALLS)),
)
def test_whatever_slack_answers_is_judged(body: bytes, status: int, kind: str, call: str) -> None:
    """Nothing that stands at Slack's address ends the alerter: an answer is good, or an error whose meaning is known."""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with a_wire(head.encode() + body) as (base_url, _):
        to = receiver(base_url)
        try:
            found = _CALLS[call](to)
        except (
            AmbiguousError,
            NotAcceptedError,
            NotThisWayError,
            ReceiverRefusedError,
            UnknownAnswerError,
            ConfigError,
        ):
            return
    assert status == 200
    if call == "post":
        assert is_ts(found)
    if call == "find":
        assert isinstance(found, list) and all(map(is_ts, found))


@pytest.mark.parametrize("base_url", ["http://slack.example/api/", "https://me:secret@slack.example/", "slack.example"])
def test_no_token_travels_in_the_clear(base_url: str) -> None:
    with pytest.raises(ConfigError, match="COUNTERPOISE_SLACK__BASE_URL") as found:
        receiver(base_url)
    own = Settings(slack=SlackSettings(base_url=base_url))
    with pytest.raises(ConfigError):
        socket_client(own, SecretStr("xapp"))
    assert "secret" not in str(found.value).replace("the settings for secrets", "")
