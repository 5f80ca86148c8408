"""Slack through its Web API.

Every post carries its key in `metadata`. slack-sdk's own retries are off: after a dropped connection, or a 500 or 503 that came
after Slack took the message, they would post it twice. `slack_errors` states what an error means.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from typing import Any, Final, TextIO

from pydantic import SecretStr
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from alerts.outbox.alert_chart import Picture
from alerts.outbox.receivers import slack_files
from alerts.outbox.receivers.receiver import (
    Ability,
    AmbiguousError,
    NotAcceptedError,
    ReceiverRefusedError,
    UnknownAnswerError,
    may_reach,
)
from alerts.outbox.receivers.receiver_request import check_url
from alerts.outbox.receivers.slack_client import slack_client
from alerts.outbox.receivers.slack_errors import Call, judge
from alerts.outbox.render import Message
from counterpoise.errors import ConfigError, CounterpoiseError
from counterpoise.runtime.probe import Probe
from counterpoise.settings.model import Settings
from counterpoise.settings.section import read_secret
from counterpoise.urls import is_local, shown_url, split_url

EVENT_TYPE: Final = "counterpoise_alert"
_BASE_URL: Final = "COUNTERPOISE_SLACK__BASE_URL"
_CLEAR_TEXT: Final = "the token would travel in the clear"
WINDOW_SECONDS: Final = 2.0
_PAGE: Final = 200
_MAX_PAGES: Final = 50
_TS: Final = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}")


@dataclass(slots=True)
class _Pages:
    """How far a search has come: pages read, the next page's cursor, and what was found."""

    read: int = 0
    cursor: str = ""
    found: set[str] = field(default_factory=set)


class SlackReceiver:
    """One channel. `token` is read at every call, so that a token file may be replaced at any time; it is never printed."""

    kind = name = "slack"
    external = True
    abilities: frozenset[Ability] = frozenset({"edit", "thread", "find"})

    def __init__(
        self, token: Callable[[], SecretStr], channel: str, *, base_url: str, timeout_seconds: float = 10.0
    ) -> None:
        self.channel = channel
        self._token = token
        self._base_url = check_url(_BASE_URL, base_url, clear_text=_CLEAR_TEXT)
        self._shown = shown_url(base_url, path=False)
        # Slack takes a message a second for each channel. A workspace on this machine has no such limit.
        self.pause_seconds = 0.0 if is_local(split_url(base_url).hostname or "") else 1.0
        self._timeout_seconds = timeout_seconds
        self._pages: dict[tuple[str, str | None], _Pages] = {}

    @classmethod
    def from_settings(cls, settings: Settings, stream: TextIO) -> SlackReceiver:
        """ConfigError where token, channel or the right to reach Slack is missing, or the token's file cannot be read."""
        slack = settings.slack
        if not _has_token(settings):
            raise ConfigError(
                "COUNTERPOISE_ALERTS__NOTIFIER is slack, but there is no token: set COUNTERPOISE_SLACK__TOKEN_FILE to a file that "
                "holds the bot token (docs/slack.md)"
            )
        if not slack.channel:
            raise ConfigError(
                "COUNTERPOISE_ALERTS__NOTIFIER is slack, but there is no channel: set COUNTERPOISE_SLACK__CHANNEL to the channel's "
                "id, such as C0123456789 (docs/slack.md)"
            )
        if not may_reach(settings):
            raise ConfigError(
                f"dataset {settings.dataset!r} is {settings.dataset_kind}, and only a live one reaches Slack: set "
                "COUNTERPOISE_ALERTS__ALLOW_SLACK_WHEN_NOT_LIVE=true if you mean it"
            )

        def token() -> SecretStr:
            found = _read_token(settings)
            return found if found is not None else SecretStr("")

        token()  # a file that cannot be read is said at the start
        return cls(token, slack.channel, base_url=slack.base_url, timeout_seconds=slack.timeout_seconds)

    @classmethod
    def is_configured(cls, settings: Settings) -> bool:
        """A token and a channel are set, and the dataset may reach Slack."""
        return _has_token(settings) and bool(settings.slack.channel) and may_reach(settings)

    @classmethod
    def probe(cls, settings: Settings) -> Probe | None:
        """Whether a token can be read and a channel is set; Slack itself is not asked."""
        try:
            token = _read_token(settings)
            buttons = "with buttons" if has_buttons(settings) and read_app_token(settings) else "without buttons"
        except CounterpoiseError as error:
            return Probe("problem", str(error))
        channel = settings.slack.channel
        if token is None and channel is None:
            return Probe("skipped", "no token and no channel: alerts go to the console")
        if token is None or channel is None:
            missing = "COUNTERPOISE_SLACK__TOKEN" if token is None else "COUNTERPOISE_SLACK__CHANNEL"
            return Probe("problem", f"{missing} is missing; both a token and a channel are needed")
        return Probe("ok", f"a token is set, channel {channel}, {buttons}; `counterpoise alerts test` posts to it")

    def __repr__(self) -> str:
        return f"SlackReceiver(channel={self.channel!r}, base_url={self._shown!r})"

    def post(self, message: Message, key: str, *, thread: str | None) -> str:
        """chat.postMessage; in a thread with `reply_broadcast`, so that the channel sees it too."""
        threaded: dict[str, Any] = {"thread_ts": thread, "reply_broadcast": True} if thread else {}
        answer = self._call(
            "reply" if thread else "post",
            lambda client: client.chat_postMessage(
                channel=self.channel,
                text=message.text,
                blocks=list(message.blocks),
                metadata=_metadata(key),
                unfurl_links=False,
                unfurl_media=False,
                **threaded,
            ),
        )
        if not is_ts(answer.get("ts")):
            raise AmbiguousError(f"Slack at {self._shown} accepted a message and did not name it")
        return str(answer["ts"])

    def edit(self, message: Message, key: str, message_ts: str) -> None:
        """chat.update."""
        self._call(
            "edit",
            lambda client: client.chat_update(
                channel=self.channel,
                ts=message_ts,
                text=message.text,
                blocks=list(message.blocks),
                metadata=_metadata(key),
            ),
        )

    def find(self, key: str, *, since: float, thread: str | None) -> list[str]:
        """conversations.history, or .replies of a thread, with metadata, page by page.

        Where Slack stops us in the middle, the next call for the same key continues at that page. Some apps get one page a
        minute: a search that began anew each time would never end.
        """
        pages = self._pages.setdefault((key, thread), _Pages())
        while pages.read < _MAX_PAGES:
            asked: dict[str, Any] = {
                "channel": self.channel,
                "oldest": f"{since:.6f}",
                "limit": _PAGE,
                "include_all_metadata": True,
                **({"cursor": pages.cursor} if pages.cursor else {}),
            }
            try:
                answer = self._call("read", partial(_page, thread=thread, asked=asked))
            except UnknownAnswerError as error:
                if "invalid_cursor" in str(error) and pages.cursor:
                    pages.read, pages.cursor = 0, ""  # it was too old: from the first page on
                    pages.found.clear()
                    continue
                raise
            except ReceiverRefusedError:
                del self._pages[key, thread]
                raise
            pages.found.update(messages_of(key, answer.get("messages")))
            pages.read += 1
            pages.cursor = str(_mapping(answer.get("response_metadata")).get("next_cursor") or "")
            if not pages.cursor:
                break
        del self._pages[key, thread]
        return sorted(pages.found, key=float)

    def upload(self, picture: Picture) -> str:
        """files.getUploadURLExternal and the upload: the picture is not visible yet."""
        return slack_files.upload(self._ask_for_picture, picture)

    def show(self, picture_id: str, picture: Picture, *, thread: str) -> None:
        """files.completeUploadExternal: the picture appears in the thread."""
        slack_files.show(self._ask_for_picture, picture_id, picture, channel=self.channel, thread=thread)

    def _ask_for_picture(self, request: Callable[[WebClient], Any]) -> Any:
        return self._call("picture", request, timeout_seconds=min(self._timeout_seconds, slack_files.UPLOAD_SECONDS))

    def withdraw(self, message_ts: str) -> None:
        """chat.delete; a message that is gone already is as good."""
        try:
            self._call("withdraw", lambda client: client.chat_delete(channel=self.channel, ts=message_ts))
        except ReceiverRefusedError:
            return

    def check(self) -> str | None:
        """Check the token and the access to the channel's history. ConfigError names what is missing."""
        who = self._call("read", lambda client: client.auth_test())
        try:
            self._call(
                "read",
                lambda client: client.conversations_history(channel=self.channel, limit=1, include_all_metadata=True),
            )
        except NotAcceptedError as error:
            raise ConfigError(
                f"{error}: without the scope channels:history (groups:history in a private channel) a post whose answer was lost "
                "cannot be looked up; docs/slack.md shows the app's scopes"
            ) from None
        name = who.get("user") or who.get("bot_id") or "?"
        scopes = str(who.headers.get("x-oauth-scopes") or "")
        no_pictures = scopes and "files:write" not in scopes.replace(" ", "").split(",")
        return f"The token belongs to {name}; the history of channel {self.channel} can be read." + (
            " Alerts have no pictures: the scope files:write is missing." if no_pictures else ""
        )

    def whisper(self, message: Message, user: str) -> None:
        """chat.postEphemeral: show a message to one person of the channel."""
        self._call(
            "post",
            lambda client: client.chat_postEphemeral(
                channel=self.channel, user=user, text=message.text, blocks=list(message.blocks)
            ),
        )

    def open_window(self, trigger_id: str, view: dict[str, Any]) -> None:
        """views.open, within the three seconds for which Slack takes the trigger."""
        self._call(
            "post", lambda client: client.views_open(trigger_id=trigger_id, view=view), timeout_seconds=WINDOW_SECONDS
        )

    def _call(self, call: Call, request: Callable[[WebClient], Any], *, timeout_seconds: float | None = None) -> Any:
        seconds = timeout_seconds or self._timeout_seconds
        client = slack_client(self._token(), base_url=self._base_url, timeout_seconds=seconds)
        try:
            return request(client)
        except SlackApiError as error:
            raise judge(error, call) from None
        # The last one: nested so deep that our reading of the answer just passed, and that of slack-sdk did not.
        except (OSError, HTTPException, SlackClientError, ValueError, RecursionError) as error:
            raise AmbiguousError(f"Slack at {self._shown} gave no answer: {type(error).__name__}") from None


def _has_token(settings: Settings) -> bool:
    return settings.slack.token is not None or settings.slack.token_file is not None


def has_buttons(settings: Settings) -> bool:
    """Whether an app-level token is set, so that people can press buttons."""
    return settings.slack.app_token is not None or settings.slack.app_token_file is not None


def socket_client(settings: Settings, token: SecretStr) -> WebClient:
    """A client of the Web API for Socket Mode, straight to the base URL as every call is."""
    slack = settings.slack
    base_url = check_url(_BASE_URL, slack.base_url, clear_text=_CLEAR_TEXT)
    return slack_client(token, base_url=base_url, timeout_seconds=slack.timeout_seconds)


def read_app_token(settings: Settings) -> SecretStr:
    """The app-level token; ConfigError where its file cannot be read or there is none."""
    slack = settings.slack
    token = read_secret(slack.app_token, slack.app_token_file, "COUNTERPOISE_SLACK__APP_TOKEN")
    if token is None:
        raise ConfigError("buttons need an app-level token: set COUNTERPOISE_SLACK__APP_TOKEN_FILE (docs/slack.md)")
    return token


def _read_token(settings: Settings) -> SecretStr | None:
    return read_secret(settings.slack.token, settings.slack.token_file, "COUNTERPOISE_SLACK__TOKEN")


def _page(client: WebClient, *, thread: str | None, asked: dict[str, Any]) -> Any:
    return client.conversations_replies(ts=thread, **asked) if thread else client.conversations_history(**asked)


def is_ts(value: object) -> bool:
    """Whether it names a message: seconds and a number."""
    return isinstance(value, str) and _TS.fullmatch(value) is not None


def messages_of(key: str, messages: object) -> list[str]:
    """The messages of a page of history that carry this key. AmbiguousError for what is no such page.

    >>> messages_of("a", [{"ts": "1.2", "metadata": {"event_type": EVENT_TYPE, "event_payload": {"key": "a"}}}, {"metadata": None}])
    ['1.2']
    """
    if not isinstance(messages, list):
        raise AmbiguousError("Slack's answer has no list of messages")
    found = []
    for one in map(_mapping, messages):
        metadata = _mapping(one.get("metadata"))
        ours = metadata.get("event_type") == EVENT_TYPE and _mapping(metadata.get("event_payload")).get("key") == key
        if ours and is_ts(one.get("ts")):
            found.append(str(one["ts"]))
    return found


def _mapping(value: object) -> dict[str, Any]:
    """A JSON object; an empty one where it is anything else."""
    return value if isinstance(value, dict) else {}


def _metadata(key: str) -> dict[str, Any]:
    return {"event_type": EVENT_TYPE, "event_payload": {"key": key}}
