"""Buttons that people press in Slack become rows. Every alerts process listens, at work or standing by.

Slack gives a request to any one connection, and again where it is not answered within three seconds. It is checked and written
first, and answered then: what a kill interrupts comes again, and its id is known if it was written. The alerter at work acts on
the row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event
from typing import Any, Final

import structlog
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from alerts.outbox.receivers.slack import SlackReceiver
from alerts.outbox.receivers.slack_buttons import Pressed, read_pressed
from alerts.outbox.render import Message, note_message, why_message
from alerts.policy import Actions
from alerts.slack_socket import CONCURRENCY, OpenSocket, SlackSocketLoop
from alerts.store.alert_store import AlertStore
from counterpoise.contracts.alerts import ANNOUNCING_STATES
from counterpoise.errors import CounterpoiseError, RetryableError
from counterpoise.runtime.clock import Clock

log = structlog.get_logger(__name__)

ANSWER_SECONDS: Final = 2.5
"""Slack waits for three seconds."""

WRITE_SECONDS: Final = 20.0
"""For this long a request is tried."""

_WRITE_PAUSE_SECONDS: Final = 1.0
_VERDICT_WORDS: Final = {"useful": "useful to you", "noise": "noise to you"}


class SlackActions:
    """`receivers` are those with buttons, by channel: each answers in its own. `open_store` opens a connection for one request."""

    def __init__(
        self,
        open_socket: OpenSocket,
        *,
        receivers: Mapping[str, SlackReceiver],
        open_store: Callable[[], AlertStore],
        clock: Clock,
    ) -> None:
        self._receivers = receivers
        self._open_store = open_store
        self._clock = clock
        self._stop = Event()
        self._writers = ThreadPoolExecutor(CONCURRENCY, "slack-actions")
        self._socket = SlackSocketLoop(open_socket, self._receive, self._stop)

    def start(self) -> None:
        """Connect, now and whenever Slack ends the connection."""
        self._socket.start()

    def stop(self) -> None:
        """End the connection."""
        self._stop.set()
        self._socket.join()
        self._writers.shutdown(wait=False, cancel_futures=True)

    def _receive(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        pressed = (
            read_pressed(request.payload, channels=self._receivers.keys(), now=self._clock.now())
            if request.type == "interactive"
            else None
        )
        if pressed is None:
            _acknowledge(client, request)
            return
        written = self._writers.submit(self._written, pressed)
        wait([written], timeout=ANSWER_SECONDS)
        late = not written.done()
        if late:
            _acknowledge(client, request)
            self._answer(
                pressed, note_message(f"{_not_done(pressed)} yet: the database does not answer. It is tried again.")
            )
        said = self._outcome(written, pressed)
        if not late:
            _acknowledge(client, request)
        self._answer(pressed, said or (note_message("It is stored now.") if late else None))

    def _written(self, pressed: Pressed) -> Message | None:
        """The same as `_act`, tried again while the database does not answer."""
        end = self._clock.monotonic() + WRITE_SECONDS
        while True:
            try:
                return self._act(pressed)
            except RetryableError:
                if self._stop.is_set() or self._clock.monotonic() >= end:
                    raise
                self._stop.wait(_WRITE_PAUSE_SECONDS)

    def _outcome(self, written: Future[Message | None], pressed: Pressed) -> Message | None:
        """What to show once it is written or given up."""
        try:
            return written.result()
        except CounterpoiseError as error:
            log.error("a request of Slack's is not stored", request=pressed.id, reason=str(error))
            return note_message(
                f"{_not_done(pressed)}: the database does not take it now. Press the button again later."
            )

    def _act(self, pressed: Pressed) -> Message | None:
        """Check a request against the rows, write what it requests, and return what to show."""
        store = self._open_store()
        try:
            known = store.actions.read()
            if any(one.id == pressed.id for one in known):
                log.warning("a request of Slack's came again", request=pressed.id)
                return None
            checked = (
                pressed if pressed.refusal else replace(pressed, refusal=_refusal(store, pressed, Actions.of(known)))
            )
            action = checked.action(self._clock.now())
            if action is not None:
                store.actions.write(action)
            if checked.refusal:
                log.warning("a request of Slack's is refused", request=pressed.id, reason=checked.refusal)
                return note_message(f"Not done: {checked.refusal}.")
            if pressed.is_verdict:
                return note_message(f"Stored: the alert is {_VERDICT_WORDS[pressed.button]}.")
            return why(store, pressed.alert_id) if action is None else None
        finally:
            store.ch.close()

    def _answer(self, pressed: Pressed, message: Message | None) -> None:
        """Show a message only to the person who pressed the button. Without it the row is there all the same."""
        receiver = self._receivers.get(pressed.channel)
        if message is None or receiver is None:
            return
        try:
            receiver.whisper(message, pressed.user)
        except CounterpoiseError as error:
            log.warning("cannot answer in Slack", request=pressed.id, receiver=receiver.name, reason=str(error))


def _not_done(pressed: Pressed) -> str:
    return "Not answered" if pressed.button == "why" else "Not stored"


def why(store: AlertStore, alert_id: str) -> Message:
    """Why an alert fires, or cannot be judged, from the first step that shows it."""
    rows = store.events.transitions(alert_id=alert_id)
    return why_message(next((row for row in rows if row.state in ANNOUNCING_STATES), rows[-1]))


def _acknowledge(client: BaseSocketModeClient, request: SocketModeRequest) -> None:
    """Confirm to Slack that a request came. Where the connection is gone it sends the request again."""
    try:
        client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
    except (SlackClientError, OSError) as error:
        log.warning("cannot acknowledge a request of Slack's", reason=type(error).__name__)


def _refusal(store: AlertStore, pressed: Pressed, actions: Actions) -> str:
    """Why a request that fits in itself is not done; empty where it is."""
    rows = store.events.transitions(alert_id=pressed.alert_id)
    sent = store.deliveries.read(alert_id=pressed.alert_id)
    if not rows or not any(d.message_ts == pressed.message_ts and d.channel == pressed.channel for d in sent):
        return "the message is not one of ours for this alert"
    if pressed.button == "why" or pressed.is_verdict:
        return ""
    if rows[-1].state not in ANNOUNCING_STATES:
        return "the alert fires no more"
    first: Any = actions.acknowledgements.get(pressed.alert_id)
    if pressed.button == "acknowledge" and first is not None:
        return f"{first.author or 'somebody'} acknowledged it before"
    return ""
