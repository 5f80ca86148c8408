"""One call to Slack's Web API: bounded in time and size, it follows no redirect and takes no proxy."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import ClassVar

import pytest
from pydantic import SecretStr

from alerts.outbox.receivers import slack_client
from alerts.outbox.receivers.receiver import AmbiguousError, NotAcceptedError
from alerts.outbox.receivers.slack_receiver import SlackReceiver, socket_client
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


@pytest.mark.parametrize("base_url", ["http://slack.example/api/", "https://me:secret@slack.example/", "slack.example"])
def test_no_token_travels_in_the_clear(base_url: str) -> None:
    with pytest.raises(ConfigError, match="COUNTERPOISE_SLACK__BASE_URL") as found:
        receiver(base_url)
    settings = Settings(slack=SlackSettings(base_url=base_url))
    with pytest.raises(ConfigError):
        socket_client(settings, SecretStr("xapp"))
    assert "secret" not in str(found.value).replace("the settings for secrets", "")
