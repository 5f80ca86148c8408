"""The listener to Slack's buttons, against the Slack-shaped server and rows in memory: no press is lost without a word, and no
failure turns the buttons off."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import BadStatusLine
from pathlib import Path
from typing import Any, cast, get_args

import pytest
import structlog
from pydantic import SecretStr

from alerts.outbox.receivers.slack_receiver import SlackReceiver, read_app_token, socket_client
from alerts.outbox.render import MessageContext, note_message, transition_message
from alerts.people import slack_actions, slack_socket
from alerts.people.slack_actions import SlackActions
from alerts.people.slack_socket import Receive, SocketConnection, open_connection
from alerts.policy import Action
from alerts.store.alert_store import AlertStore
from alerts.store.delivery import Delivery
from counterpoise.contracts.alert_transition import AlertState, AlertTransition
from counterpoise.errors import ConfigError, CounterpoiseError, RetryableError
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.retry import RetryPolicy
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.alert_sections import SlackSettings
from engines.local_slack import socket_mode as stand_in
from testkit.slack_server import CHANNEL, TOKEN, SlackMessage, SlackServer
from tests.unit.alerts.events import ALERT, FIRED, step
from tests.waiting import wait_for


@pytest.fixture(autouse=True)
def _is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_socket, "_CONNECT_RETRY", RetryPolicy(0.05, 0.1))
    monkeypatch.setattr(slack_socket, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(slack_socket, "PING_SECONDS", 0.5)
    monkeypatch.setattr(slack_actions, "_WRITE_PAUSE_SECONDS", 0.05)


class Killed(BaseException):
    """The process ends here."""


@dataclass
class MemoryStore:
    """The rows of one alert and of its message. `on_write` happens before a row is written."""

    ts: str = ""
    fired: AlertTransition = FIRED
    rows: dict[str, Action] = field(default_factory=dict)
    on_write: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.actions = self.events = self.deliveries = self.ch = self

    def read(self, alert_id: str | None = None) -> list[Any]:
        if alert_id is None:
            return list(self.rows.values())
        return [Delivery(ALERT, 1, "slack", "post", "sent", CHANNEL, self.ts)]

    def told_in(self, channel: str, alert_ids: Sequence[str]) -> set[str]:
        return set(alert_ids) if channel == CHANNEL else set()

    def transitions(self, *, alert_id: str, limit: int = 1, newest_first: bool = False) -> list[AlertTransition]:
        return [self.fired]

    def read_current(self, now: float) -> list[Action]:
        return [row for row in self.rows.values() if row.kind != "refused"]

    def find(self, action_id: str) -> Action | None:
        return self.rows.get(action_id)

    def alerts_of(self, beginning: str, *, limit: int) -> list[str]:
        return [ALERT][:limit] if ALERT.startswith(beginning) else []

    def write(self, action: Action) -> None:
        self.on_write()
        self.rows[action.id] = action

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Office:
    """A Slack with one alert's message, its rows and the listener."""

    slack: SlackServer
    store: MemoryStore
    token_file: Path
    receiver: SlackReceiver
    message: SlackMessage
    listener: SlackActions

    def press(self, button: str = "acknowledge", at: float | None = None) -> bool:
        wait_for(lambda: self.slack.socket.connections, "it listens")
        changed = {} if at is None else {"at": at}
        return self.slack.press(self.message, button, value=ALERT, **changed)

    def command(self, text: str, **changed: Any) -> bool:
        wait_for(lambda: self.slack.socket.connections, "it listens")
        return self.slack.command(text, **changed)

    def told(self, text: str) -> None:
        wait_for(lambda: any(text in said for _, said in self.slack.ephemerals), text, lambda: self.slack.ephemerals)


@contextmanager
def an_office(tmp_path: Path, open_first: Callable[[Receive], SocketConnection] | None = None) -> Iterator[Office]:
    """`open_first` is tried in place of the first connection."""
    with SlackServer() as slack:
        token_file = tmp_path / "app-token"
        token_file.write_text(slack.app_token)
        settings = Settings(slack=SlackSettings(app_token_file=token_file, base_url=slack.base_url))
        receiver = SlackReceiver(lambda: SecretStr(TOKEN), CHANNEL, base_url=slack.base_url)
        store = MemoryStore(receiver.post(note_message("alert"), "a:0:post", thread=None))
        firsts = [open_first] if open_first else []
        connect = partial(
            open_connection, app_token=partial(read_app_token, settings), make_client=partial(socket_client, settings)
        )
        listener = SlackActions(
            lambda receive: firsts.pop()(receive) if firsts else connect(receive),
            receivers={CHANNEL: receiver},
            open_store=lambda: cast(AlertStore, store),
            rules=lambda: (),
            clock=SystemClock(),
        )
        listener.start()
        try:
            yield Office(slack, store, token_file, receiver, slack.roots[0], listener)
        finally:
            store.on_write = lambda: None
            listener.stop()


# A press is written before Slack's request is answered.


def test_a_press_that_a_kill_interrupts_comes_again_and_is_stored_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_in, "ANSWER_SECONDS", 0.5)
    at = SystemClock().now()

    def dies() -> None:
        raise Killed

    with an_office(tmp_path) as office:
        office.store.on_write = dies
        assert not office.press(at=at), "Slack sends it again"
        assert office.store.rows == {}
        monkeypatch.setattr(stand_in, "ANSWER_SECONDS", 3.0)
        office.store.on_write = lambda: None
        assert office.press(at=at)
        assert office.press(at=at)
        assert [row.kind for row in office.store.rows.values()] == ["acknowledge"]
        assert office.slack.ephemerals == []


def test_what_is_slow_is_said_and_what_becomes_of_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_actions, "ANSWER_SECONDS", 0.1)
    written = threading.Event()

    def waits() -> None:
        written.wait()

    with an_office(tmp_path) as office:
        office.store.on_write = waits
        assert office.press(), "Slack has its answer in time"
        office.told("Not stored yet")
        assert office.store.rows == {}
        written.set()
        office.told("It is stored now.")
        assert len(office.store.rows) == 1


@pytest.mark.parametrize("error", [ConfigError("user alerts has no grant INSERT"), RetryableError("refused")])
def test_what_cannot_be_stored_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: CounterpoiseError
) -> None:
    monkeypatch.setattr(slack_actions, "WRITE_SECONDS", 0.0)

    def fails() -> None:
        raise error

    with an_office(tmp_path) as office:
        office.store.on_write = fails
        assert office.press()
        office.told("Not stored: ")
        assert "grant" not in str(office.slack.ephemerals), "the reason is for the log"


# The answer goes through the receiver of the channel.


def test_the_answer_uses_the_token_of_its_receiver_and_a_failed_one_is_logged(tmp_path: Path) -> None:
    with an_office(tmp_path) as office, structlog.testing.capture_logs() as lines:
        assert office.press("why")
        office.told("Four pools hold most")
        office.slack.refuse("user_not_in_channel", method="chat.postEphemeral")
        assert office.press("why")
        wait_for(lambda: any(line["event"] == "cannot answer in Slack" for line in lines), "it is logged")
        assert "user_not_in_channel" in str(lines) and TOKEN not in str(lines)


def test_why_shows_what_comes_from_outside_as_text(tmp_path: Path) -> None:
    evidence = FIRED.evidence.model_copy(
        update={"sql": "SELECT 1 < 2 -- ``` <!channel> <https://x|click>", "condition": "<!here> over 75 %"}
    )
    with an_office(tmp_path) as office:
        office.store.fired = step(
            "firing", 1, 1_700_000_000, summary="<https://x|click>" + "<" * 980, evidence=evidence
        )
        assert office.press("why")
        office.told("&lt;https://x|click&gt;")
        [(_, said)] = office.slack.ephemerals
        assert "<" not in said and len(said) <= 4_000
        office.store.fired = step("firing", 1, 1_700_000_000, summary="short", evidence=evidence)
        assert office.press("why")
        office.told("SELECT 1 &lt; 2 -- ''' &lt;!channel&gt;")
        assert office.slack.ephemerals[-1][1].count("```") == 2


def test_each_alert_that_is_announced_can_be_acknowledged(tmp_path: Path) -> None:
    with an_office(tmp_path) as office:
        for state in get_args(AlertState):
            announced = state in ("firing", "error")
            office.store.fired = step(state, 1, 1_700_000_000, summary="the query fails")
            with_buttons = any(block["type"] == "actions" for block in shown(office.store.fired))
            assert with_buttons == announced
            office.store.rows.clear()
            assert office.press("acknowledge"), state
            wait_for(lambda: office.store.rows, "it is stored")
            [row] = office.store.rows.values()
            assert (row.kind == "acknowledge") == announced, row


def shown(transition: AlertTransition) -> list[dict[str, Any]]:
    """The blocks of an alert's message."""
    return list(transition_message(transition, MessageContext("A title", "a condition", "d", buttons=True)).blocks)


# A command is answered in the confirmation, and only to the person.


def test_a_command_is_answered_without_a_call_of_the_web_api(tmp_path: Path) -> None:
    with an_office(tmp_path) as office:
        office.slack.calls.clear()
        assert office.command(f"why {ALERT[:4]}")
        office.told("Four pools hold most")
        assert office.command(f"silence {ALERT[:4]} 4h known", envelope_id="e1")
        assert office.command(f"silence {ALERT[:4]} 4h known", envelope_id="e1")
        assert [row.kind for row in office.store.rows.values()] == ["silence"]
        texts = [text for _, text in office.slack.ephemerals]
        assert texts[1] == texts[2] != texts[0]
        assert "chat.postEphemeral" not in office.slack.calls


def test_a_window_asks_for_a_reason_and_one_that_does_not_open_says_so(tmp_path: Path) -> None:
    with an_office(tmp_path) as office, structlog.testing.capture_logs() as lines:
        slack = office.slack
        slack.refuse("expired_trigger_id", method="views.open")
        assert office.press("reason")
        office.told("The window did not open.")
        assert "expired_trigger_id" in str(lines) and TOKEN not in str(lines)
        assert office.press("reason")
        [window] = slack.windows
        assert office.store.rows == {}
        values = {"choice": "silence-4h", "reason": "known"}
        assert slack.submit_window(window, values, user_id="U0ADA", user_name="ada")
        [row] = office.store.rows.values()
        assert (row.kind, row.reason, row.author) == ("silence", "known", "ada")
        assert slack.windows == {}


def test_a_command_that_is_slow_or_fails_says_so_and_the_next_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = threading.Event()

    def waits() -> None:
        written.wait()

    def fails() -> None:
        raise RetryableError("refused")

    def breaks() -> None:
        raise ZeroDivisionError("xoxb-secret")

    with an_office(tmp_path) as office, structlog.testing.capture_logs() as lines:
        monkeypatch.setattr(slack_actions, "ANSWER_SECONDS", 0.1)
        office.store.on_write = waits
        assert office.command(f"silence {ALERT} 4h"), "Slack has its answer in time"
        office.told("Not stored yet")
        written.set()
        office.told("is silenced until")
        monkeypatch.setattr(slack_actions, "ANSWER_SECONDS", 2.5)
        monkeypatch.setattr(slack_actions, "WRITE_SECONDS", 0.0)
        office.store.on_write = fails
        assert office.command(f"silence {ALERT} 4h")
        office.told("Send the command again later.")
        office.store.on_write = breaks
        assert office.command(f"silence {ALERT} 4h")
        office.told("Not stored: an error in Counterpoise.")
        assert office.press("acknowledge")
        office.told("Not stored: an error in Counterpoise.")
        office.store.on_write = lambda: None
        assert office.command(f"silence {ALERT} 4h a <secret> reason")
        assert len(office.store.rows) == 2
        assert "xoxb-secret" not in str(office.slack.ephemerals)
        assert "secret" not in str([line["event"] for line in lines]) and "<secret>" not in str(lines)


def test_no_payload_of_a_command_ends_the_listener(tmp_path: Path) -> None:
    hostile: list[dict[str, Any]] = [
        {"text": None},
        {"text": "silence " + "a" * 100_000},
        {"text": "silence abab 4h \ud800\x00<!channel>"},
        {"user_name": {"a": []}},
        {"command": ["/counterpoise"]},
        {"channel_id": 7},
    ]
    with an_office(tmp_path) as office:
        for changed in hostile:
            payload = {"command": "/counterpoise", "text": "top5", "channel_id": CHANNEL, "user_id": "U0ADA"} | changed
            wait_for(lambda: office.slack.socket.connections, "it listens")
            assert office.slack.deliver_command(payload), changed
        assert office.press("acknowledge")
        assert [row.kind for row in office.store.rows.values()] == ["silence", "refused", "acknowledge"]


# The connection comes again.


def test_buttons_work_again_after_a_new_token_a_closed_socket_and_an_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with an_office(tmp_path) as office, structlog.testing.capture_logs() as lines:
        slack = office.slack

        def refused(times: int) -> None:
            wait_for(
                lambda: [line["event"] for line in lines].count("cannot listen to Slack's buttons") >= times, "tries"
            )

        def listens() -> bool:
            return any("listening" in line["event"] for line in lines)

        assert office.press()
        slack.socket.drop()
        assert office.press("silence-4h")
        slack.app_token = "xapp-the-next-one"
        slack.socket.drop()
        refused(1)
        office.token_file.unlink()
        lines.clear()
        refused(2)
        assert "APP_TOKEN" in str(lines)
        office.token_file.write_text(slack.app_token)
        assert office.press("silence-24h")
        wait_for(listens, "the line that says so, which may come after the press")
        lines.clear()
        slack.stop()
        refused(2)
        assert not listens()
        slack.start()
        assert office.press("why")
        assert len(office.store.rows) == 3
        assert "xapp" not in str(lines)


def test_slack_asks_for_another_connection(tmp_path: Path) -> None:
    with an_office(tmp_path) as office:
        assert office.press()
        office.slack.app_token = "xapp-the-next-one"
        office.token_file.write_text(office.slack.app_token)
        [before] = office.slack.socket._connections
        before.send('{"type": "disconnect", "reason": "refresh_requested"}')
        wait_for(lambda: before not in office.slack.socket._connections, "the old one ends")
        assert office.press("silence-4h")


def test_a_connection_without_a_socket_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with an_office(tmp_path) as office, structlog.testing.capture_logs() as lines:
        wait_for(lambda: lines, "it listens")
        lines.clear()
        monkeypatch.setattr(type(office.slack.socket), "open", lambda _: "ws://127.0.0.1:9/link/?ticket=a")
        office.slack.socket.drop()
        wait_for(lambda: len(lines) >= 2, "it tries")
        assert {line["event"] for line in lines} == {"cannot listen to Slack's buttons"}
        monkeypatch.undo()
        assert office.press()


@pytest.mark.parametrize(
    "error", [ConfigError("no file"), BadStatusLine(""), OSError(), KeyError("url"), RetryableError("")]
)
def test_no_failure_ends_the_listener(tmp_path: Path, error: Exception) -> None:
    def fails(_: Receive) -> SocketConnection:
        raise error

    with an_office(tmp_path, fails) as office:
        assert office.press()
