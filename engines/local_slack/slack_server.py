"""The local workspace over HTTP on loopback: Slack's Web API, and the channel's page."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl

from counterpoise.urls import is_local, split_url
from engines.local_slack.files import UPLOAD_PATH
from engines.local_slack.page_routes import PageAnswer, PageRoutes, text_answer
from engines.local_slack.workspace import Workspace
from engines.ports import HOST

MAX_BODY: Final = 4 * 1024 * 1024
API: Final = "/api/"

__all__ = ["LocalSlack", "PageAnswer"]


@dataclass
class LocalSlack(Workspace):
    """`with LocalSlack(…) as slack:`; point `COUNTERPOISE_SLACK__BASE_URL` at `base_url`. Port 0 takes a free one.

    The page opens at `page_url` alone: who does not have its key neither reads the channel nor presses a button.
    """

    port: int = 0
    page_key: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)
    channel_name: str = "#risk-desk"
    user_id: str = "U0LOCAL"
    """The person at the page, who presses its buttons."""
    user_name: str = "you"
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> LocalSlack:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """For slack-sdk's `base_url`."""
        return f"{self.origin}{API}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://{HOST}:{self.port}"

    @property
    def page_url(self) -> str:
        """The address of the channel's page."""
        return f"{self.origin}/{self.page_key}/"

    def start(self) -> LocalSlack:
        """Listen; messages of an earlier run of this object are still there. On the port of before, where there was one."""
        self.closing.clear()
        server = _Server((HOST, self.port), self)
        self._server, self.port = server, int(server.server_address[1])
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="local-slack", daemon=True
        ).start()
        return self

    def stop(self) -> None:
        """Refuse connections from now on, keep the messages."""
        self.end_waits()
        self.socket.stop()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def respond(self, method: str, arguments: dict[str, Any], token: str) -> PageAnswer | None:
        """The answer to a call of the Web API; None closes the connection without one."""
        return PageAnswer(200, json.dumps(self.answer(method, arguments, token)).encode())

    def take_file(self, file_id: str, body: bytes) -> PageAnswer | None:
        """The answer to the upload of a file; None closes the connection without one."""
        return PageAnswer(self.uploads.take(file_id, body), b"")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], slack: LocalSlack) -> None:
        self.slack = slack
        self.page = PageRoutes(
            slack,
            key=slack.page_key,
            channel_id=slack.channels[0],
            channel_name=slack.channel_name,
            user_id=slack.user_id,
            user_name=slack.user_name,
        )
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or int(length) > MAX_BODY:
            self._send(text_answer(413, "This request is too long."))
            return
        self._serve(self.rfile.read(int(length)))

    def _serve(self, body: bytes) -> None:
        path = split_url(self.path).path
        if path.startswith(API):
            self._call(path.removeprefix(API), body)
            return
        if path.startswith(UPLOAD_PATH) and self.command == "POST":
            self._answer(self.server.slack.take_file(path.removeprefix(UPLOAD_PATH), body))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not is_local(split_url(f"//{headers.get('host', '')}").hostname or ""):
            self._send(text_answer(421, "This address is not the workspace's."))
            return
        answer = self.server.page.answer(self.command, self.path, headers, body)
        if isinstance(answer, PageAnswer):
            self._send(answer)
        else:
            self._stream(answer)

    def _call(self, method: str, body: bytes) -> None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        arguments: dict[str, Any] = dict(parse_qsl(split_url(self.path).query))
        try:
            if "json" in (self.headers.get("Content-Type") or ""):
                arguments |= json.loads(body or b"{}")
            else:
                arguments |= dict(parse_qsl(body.decode("utf-8", "replace")))
        except (ValueError, TypeError, RecursionError):
            self._send(PageAnswer(200, b'{"ok": false, "error": "invalid_json"}'))
            return
        self._answer(self.server.slack.respond(method, arguments, token))

    def _answer(self, answer: PageAnswer | None) -> None:
        if answer is None:
            self.close_connection = True
            self.connection.close()
        else:
            self._send(answer)

    def _send(self, answer: PageAnswer) -> None:
        with suppress(OSError):  # the caller did not wait
            self._head(answer.status, answer.headers | {"Content-Length": str(len(answer.body))}, answer.content_type)
            self.wfile.write(answer.body)

    def _stream(self, pieces: Iterator[bytes]) -> None:
        """Server-sent events until the reader or the workspace is gone."""
        with suppress(OSError):
            self._head(200, {"Cache-Control": "no-store"}, "text/event-stream")
            for piece in pieces:
                self.wfile.write(piece)

    def _head(self, status: int, headers: Mapping[str, str], content_type: str) -> None:
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Requests are not printed."""
