"""Every receiver by the name that settings give it. To add one: a file beside this, and a line in RECEIVERS."""

from __future__ import annotations

from typing import Final, TextIO

from alerts.outbox.receivers.console import ConsoleReceiver
from alerts.outbox.receivers.receiver import ConfiguredReceiver, Receiver
from alerts.outbox.receivers.slack import SlackReceiver
from counterpoise.errors import ConfigError
from counterpoise.settings.model import Settings

AUTO: Final = "auto"

RECEIVERS: Final[dict[str, type[ConfiguredReceiver]]] = {
    "slack": SlackReceiver,
    "console": ConsoleReceiver,
}
"""In the order in which `auto` tries them."""


def choose_receiver(settings: Settings) -> str:
    """The name that the settings give; for `auto` the first that is configured and may be reached from this dataset."""
    asked = settings.alerts.notifier
    if asked == AUTO:
        return next(name for name, receiver in RECEIVERS.items() if receiver.is_configured(settings))
    if asked not in RECEIVERS:
        raise ConfigError(
            f"COUNTERPOISE_ALERTS__NOTIFIER is {asked!r}, expected {AUTO} or one of {', '.join(RECEIVERS)}"
        )
    return asked


def make_receiver(settings: Settings, stream: TextIO) -> Receiver:
    """The receiver of the settings; ConfigError names what is missing. `stream` is the console."""
    return RECEIVERS[choose_receiver(settings)].from_settings(settings, stream)
