"""What a receiver is: a place where a message is posted under a key, found again by that key, and edited."""

from __future__ import annotations

from typing import Literal, Protocol, Self, TextIO, runtime_checkable

from alerts.outbox.alert_chart import Picture
from alerts.outbox.render import Message
from counterpoise.errors import CounterpoiseError, RetryableError
from counterpoise.runtime.probe import Probe
from counterpoise.settings.model import Settings


class NotAcceptedError(RetryableError):
    """The receiver did not accept the message. It may be sent again, after `retry_after_seconds` if that is given."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class AmbiguousError(RetryableError):
    """No answer, or one that leaves open whether the message was accepted. Look up its key before sending it again, after
    `retry_after_seconds` if that is given."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnknownAnswerError(NotAcceptedError):
    """Not accepted, for a reason that we do not know: it is tried again a few times, and nothing else waits for it."""


class ReceiverRefusedError(CounterpoiseError):
    """The other side will never take this message: it is skipped, with this reason."""


class NotThisWayError(ReceiverRefusedError):
    """Not as a reply in this thread, or not as an edit of this message: a reply goes to the channel, an edit is left out."""


def may_reach(settings: Settings) -> bool:
    """Whether this dataset may send to anything outside this machine."""
    return settings.dataset_kind == "live" or settings.alerts.allow_slack_when_not_live


Ability = Literal["edit", "thread", "find", "events", "renew"]
"""`edit`, `thread`, `find`: messages can be edited, answered in a thread, and found again by their key.

`events`: each step is a message by itself, and a repeated one is recognised by its key. `renew`: what fires is sent every minute."""


class Receiver(Protocol):
    """`name` and `channel` go into the delivery rows. A message's key is unique to one visible message.

    `pause_seconds` is between two messages.
    """

    abilities: frozenset[Ability]
    pause_seconds: float

    @property
    def name(self) -> str: ...

    @property
    def channel(self) -> str: ...

    def post(self, message: Message, key: str, *, thread: str | None) -> str:
        """Post it, under `thread` and visible in the channel too where one is given; return what identifies it."""

    def edit(self, message: Message, key: str, message_ts: str) -> None:
        """Replace a message; doing it twice changes nothing."""

    def find(self, key: str, *, since: float, thread: str | None) -> list[str]:
        """Every message posted under `key` since then, oldest first."""

    def withdraw(self, message_ts: str) -> None:
        """Take back a message that was posted twice."""

    def check(self) -> str | None:
        """Check the access to all that it needs, and return one line with the result; None if there is nothing to check."""


@runtime_checkable
class TakesPictures(Protocol):
    """A receiver that shows a picture in the thread of a message, in two steps: only the second one is visible."""

    def upload(self, picture: Picture) -> str:
        """Take a picture without showing it; return what identifies it."""

    def show(self, picture_id: str, picture: Picture, *, thread: str) -> None:
        """Show it under `thread`. A second call for one picture shows nothing more, or is refused."""


class PostOnly:
    """The part of a receiver that can neither change nor find what it took: a line, an event, the state of an alert."""

    def edit(self, message: Message, key: str, message_ts: str) -> None:
        """What was sent stays; each step is sent by itself."""

    def find(self, key: str, *, since: float, thread: str | None) -> list[str]:
        """Nothing can be found."""
        return []

    def withdraw(self, message_ts: str) -> None:
        """Nothing is taken back."""

    def check(self) -> str | None:
        """No access is checked."""
        return None


class ConfiguredReceiver(Receiver, Protocol):
    """What the registry holds: a receiver that the settings alone can make, choose and describe.

    `kind` is the name of its type, and its `name` unless the settings give it another. `external`: what it receives leaves this
    machine, so that a dataset that is not live does not reach it.
    """

    kind: str
    name: str
    external: bool

    @classmethod
    def from_settings(cls, settings: Settings, stream: TextIO) -> Self:
        """ConfigError names the missing settings; `stream` is the console."""

    @classmethod
    def is_configured(cls, settings: Settings) -> bool:
        """Whether it has all that it needs, and this dataset may reach it."""

    @classmethod
    def probe(cls, settings: Settings) -> Probe | None:
        """The result of `counterpoise doctor` on its settings; None if it has none. Nothing is sent."""
