"""A signed webhook: each step of an alert as JSON in a POST.

The signature is HMAC-SHA256 over the time stamp, a dot and the body. A message that is sent again has the same event id.
docs/alerts.md shows how a receiver verifies both.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any, Final, TextIO

from pydantic import SecretStr

from alerts.outbox.alert_event import FORMAT_VERSION
from alerts.outbox.receivers.receiver import Ability, PostOnly, may_reach
from alerts.outbox.receivers.receiver_request import check_url, judge, request
from alerts.outbox.render import Message
from counterpoise.errors import ConfigError, CounterpoiseError
from counterpoise.runtime.clock import Clock, SystemClock
from counterpoise.runtime.probe import Probe
from counterpoise.settings.model import Settings
from counterpoise.settings.section import read_secret
from counterpoise.urls import shown_url

SIGNATURE_HEADER: Final = "Counterpoise-Signature"
EVENT_HEADER: Final = "Counterpoise-Event-Id"
MIN_SECRET_CHARACTERS: Final = 16
_URL: Final = "COUNTERPOISE_WEBHOOK__URL"
_SECRET: Final = "COUNTERPOISE_WEBHOOK__SECRET"  # noqa: S105 - the setting's name
_CLEAR_TEXT: Final = "the alerts would travel in the clear"


class WebhookReceiver(PostOnly):
    """One address. `secret` is read at every request, so that its file may be replaced at any time."""

    kind = name = "webhook"
    external = True
    pause_seconds = 0.0
    abilities: frozenset[Ability] = frozenset({"events"})

    def __init__(
        self,
        secret: Callable[[], SecretStr],
        url: str,
        *,
        dataset: str,
        clock: Clock,
        timeout_seconds: float = 10.0,
    ) -> None:
        self._dataset = dataset
        self._url = check_url(_URL, url, clear_text=_CLEAR_TEXT)
        self._secret = secret
        self._clock = clock
        self._timeout_seconds = timeout_seconds

    @property
    def channel(self) -> str:
        """The host; path and query may be secrets."""
        return shown_url(self._url, path=False)

    @classmethod
    def from_settings(cls, settings: Settings, stream: TextIO) -> WebhookReceiver:
        """ConfigError where the address or the secret is missing, or the dataset may not reach it."""
        if settings.webhook.url is None:
            raise ConfigError(f"a webhook has no address: set {_URL} (docs/alerts.md)")
        if not may_reach(settings):
            raise ConfigError(
                f"dataset {settings.dataset!r} is {settings.dataset_kind}, and only a live one reaches a webhook: set "
                "COUNTERPOISE_ALERTS__ALLOW_SLACK_WHEN_NOT_LIVE=true if you mean it"
            )
        _read_secret(settings)
        return cls(
            lambda: _read_secret(settings),
            settings.webhook.url,
            dataset=settings.dataset,
            clock=SystemClock(),
            timeout_seconds=settings.webhook.timeout_seconds,
        )

    @classmethod
    def is_configured(cls, settings: Settings) -> bool:
        """An address and a secret are set, and the dataset may reach it."""
        webhook = settings.webhook
        return webhook.url is not None and bool(webhook.secret or webhook.secret_file) and may_reach(settings)

    @classmethod
    def probe(cls, settings: Settings) -> Probe | None:
        """Whether the address is one and the secret can be read. Nothing is sent."""
        webhook = settings.webhook
        if webhook.url is None and webhook.secret is None and webhook.secret_file is None:
            return Probe("skipped", "no address")
        try:
            if webhook.url is None:
                raise ConfigError(f"{_URL} is missing")
            check_url(_URL, webhook.url, clear_text=_CLEAR_TEXT)
            _read_secret(settings)
        except CounterpoiseError as error:
            return Probe("problem", str(error))
        return Probe(
            "ok", f"{shown_url(webhook.url, path=False)}, with a secret; `counterpoise alerts test` sends to it"
        )

    def __repr__(self) -> str:
        return f"WebhookReceiver({self.channel!r})"

    def post(self, message: Message, key: str, *, thread: str | None) -> str:
        """Send it; the key is its event id."""
        body = json.dumps(body_of(message, key, self._dataset), ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "counterpoise",
            EVENT_HEADER: key,
            SIGNATURE_HEADER: signature(self._secret(), int(self._clock.now()), body),
        }
        judge(request("POST", self._url, body, headers, timeout_seconds=self._timeout_seconds), self.channel)
        return key


def body_of(message: Message, key: str, dataset: str) -> dict[str, Any]:
    """The JSON of a message. `type` is the event's, or the key's last part, or its first for a test."""
    event, (first, _, last) = message.event, key.rpartition(":")
    return {
        "version": FORMAT_VERSION,
        "id": key,
        "type": event.kind if event else first if first == "test" else last,
        "dataset": dataset,
        "text": message.line,
        "alert": event.as_json() if event else None,
    }


def signature(secret: SecretStr, timestamp: int, body: bytes) -> str:
    """The header `t=SECONDS,v1=HEX` for a body that is sent at that time."""
    signed = f"{timestamp}.".encode() + body
    digest = hmac.new(secret.get_secret_value().encode(), signed, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def _read_secret(settings: Settings) -> SecretStr:
    secret = read_secret(settings.webhook.secret, settings.webhook.secret_file, _SECRET)
    if secret is None:
        raise ConfigError(
            f"a webhook has no secret: set {_SECRET}_FILE to a file with at least {MIN_SECRET_CHARACTERS} characters"
        )
    if len(secret.get_secret_value()) < MIN_SECRET_CHARACTERS:
        raise ConfigError(f"the secret of {_SECRET} is too short, expected at least {MIN_SECRET_CHARACTERS} characters")
    return secret
