"""Settings of the alerter, its receivers and its routes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from counterpoise.settings.section import PluginName, Seconds, SettingsSection


def _channel_id(text: str) -> str:
    if not re.fullmatch(r"[A-Z0-9]+", text, re.ASCII):
        raise ValueError(
            f"{text[:80]!r} is a channel's name or link: expected its id, such as C0123ABCD (in Slack, at the end of the channel's "
            "details)"
        )
    return text


ChannelId = Annotated[str, AfterValidator(_channel_id)]


class SlackSettings(SettingsSection):
    """Slack's Web API: a bot token with chat:write and channels:history (metadata look-up), and the channel's id."""

    token: SecretStr | None = None
    """The bot token. Prefer a file."""
    token_file: Path | None = None
    """File with the secret."""
    app_token: SecretStr | None = None
    """App-level token (xapp-…) with connections:write. With it messages have buttons. Prefer a file."""
    app_token_file: Path | None = None
    """File with the app-level token."""
    channel: ChannelId | None = None
    """The id of the channel (C…), not its name."""
    base_url: str = Field(default="https://slack.com/api/", repr=False)
    """URL of Slack's API. Change it for tests."""
    timeout_seconds: Seconds = 10.0
    """Timeout of one answer."""


class WebhookSettings(SettingsSection):
    """The webhook that receives alerts as signed JSON."""

    url: str | None = Field(default=None, repr=False)
    """Address of the POST; https, or http on this machine."""
    secret: SecretStr | None = None
    """The secret of the signature, of at least 16 characters. Prefer a file."""
    secret_file: Path | None = None
    """File with the secret."""
    timeout_seconds: Seconds = 10.0
    """Timeout of the whole request."""


class AlertmanagerSettings(SettingsSection):
    """The Prometheus Alertmanager that receives alerts."""

    url: str | None = Field(default=None, repr=False)
    """Its address, such as http://alertmanager:9093. With a token: https, or http on this machine."""
    token: SecretStr | None = None
    """Bearer token, for an Alertmanager behind a proxy that requires one. Prefer a file."""
    token_file: Path | None = None
    """File with the secret."""
    hold_seconds: Annotated[float, Field(ge=180, le=86_400)] = 900.0
    """Time without a new request after which the Alertmanager resolves an alert. A firing alert is sent every minute."""
    timeout_seconds: Seconds = 10.0
    """Timeout of the whole request."""


class ReceiverSettings(SettingsSection):
    """A receiver with its own name, for routes and for several channels. What it leaves out is as in the section of its type."""

    type: PluginName
    """A receiver of docs/alerts.md."""
    channel: ChannelId | None = None
    """The id of a Slack channel."""
    url: str | None = Field(default=None, repr=False)
    """Address of a webhook or an Alertmanager."""
    base_url: str | None = Field(default=None, repr=False)
    """URL of Slack's API. Change it for tests."""
    token: SecretStr | None = None
    """The token. Prefer a file."""
    token_file: Path | None = None
    """File with the token."""
    secret: SecretStr | None = None
    """The secret that signs a webhook's requests. Prefer a file."""
    secret_file: Path | None = None
    """File with the secret."""
    timeout_seconds: Seconds | None = None
    """Timeout of one answer."""
    hold_seconds: Seconds | None = None
    """Time after which an Alertmanager resolves what it did not receive again."""


class RouteSettings(SettingsSection):
    """Receivers of the alerts with these labels. The first route that matches decides."""

    match: dict[str, str] = Field(default_factory=dict)
    """Label → value; `*` and `?` are wildcards. An empty match holds for every alert."""
    receivers: Annotated[tuple[PluginName, ...], Field(min_length=1)]
    """Names of receivers."""
    group_by: tuple[str, ...] = ()
    """Labels. Alerts for which they are equal share one message in Slack. Empty: each alert has its own."""


class AlertSettings(SettingsSection):
    """The alerts service."""

    rules_file: Path | None = None
    """File with rules. Without it the shipped rules apply."""
    notifier: PluginName = "auto"
    """A receiver of docs/alerts.md, or `auto`: Slack, a webhook or an Alertmanager if it has its settings, else the console."""
    receivers: dict[PluginName, ReceiverSettings] = Field(default_factory=dict)
    """Receivers by a name of your choice, in place of `notifier`; docs/alerts.md has an example."""
    routes: tuple[RouteSettings, ...] = ()
    """Routes from labels to receivers, as a TOML or JSON list. Without a matching route, an alert goes to every receiver."""
    repeat_seconds: Annotated[float, Field(ge=60, le=604_800)] = 604_800.0
    """Time to the first repeat of an alert without an acknowledgement. Each pause is twice the one before, at most a week."""
    allow_slack_when_not_live: bool = False
    """Allow a replay or a demo to send to receivers outside this machine, such as Slack."""
    tick_seconds: Seconds = 1.0
    """Time between two evaluations of dead-man rules and deliveries."""
