"""Socket Mode of the local workspace: it gives a request to any one connection and waits for its answer, as Slack does."""

from __future__ import annotations

import json
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.server import Server, ServerConnection, serve

ANSWER_SECONDS = 3.0


@dataclass(slots=True)
class SocketMode:
    """WebSocket connections on another port than the API's. A connection needs a ticket, which is valid once."""

    tickets: set[str] = field(default_factory=set)
    _connections: list[ServerConnection] = field(default_factory=list)
    _answered: dict[str, threading.Event] = field(default_factory=dict)
    _answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    _server: Server | None = None

    def open(self) -> str:
        """The address for one connection."""
        if self._server is None:
            self._server = serve(self._serve, "127.0.0.1", 0)
            threading.Thread(target=self._server.serve_forever, name="local-slack-socket", daemon=True).start()
        ticket = secrets.token_hex(8)
        self.tickets.add(ticket)
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/link/?ticket={ticket}"

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    def send(self, payload: dict[str, Any], *, envelope_id: str | None = None) -> bool:
        """Give the request of a button to one connection; whether it was answered within three seconds."""
        return self.request("interactive", payload, envelope_id=envelope_id) is not None

    def request(self, kind: str, payload: dict[str, Any], *, envelope_id: str | None = None) -> dict[str, Any] | None:
        """Give a request to one connection; the payload of its answer, empty where it has none. None without an answer within three
        seconds, and without a connection."""
        envelope = envelope_id or secrets.token_hex(8)
        answered = self._answered.setdefault(envelope, threading.Event())
        answered.clear()
        self._answers.pop(envelope, None)
        message = {"type": kind, "envelope_id": envelope, "accepts_response_payload": True, "payload": payload}
        connection = next(iter(self._connections), None)
        if connection is None:
            return None
        try:
            connection.send(json.dumps(message))
        except (WebSocketException, OSError):
            return None
        return self._answers.pop(envelope, {}) if answered.wait(ANSWER_SECONDS) else None

    def drop(self) -> None:
        """End every connection; the clients come again."""
        ended, self._connections = self._connections, []
        for connection in ended:
            connection.close()

    def stop(self) -> None:
        """End every connection and refuse further ones."""
        self.drop()
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _serve(self, connection: ServerConnection) -> None:
        path = connection.request.path if connection.request else ""
        ticket = path.partition("ticket=")[2]
        if ticket not in self.tickets:
            connection.close(1008, "invalid ticket")
            return
        self.tickets.discard(ticket)
        self._connections.append(connection)
        # A client that sends no JSON object is not understood: its connection ends.
        with suppress(WebSocketException, OSError, ValueError, AttributeError, TypeError):
            connection.send(json.dumps({"type": "hello", "num_connections": len(self._connections)}))
            for text in connection:
                answer = json.loads(text)
                envelope, payload = str(answer.get("envelope_id", "")), answer.get("payload")
                if envelope in self._answered:
                    self._answers[envelope] = payload if isinstance(payload, dict) else {}
                    self._answered[envelope].set()
        with suppress(ValueError):
            self._connections.remove(connection)
