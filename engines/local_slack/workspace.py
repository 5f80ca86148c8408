"""The workspace: its messages, threads, metadata and edits, and the methods of Slack's Web API that Counterpoise calls.

It checks what Slack checks: token, channel, block limits.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from engines.local_slack.files import Uploads
from engines.local_slack.message import SlackMessage, commanded, pressed, refusal
from engines.local_slack.socket_mode import SocketMode
from engines.local_slack.window import TRIGGER_SECONDS, is_refused, submitted

NO_CHANNEL: Final = ("auth.test", "files.getUploadURLExternal", "files.completeUploadExternal", "views.open")
"""Methods without the argument `channel`."""


@dataclass
class Workspace:
    """One team with some channels and one app. All methods may be called from any thread."""

    token: str = field(repr=False)
    app_token: str = field(repr=False)
    channels: tuple[str, ...]
    page_size: int = 999
    """Messages that one call of the history gives at most."""
    lag_seconds: float = 0.0
    """For this long after a post the history does not show it."""
    socket: SocketMode = field(default_factory=SocketMode)
    closing: threading.Event = field(default_factory=threading.Event)
    """Set while nothing listens: who waits for a change waits no longer."""
    uploads: Uploads = field(default_factory=Uploads)
    _messages: dict[str, SlackMessage] = field(default_factory=dict)
    _whispers: list[SlackMessage] = field(default_factory=list)
    _triggers: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    """Trigger → channel, person, and the end of its time."""
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _sequence: int = 0
    _last_micros: int = 0

    @property
    def origin(self) -> str:
        """Where files are uploaded: scheme, host and port."""
        return ""

    @property
    def messages(self) -> list[SlackMessage]:
        """Everything that is visible, oldest first, replies among it."""
        with self._changed:
            return sorted(self._messages.values(), key=lambda m: float(m.ts))

    @property
    def roots(self) -> list[SlackMessage]:
        """What stands in the channel itself, without replies."""
        return [message for message in self.messages if message.thread_ts is None]

    @property
    def whispers(self) -> list[SlackMessage]:
        """What only one person sees, oldest first."""
        with self._changed:
            return list(self._whispers)

    @property
    def ephemerals(self) -> list[tuple[str, str]]:
        """(user, text) of what only one person sees."""
        return [(one.user or "", one.text) for one in self.whispers]

    @property
    def sequence(self) -> int:
        """The number of changes so far."""
        return self._sequence

    def replies(self, ts: str) -> list[SlackMessage]:
        """The thread under a message."""
        return [message for message in self.messages if message.thread_ts == ts]

    def delete(self, ts: str) -> None:
        """What a person in the channel may do to any message."""
        with self._changed:
            self._touch(self._messages.pop(ts))

    def wait_changed(self, seen: int, seconds: float) -> int:
        """The number of changes, once it is another than `seen` or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._sequence != seen or self.closing.is_set(), seconds)
            return self._sequence

    def end_waits(self) -> None:
        """Let everybody go who waits for a change."""
        self.closing.set()
        with self._changed:
            self._changed.notify_all()

    def press_button(self, ts: str, button: str, *, user_id: str, user_name: str) -> bool:
        """Press a button that a message has now; whether the app answered in time. KeyError without such a message or button."""
        with self._changed:
            message = self._messages[ts]
        if all(one["action_id"] != button for one in message.buttons()):
            raise KeyError(button)
        trigger = self.new_trigger(message.channel, user_id)
        payload = pressed(message, button, user_id=user_id, user_name=user_name, at=time.time(), trigger_id=trigger)
        return self.socket.send(payload)

    def new_trigger(self, channel: str, user: str) -> str:
        """What lets the app open a window for this person now."""
        trigger = secrets.token_hex(8)
        with self._changed:
            self._triggers[trigger] = channel, user, time.monotonic() + TRIGGER_SECONDS
        return trigger

    @property
    def windows(self) -> dict[str, dict[str, Any]]:
        """Those that are open: id → content."""
        return {
            block["id"]: block["view"] for one in self.whispers for block in one.blocks if block["type"] == "window"
        }

    def close_window(self, view_id: str) -> None:
        """Take it away. KeyError where it is not open."""
        with self._changed:
            found = next((one for one in self._whispers if any(b.get("id") == view_id for b in one.blocks)), None)
            if found is None:
                raise KeyError(view_id)
            self._whispers.remove(found)
            self._touch(found)

    def submit_window(self, view_id: str, values: dict[str, str], *, user_id: str, user_name: str) -> bool:
        """Submit it; whether the app answered in time, which closes it. KeyError where it is not open."""
        payload = submitted(view_id, self.windows[view_id], values, user_id=user_id, user_name=user_name)
        if not self.socket.send(payload):
            return False
        self.close_window(view_id)
        return True

    def send_command(self, text: str, *, channel: str, user_id: str, user_name: str) -> bool:
        """Send `/counterpoise TEXT`, and show the answer to the person alone; whether the app answered in time."""
        return self.deliver_command(commanded(text, channel=channel, user_id=user_id, user_name=user_name))

    def deliver_command(self, payload: dict[str, Any], *, envelope_id: str | None = None) -> bool:
        """The same for a payload."""
        answer = self.socket.request("slash_commands", payload, envelope_id=envelope_id)
        if answer and not refusal(answer):
            blocks = list(answer.get("blocks") or [])
            self.whisper(str(payload["channel_id"]), str(payload["user_id"]), str(answer.get("text", "")), blocks)
        return answer is not None

    def whisper(self, channel: str, user: str, text: str, blocks: list[dict[str, Any]] | None = None) -> SlackMessage:
        """Show a message to one person alone."""
        with self._changed:
            message = SlackMessage(self._new_ts(), channel, text, blocks or [], {}, user=user)
            self._whispers.append(message)
            self._touch(message)
            return message

    def answer(self, method: str, arguments: dict[str, Any], token: str) -> dict[str, Any]:
        """The answer of one call of the Web API."""
        if method == "apps.connections.open":
            return {"ok": True, "url": self.socket.open()} if token == self.app_token else error("invalid_auth")
        if token != self.token:
            return error("invalid_auth" if token else "not_authed")
        methods: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "auth.test": lambda _: {"ok": True, "user": "counterpoise", "bot_id": "B0LOCAL"},
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "chat.postEphemeral": self._post_ephemeral,
            "files.getUploadURLExternal": lambda given: self.uploads.get_upload_url(given, self.origin),
            "files.completeUploadExternal": self._complete_upload,
            "views.open": self._open_window,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
        }
        found = methods.get(method)
        if found is None:
            return error("unknown_method")
        if method not in NO_CHANNEL and arguments.get("channel") not in self.channels:
            return error("channel_not_found")
        with self._changed:
            return found(arguments)

    def _touch(self, message: SlackMessage) -> None:
        """Number a change of a message and of the message whose thread it is in."""
        self._sequence += 1
        message.changed = self._sequence
        root = self._messages.get(message.thread_ts or "")
        if root is not None:
            root.changed = self._sequence
        self._changed.notify_all()

    def _new_ts(self) -> str:
        self._last_micros = max(self._last_micros + 1, int(time.time() * 1_000_000))
        return f"{self._last_micros // 1_000_000}.{self._last_micros % 1_000_000:06d}"

    def _post(self, arguments: dict[str, Any]) -> dict[str, Any]:
        refused = refusal(arguments)
        if refused:
            return error(refused)
        thread = arguments.get("thread_ts")
        if thread and thread not in self._messages:
            return error("thread_not_found")
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
        self._touch(message)
        return {"ok": True, "channel": message.channel, "ts": ts, "message": message.as_json(with_metadata=True)}

    def _update(self, arguments: dict[str, Any]) -> dict[str, Any]:
        message = self._messages.get(str(arguments.get("ts")))
        if message is None:
            return error("message_not_found")
        refused = refusal(arguments)
        if refused:
            return error(refused)
        message.text = str(arguments.get("text", message.text))
        message.blocks = list(arguments.get("blocks") or [])
        message.metadata = dict(arguments.get("metadata") or message.metadata)
        message.edits += 1
        self._touch(message)
        return {"ok": True, "channel": message.channel, "ts": message.ts, "text": message.text}

    def _delete(self, arguments: dict[str, Any]) -> dict[str, Any]:
        message = self._messages.pop(str(arguments.get("ts")), None)
        if message is None:
            return error("message_not_found")
        self._touch(message)
        return {"ok": True, "ts": arguments.get("ts")}

    def _post_ephemeral(self, arguments: dict[str, Any]) -> dict[str, Any]:
        refused = refusal(arguments)
        if refused:
            return error(refused)
        blocks = list(arguments.get("blocks") or [])
        message = self.whisper(
            str(arguments["channel"]), str(arguments.get("user")), str(arguments.get("text")), blocks
        )
        return {"ok": True, "message_ts": message.ts}

    def _open_window(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel, user, end = self._triggers.pop(str(arguments.get("trigger_id")), ("", "", 0.0))
        if time.monotonic() >= end:
            return error("expired_trigger_id")
        view = arguments.get("view")
        if not isinstance(view, dict) or is_refused(view):
            return error("invalid_arguments")
        block = {"type": "window", "id": f"V{secrets.token_hex(6)}", "view": view}
        self.whisper(channel, user, str(view["title"]["text"]), [block])
        return {"ok": True, "view": {"id": block["id"]} | view}

    def _complete_upload(self, arguments: dict[str, Any]) -> dict[str, Any]:
        answer = self.uploads.complete(arguments, self.channels, frozenset(self._messages))
        root = self._messages.get(str(arguments.get("thread_ts")))
        if answer["ok"] and root is not None:
            self._touch(root)
        return answer

    def _history(self, arguments: dict[str, Any]) -> dict[str, Any]:
        here = [m for m in self.messages if m.channel == arguments.get("channel")]
        shown = [m for m in here if m.thread_ts is None or m.broadcast]
        return self._page(list(reversed(shown)), arguments)

    def _replies(self, arguments: dict[str, Any]) -> dict[str, Any]:
        ts = str(arguments.get("ts"))
        if ts not in self._messages:
            return error("thread_not_found")
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


def error(name: str) -> dict[str, Any]:
    """Slack's answer to a call that is not done."""
    return {"ok": False, "error": name}
