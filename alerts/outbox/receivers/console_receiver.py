"""A line on a stream for each message: what there is without a token, and what a replay shows."""

from __future__ import annotations

import threading
from typing import TextIO

from alerts.outbox.receivers.receiver import Ability, PostOnly
from alerts.outbox.render import Message
from counterpoise.runtime.probe import Probe
from counterpoise.settings.model import Settings
from counterpoise.visible import visible


class ConsoleReceiver(PostOnly):
    """Writes the line of a message. It cannot be asked what it wrote, so after a kill a line may come twice."""

    kind = name = "console"
    channel = "console"
    external = False
    pause_seconds = 0.0
    abilities: frozenset[Ability] = frozenset()

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    @classmethod
    def from_settings(cls, settings: Settings, stream: TextIO) -> ConsoleReceiver:
        """Needs no settings."""
        return cls(stream)

    @classmethod
    def is_configured(cls, settings: Settings) -> bool:
        """Always."""
        return True

    @classmethod
    def probe(cls, settings: Settings) -> Probe | None:
        """It has no settings."""
        return None

    def post(self, message: Message, key: str, *, thread: str | None) -> str:
        """Write the line."""
        with self._lock:
            self._stream.write(visible(message.line) + "\n")
            self._stream.flush()
        return key
