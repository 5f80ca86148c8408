"""Slack's Socket Mode: one connection at a time, kept by us.

slack-sdk reconnects with the token of its start, without pauses, and hides why it cannot. Each connection here is made anew: with
the token as it is then, and with pauses that grow. Where Slack announces an end, the next one is made before it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from typing import Any, Final

import structlog
from pydantic import SecretStr
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from alerts.outbox.receivers.slack_errors import judge
from counterpoise.errors import CounterpoiseError
from counterpoise.runtime.retry import Backoff, RetryPolicy

log = structlog.get_logger(__name__)

CONCURRENCY: Final = 8
"""Requests that are worked on at once."""

PING_SECONDS: Final = 5.0
"""Time between two looks whether Slack still answers on the connection."""

LOOK_SECONDS: Final = 0.5
HELLO_SECONDS: Final = 10.0
"""Slack greets on a connection that is ready."""

_CONNECT_RETRY: Final = RetryPolicy(1.0, 60.0, jitter=0.2)
_STEADY_SECONDS: Final = 60.0
"""A connection that lasted so long ended as Slack's do; the next one needs no pause."""

Receive = Callable[[BaseSocketModeClient, SocketModeRequest], None]


class SocketConnection(SocketModeClient):
    """One WebSocket. It is not replaced by itself: `ends` is set where Slack asks for another one."""

    def __init__(self, web_client: WebClient, app_token: SecretStr, address: str, receive: Receive) -> None:
        super().__init__(
            app_token=app_token.get_secret_value(),
            web_client=web_client,
            auto_reconnect_enabled=False,
            ping_interval=PING_SECONDS,
            concurrency=CONCURRENCY,
        )
        self.wss_uri = address
        self.proxy = None  # its own look at the environment found one
        self.greeted, self.ends = threading.Event(), threading.Event()
        self.message_listeners.append(self._hear)
        self.socket_mode_request_listeners.append(receive)

    @property
    def is_steady(self) -> bool:
        """Whether it is open and Slack has not asked for another one."""
        return self.is_connected() and not self.ends.is_set()

    def connect_to_new_endpoint(self, force: bool = False) -> None:
        """Slack asks for another connection."""
        self.ends.set()

    def close(self) -> None:
        """End it at once: without this the SDK waits for its reader, which waits for Slack."""
        self.current_session_state.terminated = True
        sock = self.current_session.sock if self.current_session is not None else None
        if sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        super().close()

    def _hear(self, client: BaseSocketModeClient, message: dict[str, Any], raw: str | None = None) -> None:
        if message.get("type") == "hello":
            self.greeted.set()


OpenSocket = Callable[[Receive], SocketConnection]


def open_connection(
    receive: Receive, *, app_token: Callable[[], SecretStr], make_client: Callable[[SecretStr], WebClient]
) -> SocketConnection:
    """A connection on which Slack has greeted. The token is read for it."""
    token = app_token()
    web_client = make_client(token)
    try:
        answer = web_client.apps_connections_open(app_token=token.get_secret_value())
    except SlackApiError as error:
        raise judge(error, "read") from None
    connection = SocketConnection(web_client, token, str(answer["url"]), receive)
    try:
        connection.connect()  # what goes wrong here is not raised
        if not connection.is_connected():
            raise ConnectionError("no WebSocket")
        if not connection.greeted.wait(HELLO_SECONDS):
            raise ConnectionError("no greeting")
    except BaseException:
        connection.close()
        raise
    return connection


class SlackSocketLoop:
    """The thread that keeps a connection until `stop` is set."""

    def __init__(self, open_socket: OpenSocket, receive: Receive, stop: threading.Event) -> None:
        self._open, self._receive, self._stop = open_socket, receive, stop
        self._asked_seconds = 0.0
        """The pause that Slack asked for with its last refusal."""
        self._thread = threading.Thread(target=self._run, name="slack-socket", daemon=True)

    def start(self) -> None:
        """Set off."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the connection's end, once `stop` is set."""
        if self._thread.is_alive():
            self._thread.join(timeout=30.0)

    def _run(self) -> None:
        backoff = Backoff(_CONNECT_RETRY)
        before: SocketConnection | None = None
        while not self._stop.is_set():
            connection = self._connected()
            if before is not None:
                before.close()
            before = connection
            began = time.monotonic()
            while connection is not None and connection.is_steady and not self._stop.is_set():
                self._stop.wait(LOOK_SECONDS)
            if connection is not None and time.monotonic() - began >= _STEADY_SECONDS:
                backoff.reset()
            else:
                self._stop.wait(max(backoff.next_seconds(), self._asked_seconds))
        if before is not None:
            before.close()

    def _connected(self) -> SocketConnection | None:
        """A connection; None where there is none now, which is logged."""
        self._asked_seconds = 0.0
        try:
            connection = self._open(self._receive)
        except (CounterpoiseError, SlackClientError, HTTPException, OSError, ValueError) as error:
            reason = str(error) if isinstance(error, (CounterpoiseError, ConnectionError)) else type(error).__name__
            self._asked_seconds = getattr(error, "retry_after_seconds", None) or 0.0
            log.warning("cannot listen to Slack's buttons", reason=reason)
        except Exception:
            log.exception(
                "cannot listen to Slack's buttons"
            )  # buttons are not off because of a fault that nobody foresaw
        else:
            log.info("listening to Slack's buttons")
            return connection
        return None
