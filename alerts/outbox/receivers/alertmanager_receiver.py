"""Prometheus Alertmanager, API v2: an alert is sent while it fires, again every minute, and with its end when it is over.

Every request states how the alert stands by its latest step, so that a repeated or a late one changes nothing. An Alertmanager
resolves an alert at its `endsAt` unless it receives it again; `hold_seconds` is how far ahead that is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

from pydantic import SecretStr

from alerts.outbox.alert_event import AlertEvent, utc_text
from alerts.outbox.receivers.receiver import Ability, PostOnly, may_reach
from alerts.outbox.receivers.receiver_request import check_url, json_of, judge, request
from alerts.outbox.render import Message
from counterpoise.errors import ConfigError, CounterpoiseError
from counterpoise.runtime.clock import Clock, SystemClock
from counterpoise.runtime.probe import Probe
from counterpoise.settings.model import Settings
from counterpoise.settings.section import read_secret
from counterpoise.urls import shown_url

ALERTS_PATH: Final = "/api/v2/alerts"
STATUS_PATH: Final = "/api/v2/status"
TEST_SECONDS: Final = 60.0
_URL: Final = "COUNTERPOISE_ALERTMANAGER__URL"
_TOKEN: Final = "COUNTERPOISE_ALERTMANAGER__TOKEN"  # noqa: S105 - the setting's name


class AlertmanagerReceiver(PostOnly):
    """One Alertmanager. Each member of a cluster is a receiver, as Prometheus does it."""

    kind = name = "alertmanager"
    external = True
    pause_seconds = 0.0
    abilities: frozenset[Ability] = frozenset({"events", "renew"})

    def __init__(
        self,
        url: str,
        *,
        dataset: str,
        clock: Clock,
        token: Callable[[], SecretStr | None] = lambda: None,
        hold_seconds: float = 900.0,
        timeout_seconds: float = 10.0,
    ) -> None:
        self._url = check_url(_URL, url).rstrip("/")
        self._dataset = dataset
        self._clock = clock
        self._token = token
        self._hold_seconds = hold_seconds
        self._timeout_seconds = timeout_seconds

    @property
    def channel(self) -> str:
        """The host; a path may be a secret."""
        return shown_url(self._url, path=False)

    @classmethod
    def from_settings(cls, settings: Settings, stream: TextIO) -> AlertmanagerReceiver:
        """ConfigError where the address is missing, or the dataset may not reach it."""
        found = settings.alertmanager
        if not may_reach(settings):
            raise ConfigError(
                f"dataset {settings.dataset!r} is {settings.dataset_kind}, and only a live one reaches an Alertmanager: set "
                "COUNTERPOISE_ALERTS__ALLOW_SLACK_WHEN_NOT_LIVE=true if you mean it"
            )
        return cls(
            _address(settings),
            dataset=settings.dataset,
            clock=SystemClock(),
            token=lambda: _read_token(settings),
            hold_seconds=found.hold_seconds,
            timeout_seconds=found.timeout_seconds,
        )

    @classmethod
    def is_configured(cls, settings: Settings) -> bool:
        """An address is set, and the dataset may reach it."""
        return settings.alertmanager.url is not None and may_reach(settings)

    @classmethod
    def probe(cls, settings: Settings) -> Probe | None:
        """Whether the address is one and the token can be read. Nothing is sent."""
        if settings.alertmanager.url is None:
            return Probe("skipped", "no address")
        try:
            url, token = _address(settings), _read_token(settings)
        except CounterpoiseError as error:
            return Probe("problem", str(error))
        with_token = "with" if token else "without"
        return Probe(
            "ok", f"{shown_url(url, path=False)}, {with_token} a token; `counterpoise alerts test` sends to it"
        )

    def __repr__(self) -> str:
        return f"AlertmanagerReceiver({self.channel!r})"

    def post(self, message: Message, key: str, *, thread: str | None) -> str:
        """Send how the alert of the message stands. What is about no single alert, such as a state at start, is not sent."""
        now = self._clock.now()
        if message.event is not None:
            self._send([as_alert(message.event, dataset=self._dataset, now=now, hold_seconds=self._hold_seconds)])
        elif key.startswith("test:"):
            self._send([_test_alert(message, self._dataset, now)])
        return key

    def check(self) -> str | None:
        """Ask for its version."""
        answer = request("GET", self._url + STATUS_PATH, None, self._headers(), timeout_seconds=self._timeout_seconds)
        judge(answer, self.channel)
        try:
            version = str(json_of(answer.body)["versionInfo"]["version"])
        except (KeyError, TypeError):
            raise ConfigError(f"{self.channel} is no Alertmanager: its status has no version") from None
        return f"Alertmanager {version} answers at {self.channel}."

    def _send(self, alerts: list[dict[str, Any]]) -> None:
        body = json.dumps(alerts, ensure_ascii=False).encode()
        answer = request("POST", self._url + ALERTS_PATH, body, self._headers(), timeout_seconds=self._timeout_seconds)
        judge(answer, self.channel, reason=_reason(answer.body) if answer.status >= 300 else "")

    def _headers(self) -> dict[str, str]:
        token = self._token()
        headers = {"Content-Type": "application/json", "User-Agent": "counterpoise"}
        return headers | ({"Authorization": f"Bearer {token.get_secret_value()}"} if token else {})


def as_alert(event: AlertEvent, *, dataset: str, now: float, hold_seconds: float) -> dict[str, Any]:
    """An alert as Alertmanager takes it. Its labels are its identity: they stay the same from its first firing to its end.

    `startsAt` is not after `endsAt`, and an end is not in the future: block times may be two hours ahead.
    """
    starts = min(event.fired_at, now)
    ends = now + hold_seconds if event.ended_at is None else max(starts, min(event.ended_at, now))
    step = event.step
    annotations = {
        "title": event.title,
        "summary": event.latest.summary,
        "condition": event.condition,
        "value": "" if step.value is None else f"{step.value:g}",
        "sql": step.evidence.sql,
        **event.notes,
    }
    alert: dict[str, Any] = {
        "labels": labels_for(event.labels, dataset),
        "annotations": {name: text for name, text in annotations.items() if text},
        "startsAt": utc_text(starts),
        "endsAt": utc_text(ends),
    }
    return alert | ({"generatorURL": event.page_url} if event.page_url else {})


def labels_for(labels: Mapping[str, str], dataset: str) -> dict[str, str]:
    """Labels under names that Alertmanager accepts. `alert_id` keeps two alerts of one rule apart.

    >>> labels_for({"rule": "top4-share", "alert": "ab", "on-call": "x"}, "live")
    {'on_call': 'x', 'alertname': 'top4-share', 'alert_id': 'ab', 'dataset': 'live'}
    """
    own = {"rule": "alertname", "alert": "alert_id"}
    found = {re.sub(r"^(?=\d)|[^a-zA-Z0-9_]", "_", name): text for name, text in labels.items() if name not in own}
    return found | {named: labels[name] for name, named in own.items() if name in labels} | {"dataset": dataset}


def _test_alert(message: Message, dataset: str, now: float) -> dict[str, Any]:
    return {
        "labels": {"alertname": "CounterpoiseTest", "dataset": dataset},
        "annotations": {"summary": message.text},
        "startsAt": utc_text(now),
        "endsAt": utc_text(now + TEST_SECONDS),
    }


def _address(settings: Settings) -> str:
    found = settings.alertmanager
    if found.url is None:
        raise ConfigError(f"an Alertmanager has no address: set {_URL} (docs/alerts.md)")
    has_token = found.token is not None or found.token_file is not None
    return check_url(_URL, found.url, clear_text="the token would travel in the clear" if has_token else None)


def _read_token(settings: Settings) -> SecretStr | None:
    return read_secret(settings.alertmanager.token, settings.alertmanager.token_file, _TOKEN)


def _reason(body: bytes) -> str:
    """What a refusal has for a reason: a JSON text, or an object with a `message`."""
    found = json_of(body)
    return str(found.get("message", "")) if isinstance(found, dict) else found if isinstance(found, str) else ""
