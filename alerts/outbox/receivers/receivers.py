"""Which notifier the settings ask for. To add one: a file beside this, and an entry in NOTIFIERS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TextIO

from pydantic import SecretStr

from alerts.outbox.receivers.console import ConsoleReceiver
from alerts.outbox.receivers.receiver import Receiver
from alerts.outbox.receivers.slack import SlackReceiver
from counterpoise.errors import ConfigError
from counterpoise.settings.model import Settings, read_secret


def _console(_settings: Settings, stream: TextIO) -> Receiver:
    return ConsoleReceiver(stream)


def _slack(settings: Settings, _stream: TextIO) -> Receiver:
    slack = settings.slack
    if slack.token is None and slack.token_file is None:
        raise ConfigError(
            "COUNTERPOISE_ALERTS__NOTIFIER is slack, but there is no token: set COUNTERPOISE_SLACK__TOKEN_FILE to a file that holds "
            "the bot token (docs/slack.md)"
        )
    if not slack.channel:
        raise ConfigError(
            "COUNTERPOISE_ALERTS__NOTIFIER is slack, but there is no channel: set COUNTERPOISE_SLACK__CHANNEL to the channel's id, "
            "such as C0123456789 (docs/slack.md)"
        )
    if settings.dataset_kind != "live" and not settings.alerts.allow_slack_when_not_live:
        raise ConfigError(
            f"dataset {settings.dataset!r} is {settings.dataset_kind}, and only a live one reaches Slack: set "
            "COUNTERPOISE_ALERTS__ALLOW_SLACK_WHEN_NOT_LIVE=true if you mean it"
        )

    def token() -> SecretStr:
        found = read_secret(slack.token, slack.token_file, "COUNTERPOISE_SLACK__TOKEN")
        return found if found is not None else SecretStr("")

    token()  # a file that cannot be read is said at the start
    return SlackReceiver(token, slack.channel, base_url=slack.base_url, timeout_seconds=slack.timeout_seconds)


RECEIVERS: Final[dict[str, Callable[[Settings, TextIO], Receiver]]] = {"console": _console, "slack": _slack}


def choose_receiver(settings: Settings) -> str:
    """`auto` is Slack where a token and a channel are set and the dataset may reach it, else the console."""
    if settings.alerts.notifier != "auto":
        return settings.alerts.notifier
    slack = settings.slack
    has_slack = (slack.token is not None or slack.token_file is not None) and bool(slack.channel)
    may = settings.dataset_kind == "live" or settings.alerts.allow_slack_when_not_live
    return "slack" if has_slack and may else "console"


def make_receiver(settings: Settings, stream: TextIO) -> Receiver:
    """The notifier that the settings ask for; ConfigError says what it lacks. `stream` is the console."""
    return RECEIVERS[choose_receiver(settings)](settings, stream)
