"""The messages of one receiver: how a job's is sent, edited and found again, by what the receiver can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from alerts.outbox.jobs import ACKNOWLEDGED, Job, key_text
from alerts.outbox.receivers.receiver import NotThisWayError, Receiver, ReceiverRefusedError
from alerts.outbox.render import Message
from alerts.outbox.sent import Sent

SEARCH_BACK_SECONDS: Final = 3_600.0
"""A look-up starts this long before a transition was recorded: more than two clocks differ."""


class Conversation:
    """Sends by one receiver; `sent` shows where its messages stand."""

    def __init__(self, receiver: Receiver, sent: Sent) -> None:
        self._receiver = receiver
        self._sent = sent
        self._has_threads = "thread" in receiver.abilities

    def edits(self, job: Job) -> bool:
        """Whether a job changes its alert's own message. Where nothing can be edited, an acknowledgement is a message by itself."""
        return job.action == "update" or (job.kind == ACKNOWLEDGED and "edit" in self._receiver.abilities)

    def send(self, job: Job, message: Message) -> str:
        """Post or edit, and return what identifies the message. ReceiverRefusedError where it was refused in every shape.

        What is refused is tried as text alone, and what was meant for a thread (it may be locked, or its root deleted) in the
        channel.
        """
        refusal: ReceiverRefusedError | None = None
        shapes = (message, replace(message, blocks=())) if self._has_threads else (message,)
        for thread in dict.fromkeys((self._sent.thread_of(job), None)) if self._has_threads else (None,):
            for shape in shapes:
                try:
                    if self.edits(job):
                        return self._edit(job, shape)
                    return self._receiver.post(shape, job.key_text, thread=thread)
                except NotThisWayError as error:
                    refusal = refusal or error
                    break
                except ReceiverRefusedError as error:
                    refusal = refusal or error
        assert refusal is not None  # noqa: S101 - every shape was tried
        raise refusal

    def find(self, job: Job) -> list[str]:
        """Where its message stands already, oldest first."""
        since = job.recorded_at - SEARCH_BACK_SECONDS
        try:
            return self._receiver.find(job.key_text, since=since, thread=self._sent.thread_of(job))
        except ReceiverRefusedError:  # the thread is gone
            return self._receiver.find(job.key_text, since=since, thread=None)

    def keep_first(self, found: Sequence[str]) -> str:
        """Take back all messages but the earliest, and return that one."""
        self.withdraw(found[1:])
        return found[0]

    def withdraw(self, found: Sequence[str]) -> None:
        """Take messages back."""
        for message_ts in found:
            self._receiver.withdraw(message_ts)

    def _edit(self, job: Job, message: Message) -> str:
        root = self._sent.root(job.alert_id)
        assert root is not None  # noqa: S101 - asked for just before
        self._receiver.edit(message, key_text(root.key), root.message_ts)
        return root.message_ts
