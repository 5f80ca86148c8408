"""What was announced, and what became of it at this receiver: where an alert's message stands, and why one was left out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from alerts.outbox.digest import digest_of
from alerts.outbox.groups import GROUPED, root_named
from alerts.outbox.jobs import ACKNOWLEDGED, REMINDER, Job, JobKey, job_of
from alerts.store.delivery import Delivery
from counterpoise.contracts.alert_transition import ANNOUNCING_STATES, OPEN_STATES, AlertTransition

MUTED: Final = "muted"
NOT_ROUTED: Final = "routed to others"
SILENCED: Final = "silenced"
INHIBITED: Final = "inhibited by"
_LEFT_OUT: Final = (MUTED, NOT_ROUTED, SILENCED, INHIBITED)


def is_left_out(delivery: Delivery) -> bool:
    """Whether a message was left out by a mute, a silence, a route or a higher step. It is sent when the reason ends and the alert
    still fires."""
    return delivery.status == "skipped" and delivery.detail.startswith(_LEFT_OUT)


def in_sequence(transitions: Iterable[AlertTransition]) -> list[AlertTransition]:
    """The same rows, those of each alert by their sequence in the places that this alert has.

    A step that was written anew, on another block, is read after later ones. They would seem to be the first of their alert.
    """
    rows = list(transitions)
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.alert_id, []).append(place)
    found = list(rows)
    for of_alert in places.values():
        ordered = sorted((rows[place] for place in of_alert), key=lambda row: row.sequence)
        for place, row in zip(of_alert, ordered, strict=True):
            found[place] = row
    return found


def may_stand(delivery: Delivery) -> bool:
    """Whether a message was left out or refused after a try whose answer is unknown: Slack may still accept that try."""
    return (
        delivery.status == "skipped"
        and delivery.attempts > 1
        and not delivery.message_ts
        and not digest_of(delivery.detail)
    )


class Sent:
    """Of one receiver and channel. `done`: the messages that are finished; `elsewhere`: those that another receiver has."""

    def __init__(self, receiver: str, channel: str) -> None:
        self._receiver, self._channel = receiver, channel
        self.announced: dict[str, list[AlertTransition]] = {}
        self.done: dict[JobKey, Delivery] = {}
        self.elsewhere: set[JobKey] = set()
        self.firing: set[str] = set()
        """The alerts of which the last that was announced is that they fire."""
        self._joined: dict[str, dict[str, None]] = {}
        """First alert of a group's message → alerts that are or were lines of it."""

    def load(self, deliveries: Iterable[Delivery], joined_version: int | None = None) -> list[Delivery]:
        """Take up the rows of earlier processes; those that are promised to a digest. What others sent before `joined_version`, or at
        any time without one, is theirs."""
        every = list(deliveries)
        ours = [found for found in every if found.receiver == self._receiver]
        self.done = {
            found.key: found
            for found in ours
            if found.status != "pending" and (found.action != GROUPED or found.channel == self._channel)
        }
        for found in self.done.values():
            self.note_line(found)
        self.elsewhere = {
            found.key
            for found in every
            if found.receiver != self._receiver and (joined_version is None or found.version < joined_version)
        }
        return [found for found in ours if found.status == "pending"]

    def announce(self, transition: AlertTransition) -> bool | None:
        """Note a transition; whether its alert had fired before, None where the transition is known."""
        rows = self.announced.setdefault(transition.alert_id, [])
        if any(row.sequence == transition.sequence for row in rows):
            return None  # written again with new evidence
        rows.append(transition)
        # A step that was written anew, on another block, is read after later ones.
        rows.sort(key=lambda row: row.sequence)
        (self.firing.add if self.is_firing(transition.alert_id) else self.firing.discard)(transition.alert_id)
        return any(row.state in ANNOUNCING_STATES and row.sequence < transition.sequence for row in rows)

    def is_firing(self, alert_id: str) -> bool:
        """Whether the last that was announced of an alert is that it fires."""
        rows = self.announced.get(alert_id, [])
        return bool(rows) and rows[-1].state in ANNOUNCING_STATES

    def post_of(self, alert_id: str) -> Job | None:
        """The job of an alert's own message; None if its firing is history that is not sent."""
        fired = next((row for row in self.announced.get(alert_id, ()) if row.state in ANNOUNCING_STATES), None)
        return job_of(fired, "post", inherited=True) if fired else None

    def reopened(self, alert_id: str) -> Job | None:
        """The job of an alert's latest step, where that fires and was left out after an end that was sent; None without one."""
        jobs = [job_of(row, "thread", inherited=True) for row in self.announced.get(alert_id, ())]
        told = [job.transition for job in jobs if (found := self.done.get(job.key)) and found.status == "sent"]
        has_end = bool(told) and told[-1] is not None and told[-1].state not in OPEN_STATES
        last = self.done.get(jobs[-1].key) if has_end and self.is_firing(alert_id) else None
        return jobs[-1] if last is not None and is_left_out(last) else None

    def fired(self, alert_id: str) -> AlertTransition | None:
        """The first firing of an alert; None where it did not fire."""
        post = self.post_of(alert_id)
        return post.transition if post else None

    def is_unsent_here(self, post: Job) -> bool:
        """Whether the own message of an alert that fires does not stand in this channel, though it might."""
        found = self.done.get(post.key)
        return (
            found is None or found.channel != self._channel or is_left_out(found) or digest_of(found.detail) is not None
        )

    def was_left_out(self, alert_id: str) -> bool:
        """Whether its own message was left out by a mute, a silence, a route or a higher step."""
        found = self._post_row(alert_id)
        return found is not None and is_left_out(found)

    def was_sent(self, alert_id: str) -> bool:
        """Whether this receiver took its own message, in whatever channel."""
        found = self._post_row(alert_id)
        return found is not None and found.status == "sent"

    def root(self, alert_id: str) -> Delivery | None:
        """The message in this channel that shows the state of an alert: its own, or that of its group."""
        return self.here(self._post_row(self.group_root(alert_id) or alert_id))

    def group_root(self, alert_id: str) -> str | None:
        """The first alert of the message of which an alert is a line; None where it has, or will have, its own."""
        found = self._post_row(alert_id)
        return root_named(found.detail) if found and found.channel == self._channel else None

    def note_line(self, delivery: Delivery) -> None:
        """Note the row of an alert that becomes a line of another's message; nothing for any other row."""
        root = root_named(delivery.detail) if delivery.action == "post" else None
        if root is not None and delivery.channel == self._channel:
            self._joined.setdefault(root, {})[delivery.alert_id] = None

    def members(self, root: str) -> list[str]:
        """The alerts that a message shows: the first one, then those that were announced as its lines."""
        joined = (one for one in self._joined.get(root, ()) if self.group_root(one) == root and self.joined(one))
        return [root, *joined]

    def joined(self, alert_id: str) -> Delivery | None:
        """The reply with which an alert joined its group's message, sent or refused; None before that."""
        fired = self.fired(alert_id) if self.group_root(alert_id) else None
        return self.done.get((alert_id, fired.sequence, GROUPED)) if fired else None

    def announced_at(self, alert_id: str) -> float | None:
        """When an alert's firing was sent to this channel, in unix seconds; None before that."""
        found = self.joined(alert_id) if self.group_root(alert_id) else self.root(alert_id)
        return found.updated_at if found else None

    def start(self) -> Delivery | None:
        """The state at start in this channel."""
        return next((d for d in self.done.values() if d.action == "start" and self.here(d)), None)

    def here(self, found: Delivery | None) -> Delivery | None:
        """The same, if it was sent to this channel."""
        return found if found and found.status == "sent" and found.channel == self._channel else None

    def thread_of(self, job: Job) -> str | None:
        """The message under which a job's belongs; None where it stands alone."""
        if job.action in ("post", "start", "digest", "update") or job.kind == ACKNOWLEDGED:
            return None
        if job.action == GROUPED and self.group_root(job.alert_id) is None:
            return None  # it is searched for in the channel, which shows replies too
        root = self.root(job.alert_id) or (self.start() if job.kind == REMINDER else None)
        return root.message_ts if root else None

    def _post_row(self, alert_id: str) -> Delivery | None:
        post = self.post_of(alert_id)
        return self.done.get(post.key) if post else None
