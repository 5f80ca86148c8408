"""What people ask for in Slack, by buttons and the slash command. Every alerts process listens, at work or standing by.

Slack gives a request to any one connection, and again where it is not answered within three seconds. It is checked and written
first, and answered then: what a kill interrupts comes again, and its id is known if it was written. Where the database takes longer,
the person reads that it is not stored yet, and reads later what became of it. The alerter at work acts on the row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event
from typing import Any, Final

import structlog
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from alerts.outbox.receivers.reason_window import read_submission, reason_window
from alerts.outbox.receivers.slack_buttons import WITH_REASON, Pressed, read_pressed
from alerts.outbox.receivers.slack_receiver import SlackReceiver
from alerts.outbox.receivers.slash_command import Command, read_command
from alerts.outbox.render import Message, note_message
from alerts.people.slack_commands import carry_out
from alerts.people.slack_presses import press
from alerts.people.slack_socket import CONCURRENCY, OpenSocket, SlackSocketLoop
from alerts.rules.rule import Rule
from alerts.store.alert_store import AlertStore
from counterpoise.errors import CounterpoiseError, RetryableError
from counterpoise.runtime.clock import Clock

log = structlog.get_logger(__name__)

ANSWER_SECONDS: Final = 2.5
"""Slack waits for three seconds."""

WRITE_SECONDS: Final = 20.0
"""For this long a request is tried."""

_WRITE_PAUSE_SECONDS: Final = 1.0

Request = Pressed | Command


class SlackActions:
    """`receivers` are those with buttons, by channel: each answers in its own. `open_store` opens a connection for one request.
    `rules` gives the rules as they are now."""

    def __init__(
        self,
        open_socket: OpenSocket,
        *,
        receivers: Mapping[str, SlackReceiver],
        open_store: Callable[[], AlertStore],
        rules: Callable[[], Sequence[Rule]],
        clock: Clock,
    ) -> None:
        self._receivers = receivers
        self._open_store = open_store
        self._rules = rules
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
        asked = self._read(request)
        if asked is None:
            _acknowledge(client, request)
            return
        if isinstance(asked, Pressed) and asked.button == WITH_REASON and not asked.refusal:
            self._reply(client, request, asked, self._open_window(asked))
            return
        done = self._writers.submit(self._tried, asked)
        wait([done], timeout=ANSWER_SECONDS)
        late = not done.done()
        if late:
            waits = f"{asked.not_done} yet: the database does not answer. It is tried again."
            self._reply(client, request, asked, note_message(waits))
        said = self._outcome(done, asked)
        if late:
            self._answer(asked, said or note_message("It is stored now."))
        else:
            self._reply(client, request, asked, said)

    def _read(self, request: SocketModeRequest) -> Request | None:
        """What a request asks for; None where it is about nothing of ours."""
        if request.type == "interactive":
            channels, now = self._receivers.keys(), self._clock.now()
            pressed = read_pressed(request.payload, channels=channels, now=now)
            return pressed or read_submission(request.payload, channels=channels, now=now)
        if request.type == "slash_commands":
            return read_command(request.payload, request.envelope_id, channels=self._receivers.keys())
        return None

    def _open_window(self, pressed: Pressed) -> Message | None:
        """Ask the person for a reason. The rows are read once it is submitted: Slack's trigger does not wait for them."""
        try:
            self._receivers[pressed.channel].open_window(pressed.trigger_id, reason_window(pressed))
        except CounterpoiseError as error:
            log.warning("cannot open a window in Slack", request=pressed.id, reason=str(error))
            return note_message("The window did not open. Press the button again.")
        return None

    def _tried(self, asked: Request) -> Message | None:
        """The same as `_act`, tried again while the database does not answer."""
        end = self._clock.monotonic() + WRITE_SECONDS
        while True:
            try:
                return self._act(asked)
            except RetryableError:
                if self._stop.is_set() or self._clock.monotonic() >= end:
                    raise
                self._stop.wait(_WRITE_PAUSE_SECONDS)

    def _act(self, asked: Request) -> Message | None:
        store, now = self._open_store(), self._clock.now()
        try:
            if isinstance(asked, Pressed):
                return press(store, asked, self._rules(), now)
            return carry_out(store, asked, self._rules(), now)
        finally:
            store.ch.close()

    def _outcome(self, done: Future[Message | None], asked: Request) -> Message | None:
        """What to show once it is done or given up."""
        try:
            return done.result()
        except CounterpoiseError as error:
            log.error("a request of Slack's is not stored", request=asked.id, reason=str(error))
            return note_message(f"{asked.not_done}: the database does not take it now. {asked.again}")
        except Exception:
            log.exception("a request of Slack's failed", request=asked.id)  # the person must not wait for nothing
            return note_message(f"{asked.not_done}: an error in Counterpoise. Its log has the details.")

    def _reply(
        self, client: BaseSocketModeClient, request: SocketModeRequest, asked: Request, message: Message | None
    ) -> None:
        """Confirm to Slack that a request came, and answer it: a command's answer is part of the confirmation."""
        in_it = isinstance(asked, Command) and request.accepts_response_payload and message is not None
        _acknowledge(client, request, message if in_it else None)
        if not in_it:
            self._answer(asked, message)

    def _answer(self, asked: Request, message: Message | None) -> None:
        """Show a message only to the person who asked. Without it the row is there all the same."""
        receiver = self._receivers.get(asked.channel)
        if message is None or receiver is None:
            return
        try:
            receiver.whisper(message, asked.user)
        except CounterpoiseError as error:
            log.warning("cannot answer in Slack", request=asked.id, receiver=receiver.name, reason=str(error))


def _acknowledge(client: BaseSocketModeClient, request: SocketModeRequest, message: Message | None = None) -> None:
    """Confirm to Slack that a request came, with the message for the person. Where the connection is gone it sends it again."""
    payload: dict[str, Any] | None = None
    if message is not None:
        payload = {"response_type": "ephemeral", "text": message.text, "blocks": list(message.blocks)}
    try:
        client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id, payload=payload))
    except (SlackClientError, OSError) as error:
        log.warning("cannot acknowledge a request of Slack's", reason=type(error).__name__)
