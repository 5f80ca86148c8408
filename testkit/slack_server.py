"""The local Slack workspace with failures: it fails in each way in which Slack fails, when told to."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from engines.local_slack.message import SlackMessage, commanded, pressed
from engines.local_slack.slack_server import LocalSlack, PageAnswer
from engines.local_slack.workspace import error

__all__ = ["APP_TOKEN", "CHANNEL", "TOKEN", "Failure", "SlackMessage", "SlackServer"]

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


@dataclass
class _Plan:
    failure: Failure
    method: str
    left: int


@dataclass
class SlackServer(LocalSlack):
    """`with SlackServer() as slack:`; point `base_url` at it. All methods may be called from any thread."""

    token: str = TOKEN
    app_token: str = APP_TOKEN
    channels: tuple[str, ...] = (CHANNEL,)
    retry_after_seconds: int = 1
    slow_seconds: float = 30.0
    stop_after_pages: int | None = None
    """Every call of the history after this many is answered with 429, and the count begins again."""
    calls: list[str] = field(default_factory=list)
    _plans: list[_Plan] = field(default_factory=list)
    _refused: dict[str, tuple[str, int]] = field(default_factory=dict)
    _late: list[dict[str, Any]] = field(default_factory=list)
    _pages: int = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def fail(self, failure: Failure, *, method: str = "chat.postMessage", times: int = 1) -> None:
        """Make the next `times` calls of a method fail in this way; `*` is every method."""
        with self._changed:
            self._plans.append(_Plan(failure, method, times))

    def refuse(self, code: str, *, method: str = "chat.postMessage", times: int = 1) -> None:
        """Answer the next `times` calls of a method with an error code of Slack's."""
        with self._changed:
            self._refused[method] = (code, times)

    def recover(self) -> None:
        """Drop all failures that are still planned."""
        with self._changed:
            self._plans.clear()
            self._refused.clear()

    def accept_late(self) -> None:
        """Take the posts whose connection was closed by `late`. They have the time of their call."""
        with self._changed:
            for arguments in self._late:
                self._post(arguments)
            self._late.clear()

    def press(self, message: SlackMessage, button: str, **changed: Any) -> bool:
        """Press a button of a message, as the user ada; whether the request was answered in time. `changed` are parts of the request
        that differ: `value`, `channel`, `message_ts`, `at` (seconds), `user`, `envelope_id`."""
        user = changed.get("user", "U0ADA")
        name = user.removeprefix("U0").lower()
        trigger = self.new_trigger(message.channel, user)
        payload = pressed(
            message, button, user_id=user, user_name=name, at=changed.get("at", time.time()), trigger_id=trigger
        )
        container, action = payload["container"], payload["actions"][0]
        container["channel_id"] = changed.get("channel", container["channel_id"])
        container["message_ts"] = changed.get("message_ts", container["message_ts"])
        action["value"] = changed.get("value", action["value"])
        return self.socket.send(payload, envelope_id=changed.get("envelope_id"))

    def command(self, text: str, *, envelope_id: str | None = None, **changed: Any) -> bool:
        """Send `/counterpoise TEXT` as the user ada; whether it was answered in time. `changed` are parts of the payload that
        differ."""
        payload = commanded(text, channel=CHANNEL, user_id="U0ADA", user_name="ada") | changed
        return self.deliver_command(payload, envelope_id=envelope_id)

    def respond(self, method: str, arguments: dict[str, Any], token: str) -> PageAnswer | None:
        """As Slack, or with the failure that is planned."""
        status, answer, failure = self.handle(method, arguments, token)
        if failure in ("drop", "drop_before", "late"):
            return None
        if failure == "slow" and self.closing.wait(self.slow_seconds):
            return None
        payload = b"<html>gateway</html>" if failure == "garbage" else json.dumps(answer).encode()
        headers = {"Retry-After": str(self.retry_after_seconds)} if status == 429 else {}
        return PageAnswer(status, payload, headers=headers)

    def take_file(self, file_id: str, body: bytes) -> PageAnswer | None:
        """As Slack, or with the failure that is planned for the method `upload`."""
        with self._changed:
            self.calls.append("upload")
            failure = self._planned("upload")
        if failure in ("429", "500", "503"):
            return PageAnswer(int(failure), b"")
        answer = None if failure == "drop_before" else super().take_file(file_id, body)
        return None if failure == "drop" else answer

    def handle(self, method: str, arguments: dict[str, Any], token: str) -> tuple[int, dict[str, Any], Failure | None]:
        """(status, answer, failure to act out) of one call."""
        with self._changed:
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
                return 200, error(code), None
            answer = self.answer(method, arguments, token)
            if failure == "503_after":
                return 503, {"ok": False, "error": "service_unavailable"}, failure
            return 200, answer, failure

    def _planned(self, method: str) -> Failure | None:
        for plan in self._plans:
            if plan.left > 0 and plan.method in (method, "*"):
                plan.left -= 1
                return plan.failure
        return None
