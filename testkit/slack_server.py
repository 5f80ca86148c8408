"""A Slack-shaped HTTP server on loopback: it keeps messages, threads, metadata and edits, and fails when told to.

It answers the methods of Slack's Web API that Counterpoise calls, checks what Slack checks (token, channel, block limits), and is
used by tests and by anyone who wants to see the alerts before there is a workspace:

    python -m testkit.slack_server --port 8099
    COUNTERPOISE_SLACK__BASE_URL=http://127.0.0.1:8099/api/ …
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlsplit

from testkit.slack_socket import SlackSocket

Failure = Literal[
    "drop", "drop_before", "late", "503", "503_after", "500", "429", "ratelimited", "invalid_auth", "slow", "garbage"
]
"""`drop`: the message is taken, then the connection closed without an answer; `drop_before`: closed before it is taken. `late`:
closed too, and the message is taken when `accept_late` is called. `503_after`: taken, answered with 503; `503`, `500`: not
taken. `429`: with Retry-After. `ratelimited`, `invalid_auth`: 200 with that error. `slow`: taken, answered only after
`slow_seconds`. `garbage`: taken, answered with something that is not JSON."""

TOKEN: Final = "xoxb-test-token"  # noqa: S105 - a token that opens nothing
APP_TOKEN: Final = "xapp-test-token"  # noqa: S105 - the same
CHANNEL: Final = "C0TEST"


@dataclass(slots=True)
class SlackMessage:
    """A message as the channel shows it now; `edits` counts how often it was changed."""

    ts: str
    channel: str
    text: str
    blocks: list[dict[str, Any]]
    metadata: dict[str, Any]
    thread_ts: str | None = None
    broadcast: bool = False
    edits: int = 0

    @property
    def key(self) -> str:
        """What its metadata names it by."""
        return str(self.metadata.get("event_payload", {}).get("key", ""))

    def as_json(self, *, with_metadata: bool) -> dict[str, Any]:
        """As Slack's history lists it."""
        found: dict[str, Any] = {"type": "message", "ts": self.ts, "text": self.text, "blocks": self.blocks}
        if self.thread_ts:
            found["thread_ts"] = self.thread_ts
        if self.broadcast:
            found["subtype"] = "thread_broadcast"
        if with_metadata and self.metadata:
            found["metadata"] = self.metadata
        return found


@dataclass(slots=True)
class _Plan:
    failure: Failure
    method: str
    left: int


@dataclass(slots=True)
class SlackServer:
    """`with SlackServer() as slack:`; point `base_url` at it. All methods may be called from any thread."""

    port: int = 0
    token: str = TOKEN
    app_token: str = APP_TOKEN
    channels: tuple[str, ...] = (CHANNEL,)
    retry_after_seconds: int = 1
    slow_seconds: float = 30.0
    page_size: int = 999
    """Messages that one call of the history gives at most."""
    stop_after_pages: int | None = None
    """Every call of the history after this many is answered with 429, and the count begins again."""
    lag_seconds: float = 0.0
    """For this long after a post the history does not show it."""
    calls: list[str] = field(default_factory=list)
    ephemerals: list[tuple[str, str]] = field(default_factory=list)
    """(user, text) of what only one person sees."""
    socket: SlackSocket = field(default_factory=SlackSocket)
    _messages: dict[str, SlackMessage] = field(default_factory=dict)
    _plans: list[_Plan] = field(default_factory=list)
    _refused: dict[str, tuple[str, int]] = field(default_factory=dict)
    _late: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _closing: threading.Event = field(default_factory=threading.Event)
    _last_micros: int = 0
    _pages: int = 0
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> SlackServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """For slack-sdk's `base_url`."""
        return f"http://127.0.0.1:{self.port}/api/"

    def start(self) -> SlackServer:
        """Listen; messages of an earlier run of this object are still there. On the port of before, where there was one."""
        self._closing.clear()
        server = _Server(("127.0.0.1", self.port), self)
        self._server, self.port = server, int(server.server_address[1])
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="slack", daemon=True).start()
        return self

    def stop(self) -> None:
        """Refuse connections from now on, keep the messages."""
        self._closing.set()
        self.socket.stop()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def fail(self, failure: Failure, *, method: str = "chat.postMessage", times: int = 1) -> None:
        """Make the next `times` calls of a method fail in this way; `*` is every method."""
        with self._lock:
            self._plans.append(_Plan(failure, method, times))

    def refuse(self, code: str, *, method: str = "chat.postMessage", times: int = 1) -> None:
        """Answer the next `times` calls of a method with an error code of Slack's."""
        with self._lock:
            self._refused[method] = (code, times)

    def recover(self) -> None:
        """Drop all failures that are still planned."""
        with self._lock:
            self._plans.clear()
            self._refused.clear()

    def accept_late(self) -> None:
        """Take the posts whose connection was closed by `late`. They have the time of their call."""
        with self._lock:
            for arguments in self._late:
                self._post(arguments)
            self._late.clear()

    @property
    def messages(self) -> list[SlackMessage]:
        """Everything that is visible, oldest first, replies among it."""
        with self._lock:
            return sorted(self._messages.values(), key=lambda m: float(m.ts))

    @property
    def roots(self) -> list[SlackMessage]:
        """What stands in the channel itself, without replies."""
        return [message for message in self.messages if message.thread_ts is None]

    def replies(self, ts: str) -> list[SlackMessage]:
        """The thread under a message."""
        return [message for message in self.messages if message.thread_ts == ts]

    def delete(self, ts: str) -> None:
        """What a person in the channel may do to any message."""
        with self._lock:
            del self._messages[ts]

    # The methods.

    def handle(self, method: str, arguments: dict[str, Any], token: str) -> tuple[int, dict[str, Any], Failure | None]:
        """(status, answer, failure to act out) of one call."""
        with self._lock:
            self.calls.append(method)
            failure = self._planned(method)
            if method.startswith("conversations.") and self.stop_after_pages is not None:
                self._pages += 1
                if self._pages > self.stop_after_pages:
                    self._pages, failure = 0, "429"
            if failure == "429":
                return 429, {"ok": False, "error": "ratelimited"}, failure
            if failure in ("500", "503"):
                return int(failure), {"ok": False, "error": "service_unavailable"}, failure
            if failure in ("ratelimited", "invalid_auth"):
                return 200, {"ok": False, "error": failure}, failure
            if failure == "drop_before":
                return 0, {}, failure
            if failure == "late":
                self._late.append(arguments | {"called_at": self._new_ts()})
                return 0, {}, failure
            code, left = self._refused.get(method, ("", 0))
            if left:
                self._refused[method] = (code, left - 1)
                return 200, _error(code), None
            answer = self._answer(method, arguments, token)
            if failure == "503_after":
                return 503, {"ok": False, "error": "service_unavailable"}, failure
            return 200, answer, failure

    def _planned(self, method: str) -> Failure | None:
        for plan in self._plans:
            if plan.left > 0 and plan.method in (method, "*"):
                plan.left -= 1
                return plan.failure
        return None

    def _answer(self, method: str, arguments: dict[str, Any], token: str) -> dict[str, Any]:
        if method == "apps.connections.open":
            return {"ok": True, "url": self.socket.open()} if token == self.app_token else _error("invalid_auth")
        if token != self.token:
            return _error("invalid_auth" if token else "not_authed")
        methods: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "auth.test": lambda _: {"ok": True, "user": "counterpoise", "bot_id": "B0TEST"},
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "chat.postEphemeral": self._post_ephemeral,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
        }
        found = methods.get(method)
        if found is None:
            return _error("unknown_method")
        if method != "auth.test" and arguments.get("channel") not in self.channels:
            return _error("channel_not_found")
        return found(arguments)

    def _post(self, arguments: dict[str, Any]) -> dict[str, Any]:
        refused = _check(arguments)
        if refused:
            return _error(refused)
        thread = arguments.get("thread_ts")
        if thread and thread not in self._messages:
            return _error("thread_not_found")
        ts = str(arguments.get("called_at") or self._new_ts())
        message = SlackMessage(
            ts,
            str(arguments["channel"]),
            str(arguments.get("text", "")),
            list(arguments.get("blocks") or []),
            dict(arguments.get("metadata") or {}),
            thread_ts=str(thread) if thread else None,
            broadcast=bool(thread and arguments.get("reply_broadcast")),
        )
        self._messages[ts] = message
        return {"ok": True, "channel": message.channel, "ts": ts, "message": message.as_json(with_metadata=True)}

    def _new_ts(self) -> str:
        self._last_micros = max(self._last_micros + 1, int(time.time() * 1_000_000))
        return f"{self._last_micros // 1_000_000}.{self._last_micros % 1_000_000:06d}"

    def _update(self, arguments: dict[str, Any]) -> dict[str, Any]:
        message = self._messages.get(str(arguments.get("ts")))
        if message is None:
            return _error("message_not_found")
        refused = _check(arguments)
        if refused:
            return _error(refused)
        message.text = str(arguments.get("text", message.text))
        message.blocks = list(arguments.get("blocks") or [])
        message.metadata = dict(arguments.get("metadata") or message.metadata)
        message.edits += 1
        return {"ok": True, "channel": message.channel, "ts": message.ts, "text": message.text}

    def _delete(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if self._messages.pop(str(arguments.get("ts")), None) is None:
            return _error("message_not_found")
        return {"ok": True, "ts": arguments.get("ts")}

    def _post_ephemeral(self, arguments: dict[str, Any]) -> dict[str, Any]:
        refused = _check(arguments)
        if refused:
            return _error(refused)
        self.ephemerals.append((str(arguments.get("user")), str(arguments.get("text"))))
        return {"ok": True, "message_ts": self._new_ts()}

    def press(self, message: SlackMessage, button: str, **changed: Any) -> bool:
        """Press a button of a message, as the user ada; whether the request was answered in time. `changed` are parts of the request
        that differ: `value`, `channel`, `message_ts`, `at` (seconds), `user`, `envelope_id`."""
        elements = [one for block in message.blocks if block["type"] == "actions" for one in block["elements"]]
        value = next((one["value"] for one in elements if one["action_id"] == button), "")
        user = changed.get("user", "U0ADA")
        payload = {
            "type": "block_actions",
            "user": {"id": user, "username": user.removeprefix("U0").lower(), "team_id": "T0TEST"},
            "container": {
                "type": "message",
                "channel_id": changed.get("channel", message.channel),
                "message_ts": changed.get("message_ts", message.ts),
            },
            "actions": [
                {
                    "type": "button",
                    "block_id": "counterpoise",
                    "action_id": button,
                    "value": changed.get("value", value),
                    "action_ts": f"{changed.get('at', time.time()):.6f}",
                }
            ],
        }
        return self.socket.send(payload, envelope_id=changed.get("envelope_id"))

    def _history(self, arguments: dict[str, Any]) -> dict[str, Any]:
        here = [m for m in self.messages if m.channel == arguments.get("channel")]
        shown = [m for m in here if m.thread_ts is None or m.broadcast]
        return self._page(list(reversed(shown)), arguments)

    def _replies(self, arguments: dict[str, Any]) -> dict[str, Any]:
        ts = str(arguments.get("ts"))
        if ts not in self._messages:
            return _error("thread_not_found")
        return self._page([self._messages[ts], *self.replies(ts)], arguments)

    def _page(self, found: list[SlackMessage], arguments: dict[str, Any]) -> dict[str, Any]:
        oldest = float(arguments.get("oldest") or 0)
        newest = time.time() - self.lag_seconds
        found = [message for message in found if oldest < float(message.ts) <= newest]
        at, limit = int(arguments.get("cursor") or 0), min(self.page_size, int(arguments.get("limit") or 100))
        with_metadata = str(arguments.get("include_all_metadata", "")).lower() in ("1", "true")
        more = at + limit < len(found)
        return {
            "ok": True,
            "messages": [m.as_json(with_metadata=with_metadata) for m in found[at : at + limit]],
            "has_more": more,
            "response_metadata": {"next_cursor": str(at + limit) if more else ""},
        }


def _error(name: str) -> dict[str, Any]:
    return {"ok": False, "error": name}


def _check(arguments: dict[str, Any]) -> str | None:
    """What Slack would refuse."""
    blocks = arguments.get("blocks") or []
    if not arguments.get("text") and not blocks:
        return "no_text"
    if len(str(arguments.get("text", ""))) > 40_000:
        return "msg_too_long"
    if not isinstance(blocks, list) or len(blocks) > 50:
        return "invalid_blocks"
    return next((refused for refused in map(_check_block, blocks) if refused), None)


def _check_block(block: dict[str, Any]) -> str | None:
    kind = block.get("type")
    text = block.get("text") or {}
    length = len(text.get("text", "")) if isinstance(text, dict) else 0
    fields = block.get("fields") or []
    elements = block.get("elements") or []
    bad = (
        kind not in ("header", "section", "context", "divider", "actions")
        or (kind == "header" and not (0 < length <= 150 and text.get("type") == "plain_text"))
        or (kind == "section" and not fields and not 0 < length <= 3_000)
        or len(fields) > 10
        or any(not 0 < len(entry.get("text", "")) <= 2_000 for entry in fields)
        or (kind == "context" and not 0 < len(elements) <= 10)
        or (kind == "actions" and not (0 < len(elements) <= 25 and all(map(_is_button, elements))))
    )
    return "invalid_blocks" if bad else None


def _is_button(element: dict[str, Any]) -> bool:
    text = element.get("text", {})
    return (
        element.get("type") == "button"
        and text.get("type") == "plain_text"
        and 0 < len(text.get("text", "")) <= 75
        and len(element.get("action_id", "")) <= 255
        and len(element.get("value", "")) <= 2_000
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], slack: SlackServer) -> None:
        self.slack = slack
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _serve(self, body: bytes) -> None:
        slack = self.server.slack
        url = urlsplit(self.path)
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        arguments: dict[str, Any] = dict(parse_qsl(url.query))
        if "json" in (self.headers.get("Content-Type") or ""):
            arguments |= json.loads(body or b"{}")
        else:
            arguments |= dict(parse_qsl(body.decode("utf-8", "replace")))
        status, answer, failure = slack.handle(url.path.rpartition("/")[2], arguments, token)
        self.close_connection = True
        if failure in ("drop", "drop_before", "late"):
            self.connection.close()
            return
        if failure == "slow" and slack._closing.wait(slack.slow_seconds):
            return
        payload = b"<html>gateway</html>" if failure == "garbage" else json.dumps(answer).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(payload)))
            self.send_header("Connection", "close")
            if status == 429:
                self.send_header("Retry-After", str(slack.retry_after_seconds))
            self.end_headers()
            self.wfile.write(payload)
        except OSError:
            return  # the caller did not wait

    def log_message(self, *_: Any) -> None:
        """Calls are kept in `calls`."""


def main() -> None:
    """Listen until interrupted, printing each new message."""
    parser = argparse.ArgumentParser(description="A Slack-shaped server on loopback.")
    parser.add_argument("--port", type=int, default=8099)
    slack = SlackServer(parser.parse_args().port).start()
    sys.stdout.write(f"base url {slack.base_url}  token {slack.token}  channel {slack.channels[0]}\n")
    shown = 0
    try:
        while True:
            for message in slack.messages[shown:]:
                sys.stdout.write(f"{message.ts} {'  ' if message.thread_ts else ''}{message.text}\n")
                shown += 1
            sys.stdout.flush()
            time.sleep(0.2)
    except KeyboardInterrupt:
        slack.stop()


if __name__ == "__main__":
    main()
