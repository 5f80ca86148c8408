"""A line on standard error for each message, for a console whose output goes into a pipe."""

from __future__ import annotations

import sys
from typing import TextIO

from alerts.outbox.receivers.console_receiver import ConsoleReceiver
from counterpoise.settings.model import Settings


class StderrReceiver(ConsoleReceiver):
    """As the console, on the other stream. `auto` never chooses it."""

    kind = name = "stderr"
    channel = "stderr"

    @classmethod
    def from_settings(cls, settings: Settings, stream: TextIO) -> StderrReceiver:
        """Needs no settings."""
        return cls(sys.stderr)

    @classmethod
    def is_configured(cls, settings: Settings) -> bool:
        """Only by name."""
        return False
