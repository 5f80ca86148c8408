"""Slack's Socket Mode: buttons that people press become rows. Every alerts process listens, at work or standing by.

Slack gives a request to any one connection. It is answered at once, checked against the rows, and written. The alerter at work acts
on the row.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import structlog
from pydantic import SecretStr
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from alerts.outbox.receivers.slack_buttons import Pressed, read_pressed
from alerts.policy import Actions
from alerts.store.alert_store import AlertStore
from counterpoise.errors import RetryableError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.retry import Backoff, RetryPolicy

log = structlog.get_logger(__name__)

_CONNECT_RETRY: Final = RetryPolicy(1.0, 60.0, jitter=0.2)
_WRITE_TRIES: Final = 5
PING_SECONDS: Final = 5.0
"""Time between two looks whether Slack still answers on the connection."""


class SlackActions:
    """`open_store` opens a connection for one request; `token` and `app_token` are read at every connection."""

    def __init__(
        self,
        make_client: Callable[[SecretStr], WebClient],
        *,
        token: Callable[[], SecretStr],
        app_token: Callable[[], SecretStr],
        channels: Collection[str],
        open_store: Callable[[], AlertStore],
        clock: Clock,
    ) -> None:
        self._make_client = make_client
        self._token, self._app_token = token, app_token
        self._channels = frozenset(channels)
        self._open_store = open_store
        self._clock = clock
        self._stop = threading.Event()
        self._client: SocketModeClient | None = None
        self._thread = threading.Thread(target=self._connect, name="slack-actions", daemon=True)

    def start(self) -> None:
        """Connect, now and whenever Slack ends the connection."""
        self._thread.start()

    def stop(self) -> None:
        """End the connection."""
        self._stop.set()
        self._thread.join(timeout=30.0)
        if self._client is not None:
            self._client.close()

    def _connect(self) -> None:
        backoff = Backoff(_CONNECT_RETRY)
        while not self._stop.is_set():
            client = None
            try:
                app_token = self._app_token()
                client = SocketModeClient(
                    app_token=app_token.get_secret_value(),
                    web_client=self._make_client(app_token),
                    ping_interval=PING_SECONDS,
                    concurrency=2,
                )
                client.socket_mode_request_listeners.append(self._receive)
                client.connect()
                self._client = client
                log.info("listening to Slack's buttons")
                return
            except (SlackApiError, SlackClientError, OSError, ValueError) as error:
                if client is not None:
                    client.close()
                reason = error.response.get("error") if isinstance(error, SlackApiError) else type(error).__name__
                log.warning("cannot listen to Slack's buttons", reason=str(reason))
                self._stop.wait(backoff.next_seconds())

    def _receive(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        if request.type != "interactive":
            return
        pressed = read_pressed(request.payload, channels=self._channels, now=self._clock.now())
        if pressed is None:
            return
        for _ in range(_WRITE_TRIES):
            try:
                said = self._act(pressed)
                break
            except RetryableError:
                self._stop.wait(2.0)
        else:
            said = "Counterpoise cannot store this now. Press the button again later."
        self._answer(pressed, said)

    def _act(self, pressed: Pressed) -> str:
        """Check a request against the rows, write what it requests, and return what to show."""
        store = self._open_store()
        try:
            known = store.actions.read()
            if any(one.id == pressed.id for one in known):
                log.warning("a request of Slack's came again", request=pressed.id)
                return ""
            checked = (
                pressed if pressed.refusal else replace(pressed, refusal=_refusal(store, pressed, Actions.of(known)))
            )
            action = checked.action(self._clock.now())
            if action is not None:
                store.actions.write(action)
            if checked.refusal:
                log.warning("a request of Slack's is refused", request=pressed.id, reason=checked.refusal)
                return f"Not done: {checked.refusal}."
            return why(store, pressed.alert_id) if action is None else ""
        finally:
            store.ch.close()

    def _answer(self, pressed: Pressed, text: str) -> None:
        """Show a text only to the person who pressed the button. Without it the row is there all the same."""
        if not text or pressed.channel not in self._channels:
            return
        with suppress(SlackApiError, SlackClientError, OSError, ValueError):
            self._make_client(self._token()).chat_postEphemeral(channel=pressed.channel, user=pressed.user, text=text)


def why(store: AlertStore, alert_id: str) -> str:
    """Why an alert fires: its value, its condition, and the SQL that reproduces the value."""
    rows = store.events.transitions(alert_id=alert_id)
    fired = next((row for row in rows if row.state == "firing"), rows[-1])
    parts = [fired.summary, f"Rule: {fired.evidence.condition or fired.rule_id}"]
    parts += [f"```{fired.evidence.sql}```"] if fired.evidence.sql else []
    parts += [f"More: `counterpoise rules explain {alert_id}`"]
    return "\n".join(parts)


def _refusal(store: AlertStore, pressed: Pressed, actions: Actions) -> str:
    """Why a request that fits in itself is not done; empty where it is."""
    rows = store.events.transitions(alert_id=pressed.alert_id)
    sent = store.deliveries.read(alert_id=pressed.alert_id)
    if not rows or not any(d.message_ts == pressed.message_ts and d.channel == pressed.channel for d in sent):
        return "the message is not one of ours for this alert"
    if pressed.button == "why":
        return ""
    if rows[-1].state != "firing":
        return "the alert fires no more"
    first: Any = actions.acknowledgements.get(pressed.alert_id)
    if pressed.button == "acknowledge" and first is not None:
        return f"{first.author or 'somebody'} acknowledged it before"
    return ""
