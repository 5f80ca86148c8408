"""An HTTP server on loopback that stores the requests it receives and answers as it is told to.

python -m testkit.webhook_server --port 8098
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal, Self

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
Failure = Literal["drop", "slow", "drip", "huge", "redirect"]
"""`drop`: taken, then closed without an answer. `slow`: taken, no answer before the server stops. `drip`: a status line without end,
byte by byte. `huge`: 200 with a body without end. `redirect`: 302 to another path of this server."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request; names of `headers` are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body as JSON."""
        return json.loads(self.body)


@dataclass(slots=True)
class WebhookServer:
    """`with WebhookServer() as server:`. `plan` are the next answers, each a status or a failure; then 200."""

    port: int = 0
    requests: list[ReceivedRequest] = field(default_factory=list)
    plan: list[int | Failure] = field(default_factory=list)
    answer_headers: dict[str, str] = field(default_factory=dict)
    _closing: threading.Event = field(default_factory=threading.Event)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Listen, on the port of before where there was one."""
        self._closing.clear()
        server = _Server(("127.0.0.1", self.port), self)
        self._server, self.port = server, int(server.server_address[1])
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Refuse connections from now on."""
        self._closing.set()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def respond(self, request: ReceivedRequest) -> tuple[int, bytes]:
        """Status and body of the answer to a request that no failure is planned for."""
        return 200, b'{"ok": true}'


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], owner: WebhookServer) -> None:
        self.owner = owner
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 60

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(min(MAX_BODY_BYTES, int(self.headers.get("Content-Length") or 0))))

    def _serve(self, body: bytes) -> None:
        owner = self.server.owner
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = ReceivedRequest(self.command, self.path, headers, body)
        owner.requests.append(request)
        planned = owner.plan.pop(0) if owner.plan else None
        with suppress(OSError):
            if isinstance(planned, str):
                self._fail(planned)
                return
            status, answer = (planned, b"") if planned else owner.respond(request)
            self._answer(status, answer, owner.answer_headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _fail(self, failure: Failure) -> None:
        closing = self.server.owner._closing
        if failure == "redirect":
            self._answer(302, b"", {"Location": "/elsewhere"})
        elif failure == "slow":
            closing.wait()
        elif failure == "drip":
            self.wfile.write(b"HTTP/1.1 ")
            while not closing.wait(0.02):
                self.wfile.write(b" ")
        elif failure == "huge":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while not closing.is_set():
                self.wfile.write(b"a" * 65_536)

    def log_message(self, *_: Any) -> None:
        """Requests are kept in `requests`."""


def main(kind: type[WebhookServer] = WebhookServer) -> None:
    """Listen until interrupted, printing each request."""
    parser = argparse.ArgumentParser(description="An HTTP server on loopback that prints what it receives.")
    parser.add_argument("--port", type=int, default=8098)
    server, shown = kind(parser.parse_args().port).start(), 0
    sys.stdout.write(f"url {server.url}\n")
    try:
        while True:
            for request in server.requests[shown:]:
                sys.stdout.write(f"{request.method} {request.path} {request.body.decode('utf-8', 'replace')}\n")
                shown += 1
            sys.stdout.flush()
            server._closing.wait(0.2)
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
