"""The routes of the channel's page: the page, its changes as server-sent events, pressed buttons, script and style."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Final
from urllib.parse import parse_qs

from counterpoise.urls import split_url
from engines.local_slack.channel_page import Entry, entry_markup, whole_page
from engines.local_slack.files import SlackFile
from engines.local_slack.message import SlackMessage
from engines.local_slack.workspace import Workspace

MAX_ENTRIES: Final = 200
"""The newest messages that the page shows."""

KEEP_ALIVE_SECONDS: Final = 15.0
POLICY: Final = (
    "default-src 'none'; base-uri 'none'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; img-src data:; "
    "script-src 'self'; style-src 'self'"
)
"""No third-party code, no inline script or style, no frame around the page."""

_STATIC: Final = {"channel.js": "text/javascript", "channel.css": "text/css"}


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """An answer in full."""

    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


def text_answer(status: int, words: str) -> PageAnswer:
    """A sentence."""
    return PageAnswer(status, f"{words}\n".encode(), "text/plain; charset=utf-8")


class PageRoutes:
    """The page of one channel for one person. It answers under `/KEY/` alone."""

    def __init__(
        self, workspace: Workspace, *, key: str, channel_id: str, channel_name: str, user_id: str, user_name: str
    ) -> None:
        self._workspace = workspace
        self._key = key.encode()
        self._channel_id, self._channel_name = channel_id, channel_name
        self._user_id, self._user_name = user_id, user_name

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> PageAnswer | Iterator[bytes]:
        """The answer to a request, or the pieces of a stream. `headers` have lower-case names."""
        url = split_url(target)
        key, _, route = url.path.removeprefix("/").partition("/")
        if not hmac.compare_digest(key.encode(), self._key):
            return text_answer(404, "The channel's page opens at the address that was printed, with its key.")
        if method == "POST" and route == "press":
            return self._press(headers, body)
        if method == "POST" and route == "command":
            return self._command(headers, body)
        if method == "POST" and route == "submit":
            return self._submit(headers, body)
        if method != "GET":
            return text_answer(405, "The page answers GET.")
        if route == "":
            return self._page()
        if route == "events":
            given = parse_qs(url.query).get("after", [""])[0]
            return self._events(int(given) if given.isdecimal() and len(given) < 16 else 0)
        folder, _, name = route.partition("/")
        if folder == "static" and name in _STATIC:
            text = files("engines.local_slack").joinpath("static", name).read_bytes()
            return PageAnswer(200, text, f"{_STATIC[name]}; charset=utf-8", _headers())
        return text_answer(404, "There is no such page.")

    def _page(self) -> PageAnswer:
        sequence = self._workspace.sequence  # first: what changes while the page is drawn comes as an event too
        page = whole_page(self._channel_name, self._entries(), sequence)
        return PageAnswer(200, page.encode(), "text/html; charset=utf-8", _headers())

    def _events(self, after: int) -> Iterator[bytes]:
        """The entries that changed, and the order of all that there are."""
        workspace = self._workspace
        seen = after if after <= workspace.sequence else 0
        yield b"retry: 1000\n\n"
        while not workspace.closing.is_set():
            newest = workspace.wait_changed(seen, KEEP_ALIVE_SECONDS)
            if newest == seen:
                yield b": here\n\n"
                continue
            entries = self._entries()
            changed = [(one.message.ts, entry_markup(one)) for one in entries if one.message.changed > seen]
            shown = {"order": [one.message.ts for one in entries], "changed": changed}
            seen = newest
            yield f"event: channel\ndata: {json.dumps(shown)}\n\n".encode()

    def _entries(self) -> list[Entry]:
        workspace, here = self._workspace, self._channel_id
        threads: dict[str, list[SlackMessage]] = {}
        messages = [one for one in workspace.messages if one.channel == here]
        for one in messages:
            threads.setdefault(one.thread_ts or "", []).append(one)
        pictures: dict[str, list[SlackFile]] = {}
        for file in workspace.uploads.shown:
            pictures.setdefault(file.thread_ts, []).append(file)
        entries = [
            Entry(one, tuple(threads.get(one.ts, ())), tuple(pictures.get(one.ts, ())))
            for one in messages
            if one.thread_ts is None
        ]
        entries += [Entry(one) for one in workspace.whispers if one.user == self._user_id and one.channel == here]
        return sorted(entries, key=lambda entry: float(entry.message.ts))[-MAX_ENTRIES:]

    def _press(self, headers: dict[str, str], body: bytes) -> PageAnswer:
        if not _same_origin(headers):
            return text_answer(403, "This request came from another page.")
        given = parse_qs(body.decode("utf-8", "replace"))
        ts, button = given.get("ts", [""])[0], given.get("button", [""])[0]
        workspace = self._workspace
        trouble = ""
        if not workspace.socket.connections:
            trouble = "No app listens to the buttons: start the alerter, and press again."
        else:
            try:
                if not workspace.press_button(ts, button, user_id=self._user_id, user_name=self._user_name):
                    trouble = "The app did not answer within three seconds."
            except KeyError:
                trouble = "This button is gone: the message has changed."
        if trouble:
            workspace.whisper(self._channel_id, self._user_id, trouble)
        return PageAnswer(303, b"", headers={"Location": "./"})

    def _command(self, headers: dict[str, str], body: bytes) -> PageAnswer:
        if not _same_origin(headers):
            return text_answer(403, "This request came from another page.")
        text = parse_qs(body.decode("utf-8", "replace")).get("text", [""])[0]
        workspace = self._workspace
        trouble = ""
        if not workspace.socket.connections:
            trouble = "No app listens to the command: start the alerter, and send it again."
        elif not workspace.send_command(
            text, channel=self._channel_id, user_id=self._user_id, user_name=self._user_name
        ):
            trouble = "The app did not answer within three seconds."
        if trouble:
            workspace.whisper(self._channel_id, self._user_id, trouble)
        return PageAnswer(303, b"", headers={"Location": "./"})

    def _submit(self, headers: dict[str, str], body: bytes) -> PageAnswer:
        if not _same_origin(headers):
            return text_answer(403, "This request came from another page.")
        given = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        workspace, view_id = self._workspace, given.pop("window", "")
        trouble = ""
        try:
            if "cancel" in given:
                workspace.close_window(view_id)
            elif not workspace.submit_window(view_id, given, user_id=self._user_id, user_name=self._user_name):
                trouble = "The app did not answer within three seconds."
        except KeyError:
            trouble = "This window is closed already."
        if trouble:
            workspace.whisper(self._channel_id, self._user_id, trouble)
        return PageAnswer(303, b"", headers={"Location": "./"})


def _same_origin(headers: dict[str, str]) -> bool:
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site == "same-origin"
    return origin is not None and split_url(origin).netloc == headers.get("host") != ""


def _headers() -> dict[str, str]:
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
