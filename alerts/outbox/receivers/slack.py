"""Slack through its Web API.

Every post carries its key in `metadata`. slack-sdk's own retries are off: after a dropped connection, or a 500 or 503 that came
after Slack took the message, they would post it twice. What kind of failure it was decides what happens next, in one place here:
surely not taken, perhaps taken (look it up first), or never to be taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from http.client import HTTPException
from typing import Any, Final, TextIO
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from pydantic import SecretStr
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from alerts.outbox.receivers.receiver import AmbiguousError, NotAcceptedError, ReceiverRefusedError
from alerts.outbox.render import Message
from counterpoise.errors import ConfigError, CounterpoiseError
from counterpoise.runtime.probe import Probe
from counterpoise.settings.model import Settings, read_secret

EVENT_TYPE: Final = "counterpoise_alert"
_CLEAR_TEXT: Final = frozenset(("http", host) for host in ("127.0.0.1", "localhost", "::1"))
_PAGE: Final = 200
_MAX_PAGES: Final = 50

_NEVER: Final = frozenset(
    {
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_too_long",
        "msg_blocks_too_long",
        "no_text",
        "too_many_attachments",
        "metadata_too_large",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "metadata_must_be_sent_from_app",
        "edit_window_closed",
        "cant_update_message",
        "cant_delete_message",
        "message_not_found",
        "thread_not_found",
    }
)
_PERHAPS: Final = frozenset({"internal_error", "fatal_error", "request_timeout", "service_unavailable"})
_SETTINGS: Final = frozenset(
    {
        "not_authed",
        "invalid_auth",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "missing_scope",
        "not_allowed_token_type",
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "restricted_action",
        "no_permission",
    }
)


class _DirectClient(WebClient):
    """A client that goes straight to `base_url`, whatever proxy the environment names."""

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        opener = build_opener(ProxyHandler({}), HTTPSHandler(context=self.ssl))
        with opener.open(req, timeout=self.timeout) as answer:
            charset = answer.headers.get_content_charset() or "utf-8"
            return {"status": answer.code, "headers": answer.headers, "body": answer.read().decode(charset)}


class SlackReceiver:
    """One channel. `token` is read at every call, so that a token file may be replaced at any time; it is never printed."""

    name = "slack"

    def __init__(
        self, token: Callable[[], SecretStr], channel: str, *, base_url: str, timeout_seconds: float = 10.0
    ) -> None:
        address = urlsplit(base_url)
        if address.scheme != "https" and (address.scheme, address.hostname) not in _CLEAR_TEXT:
            raise ConfigError(
                f"COUNTERPOISE_SLACK__BASE_URL is {base_url!r}, expected https:// (or http:// on this machine): the token would "
                "travel in the clear"
            )
        self.channel = channel
        self._token = token
        self._base_url = base_url
        self._timeout_seconds = timeout_seconds

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
        if not _may_reach(settings):
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
        return _has_token(settings) and bool(settings.slack.channel) and _may_reach(settings)

    @classmethod
    def probe(cls, settings: Settings) -> Probe | None:
        """Whether a token can be read and a channel is set; Slack itself is not asked."""
        try:
            token = _read_token(settings)
        except CounterpoiseError as error:
            return Probe("problem", str(error))
        channel = settings.slack.channel
        if token is None and channel is None:
            return Probe("skipped", "no token and no channel: alerts go to the console")
        if token is None or channel is None:
            missing = "COUNTERPOISE_SLACK__TOKEN" if token is None else "COUNTERPOISE_SLACK__CHANNEL"
            return Probe("problem", f"{missing} is missing; both a token and a channel are needed")
        return Probe("ok", f"a token is set, channel {channel}; `counterpoise alerts test` posts to it")

    def __repr__(self) -> str:
        return f"SlackReceiver(channel={self.channel!r}, base_url={self._base_url!r})"

    def post(self, message: Message, key: str, *, thread: str | None) -> str:
        """chat.postMessage; in a thread with `reply_broadcast`, so that the channel sees it too."""
        threaded: dict[str, Any] = {"thread_ts": thread, "reply_broadcast": True} if thread else {}
        answer = self._call(
            lambda client: client.chat_postMessage(
                channel=self.channel,
                text=message.text,
                blocks=list(message.blocks),
                metadata=_metadata(key),
                unfurl_links=False,
                unfurl_media=False,
                **threaded,
            )
        )
        return str(answer["ts"])

    def edit(self, message: Message, key: str, message_ts: str) -> None:
        """chat.update."""
        self._call(
            lambda client: client.chat_update(
                channel=self.channel,
                ts=message_ts,
                text=message.text,
                blocks=list(message.blocks),
                metadata=_metadata(key),
            )
        )

    def find(self, key: str, *, since: float, thread: str | None) -> list[str]:
        """conversations.history, or .replies of a thread, with metadata, page by page."""
        found: list[str] = []
        cursor = ""
        for _ in range(_MAX_PAGES):
            asked: dict[str, Any] = {
                "channel": self.channel,
                "oldest": f"{since:.6f}",
                "limit": _PAGE,
                "include_all_metadata": True,
                **({"cursor": cursor} if cursor else {}),
            }
            answer = self._call(partial(_page, thread=thread, asked=asked))
            found += [
                str(m["ts"])
                for m in answer["messages"]
                if m.get("metadata", {}).get("event_type") == EVENT_TYPE
                and m["metadata"].get("event_payload", {}).get("key") == key
            ]
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                break
        return sorted(set(found), key=float)

    def withdraw(self, message_ts: str) -> None:
        """chat.delete; a message that is gone already is as good."""
        try:
            self._call(lambda client: client.chat_delete(channel=self.channel, ts=message_ts))
        except ReceiverRefusedError:
            return

    def check(self) -> str | None:
        """Check the token and the access to the channel's history. ConfigError names what is missing."""
        who = self._call(lambda client: client.auth_test())
        try:
            self._call(
                lambda client: client.conversations_history(channel=self.channel, limit=1, include_all_metadata=True)
            )
        except NotAcceptedError as error:
            raise ConfigError(
                f"{error}: without the scope channels:history (groups:history in a private channel) a post whose answer was lost "
                "cannot be looked up; docs/slack.md shows the app's scopes"
            ) from None
        name = who.get("user") or who.get("bot_id") or "?"
        return f"The token belongs to {name}; the history of channel {self.channel} can be read."

    def _call(self, request: Callable[[WebClient], Any]) -> Any:
        client = _DirectClient(
            token=self._token().get_secret_value(),
            base_url=self._base_url,
            timeout=max(1, round(self._timeout_seconds)),
            retry_handlers=[],
        )
        try:
            return request(client)
        except SlackApiError as error:
            raise _judge(error) from None
        except ConnectionRefusedError as error:
            raise NotAcceptedError(f"Slack at {self._base_url} does not answer: {error.strerror}") from None
        except (OSError, HTTPException, SlackClientError, ValueError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ConnectionRefusedError):
                raise NotAcceptedError(f"Slack at {self._base_url} refuses connections") from None
            raise AmbiguousError(f"Slack at {self._base_url} gave no answer: {type(error).__name__}") from None


def _has_token(settings: Settings) -> bool:
    return settings.slack.token is not None or settings.slack.token_file is not None


def _may_reach(settings: Settings) -> bool:
    return settings.dataset_kind == "live" or settings.alerts.allow_slack_when_not_live


def _read_token(settings: Settings) -> SecretStr | None:
    return read_secret(settings.slack.token, settings.slack.token_file, "COUNTERPOISE_SLACK__TOKEN")


def _page(client: WebClient, *, thread: str | None, asked: dict[str, Any]) -> Any:
    return client.conversations_replies(ts=thread, **asked) if thread else client.conversations_history(**asked)


def _judge(error: SlackApiError) -> NotAcceptedError | AmbiguousError | ReceiverRefusedError:
    status = int(getattr(error.response, "status_code", 0) or 0)
    data = error.response.data if hasattr(error.response, "data") else error.response
    code = str(data.get("error", "")) if isinstance(data, dict) else ""
    if not re.fullmatch(r"[a-z0-9_]+", code):
        code = ""  # not Slack's own words: something stands between, or the answer was cut
    if status == 429 or code in ("ratelimited", "rate_limited", "message_limit_exceeded"):
        headers = {name.lower(): value for name, value in dict(getattr(error.response, "headers", {}) or {}).items()}
        return NotAcceptedError("Slack asks us to slow down", _seconds(headers.get("retry-after")))
    if code in _NEVER:
        return ReceiverRefusedError(f"Slack refuses the message: {code}")
    if code in _SETTINGS:
        return NotAcceptedError(f"Slack answers {code}: check the token, its scopes and the channel (docs/slack.md)")
    if status >= 500 or code in _PERHAPS or not code:
        return AmbiguousError(f"Slack answered {status}{f' {code}' if code else ''}")
    return NotAcceptedError(f"Slack answers {code}")


def _seconds(value: Any) -> float:
    first = value[0] if isinstance(value, list) and value else value
    try:
        return min(3_600.0, max(1.0, float(first)))
    except (TypeError, ValueError):
        return 1.0


def _metadata(key: str) -> dict[str, Any]:
    return {"event_type": EVENT_TYPE, "event_payload": {"key": key}}
