"""The outbox: every transition that is announced becomes messages, each posted once as far as anyone can see.

What is to be sent follows from the rows: a transition that is announced, without a delivery row, is still to be sent; so a kill loses
nothing. An earlier process, or an earlier try whose answer was lost, may have sent a message already; its key
is then looked up first. Before every post our epoch must still be the newest; where it was lost in that very moment, both
alerters look for the key again and keep the earliest message only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

import structlog

from alerts.outbox.jobs import Job, JobKey, Start, actions, key_text, start_id
from alerts.outbox.message_context import Renderer
from alerts.outbox.receivers.receiver import AmbiguousError, NotAcceptedError, Receiver, ReceiverRefusedError
from alerts.outbox.render import Message
from alerts.store.alert_deliveries_log import Delivery, DeliveryStatus
from alerts.store.alert_mutes_log import ALL_RULES
from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.alerts import AlertTransition
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.crash_points import crash_point
from counterpoise.runtime.retry import Backoff, RetryPolicy
from counterpoise.spans import DAY_SECONDS

log = structlog.get_logger(__name__)

WEEK_SECONDS: Final = 7 * DAY_SECONDS
MESSAGE_INTERVAL_SECONDS: Final = 1.0
SEARCH_BACK_SECONDS: Final = 3_600.0
"""A look-up starts this long before a transition was recorded: more than two clocks differ."""

MUTED: Final = "muted"

_DELIVERY_RETRY: Final = RetryPolicy(1.0, 60.0, jitter=0.0)


class SupersededError(Exception):
    """Another alerter has claimed a newer epoch: this one must not send any more."""


class Outbox:
    """Takes jobs from any thread; `run_due` sends what can be sent, in order, from one thread with its own store."""

    def __init__(
        self,
        store: AlertStore,
        receiver: Receiver,
        *,
        versions: Versions,
        renderer: Renderer,
        dataset: str,
        clock: Clock,
        on_success: Callable[[float], None] = lambda now: None,
    ) -> None:
        self._store = store
        self._receiver = receiver
        self._versions = versions
        self._renderer = renderer
        self._dataset = dataset
        self._clock = clock
        self._on_success = on_success
        self._jobs: deque[Job] = deque()
        self._done: dict[JobKey, Delivery] = {}
        self._elsewhere: set[JobKey] = set()
        self._announced: dict[str, list[AlertTransition]] = {}
        self._queued: set[JobKey] = set()
        self._unwritten: Delivery | None = None
        self._not_before = float("-inf")
        self._backoff = Backoff(_DELIVERY_RETRY)
        self.trouble: str | None = None
        """Why nothing can be sent just now; None where all is well."""

    @property
    def waiting(self) -> int:
        """Messages still to be sent, or whose row is still to be written."""
        return len(self._jobs) + (self._unwritten is not None)

    @property
    def name(self) -> str:
        """The receiver's."""
        return self._receiver.name

    def load(self) -> bool:
        """Take up what earlier processes left unsent; True where this receiver is new to a dataset that another one sent for.

        What another receiver sent already is not sent again by this one, so a token that is set after a month begins no flood.
        """
        every = self._store.deliveries.read()
        self._done = {found.key: found for found in every if found.receiver == self._receiver.name}
        self._elsewhere = {found.key for found in every if found.receiver != self._receiver.name}
        for transition in self._store.events.transitions(announced=True):
            self.enqueue(transition, inherited=True)
        return bool(self._elsewhere) and not self._done

    def enqueue(self, transition: AlertTransition, *, inherited: bool = False) -> None:
        """Queue the messages of a transition that is announced; nothing for one that is not, or was."""
        if not transition.notify:
            return
        rows = self._announced.setdefault(transition.alert_id, [])
        if any(row.sequence == transition.sequence for row in rows):
            return  # written again with new evidence
        fired_before = any(row.state == "firing" for row in rows)
        rows.append(transition)
        for action in actions(transition, fired_before=fired_before):
            self._queue(_job_of(transition, action, inherited=inherited))

    def announce_start(self, start: Start, *, inherited: bool) -> None:
        """Queue the state-at-start message, unless it was sent: ahead of the news that comes after it."""
        alert_id = start_id(self._dataset, start.chain, start.height)
        job = Job(alert_id, 0, "start", ALL_RULES, float(start.time), start=start, inherited=inherited)
        self._queue(job, ahead=True)

    def remind(self, firing: Iterable[AlertTransition]) -> None:
        """Queue what is due for each alert that still fires (its firing row): its message, where nothing was sent here because the
        rule was muted, or because another receiver or channel was in use; then a reminder a week. Missed weeks are not made up.

        Weeks count from the alert's own message, or from the state at start where it fired before go-live.
        """
        for first in firing:
            post = self._post_of(first.alert_id)
            if post is not None and post.key not in self._queued and self._is_unsent_here(post):
                if not self._is_muted(post.rule_id):
                    self._done.pop(post.key, None)
                    self._elsewhere.discard(post.key)
                    self._queue(post)
                continue
            root = self._root(first.alert_id) or self._start()
            weeks = int((self._clock.now() - root.updated_at) // WEEK_SECONDS) if root else 0
            if root and weeks >= 1:
                due = root.updated_at + weeks * WEEK_SECONDS
                action = f"reminder-{weeks}"
                self._queue(
                    Job(first.alert_id, first.sequence, action, first.rule_id, due, first, weeks=weeks, inherited=True)
                )

    def run_due(self) -> float:
        """Send what is due; the seconds until the next call is useful (infinite if nothing waits). SupersededError stops it all."""
        while self._jobs or self._unwritten:
            left = self._not_before - self._clock.monotonic()
            if left > 0:
                return left
            try:
                self._step()
            except (NotAcceptedError, AmbiguousError) as error:
                self._postpone(str(error), error, ambiguous=isinstance(error, AmbiguousError))
            except (RetryableError, ConfigError) as error:
                self._postpone(str(error), error, ambiguous=False)
        return float("inf")

    def _step(self) -> None:
        """One message from its first check to its row."""
        if self._unwritten is not None:
            self._write(self._unwritten)
            return
        job = self._jobs[0]
        if job.start is None and job.action != "update" and self._is_muted(job.rule_id):
            self._finish(job, "skipped", detail=MUTED)
            return
        if job.action == "thread" and self._was_muted(job.alert_id):
            self._finish(job, "skipped", detail="its firing was not sent")
            return
        self._require_newest()
        if job.action == "update" and self._root(job.alert_id) is None:
            self._finish(job, "skipped", detail="there is no message to edit")
            return
        if job.action != "update" and (job.inherited or job.tries):
            found = self._find(job)
            if found:
                self._finish(job, "sent", ts=self._keep_first(found))
                return
        self._send(job)

    def _send(self, job: Job) -> None:
        message = self._renderer.render(job, self._announced.get(job.alert_id, ()))
        # A later try is ambiguous from here on: the process may die between the other side's accepting and our row.
        self._jobs[0] = replace(job, inherited=True)
        ts = self._post_or_edit(job, message)
        if ts is None:
            return
        crash_point("alerts-after-slack-accept")
        if job.action != "update" and (job.inherited or self._store.epochs.highest() != self._versions.epoch):
            found = self._find(job)
            ts = self._keep_first(found) if found else ts
        self._finish(job, "sent", ts=ts)
        if self._receiver.name == "slack":
            self._not_before = self._clock.monotonic() + MESSAGE_INTERVAL_SECONDS

    def _post_or_edit(self, job: Job, message: Message) -> str | None:
        """Post or edit; what identifies the message, None where it was refused in every shape (the job is finished then).

        What is refused is tried as text alone, and what was meant for a thread (somebody may have deleted its root) in the
        channel.
        """
        plain = replace(message, blocks=())
        refusal = ""
        for thread in dict.fromkeys((self._thread_of(job), None)):
            for shape in (message, plain):
                try:
                    return self._edit(job, shape) if job.action == "update" else self._post(job, shape, thread)
                except ReceiverRefusedError as error:
                    refusal = refusal or str(error)
                    log.error("message refused", alert_id=job.alert_id, sequence=job.sequence, reason=str(error))
        self._finish(job, "skipped", detail=refusal)
        return None

    def _post(self, job: Job, message: Message, thread: str | None) -> str:
        return self._receiver.post(message, job.key_text, thread=thread)

    def _edit(self, job: Job, message: Message) -> str:
        root = self._root(job.alert_id)
        assert root is not None  # noqa: S101 - asked for just before
        self._receiver.edit(message, key_text(root.key), root.message_ts)
        return root.message_ts

    def _find(self, job: Job) -> list[str]:
        """Where its message stands already, oldest first."""
        since = job.recorded_at - SEARCH_BACK_SECONDS
        try:
            return self._receiver.find(job.key_text, since=since, thread=self._thread_of(job))
        except ReceiverRefusedError:  # the thread is gone
            return self._receiver.find(job.key_text, since=since, thread=None)

    def _keep_first(self, found: list[str]) -> str:
        for later in found[1:]:
            self._receiver.withdraw(later)
        return found[0]

    def _finish(self, job: Job, status: DeliveryStatus, *, ts: str = "", detail: str = "") -> None:
        delivery = Delivery(
            job.alert_id,
            job.sequence,
            self._receiver.name,
            job.action,
            status,
            self._receiver.channel,
            ts,
            job.tries + 1,
            detail,
            self._clock.now(),
        )
        self._done[job.key] = self._unwritten = delivery
        self._jobs.popleft()
        self._queued.discard(job.key)
        self.trouble = None
        self._backoff.reset()
        if status == "sent":
            self._on_success(delivery.updated_at)
        self._write(delivery)

    def _write(self, delivery: Delivery) -> None:
        self._store.deliveries.write(delivery, self._versions.next())
        self._unwritten = None
        self.trouble = None

    def _postpone(self, reason: str, error: Exception, *, ambiguous: bool) -> None:
        if self._jobs and self._unwritten is None:
            job = self._jobs[0]
            self._jobs[0] = replace(job, tries=job.tries + 1, inherited=job.inherited or ambiguous)
        asked = getattr(error, "retry_after_seconds", None)
        wait_seconds = self._backoff.next_seconds()
        self._not_before = self._clock.monotonic() + (asked or wait_seconds)
        if self.trouble is None:
            log.warning("cannot deliver", receiver=self._receiver.name, reason=reason, waiting=len(self._jobs))
        self.trouble = reason

    def _require_newest(self) -> None:
        if self._store.epochs.highest() != self._versions.epoch:
            raise SupersededError(f"a newer alerter than epoch {self._versions.epoch} is at work")

    def _queue(self, job: Job, *, ahead: bool = False) -> None:
        if job.key not in self._done and job.key not in self._queued and job.key not in self._elsewhere:
            self._queued.add(job.key)
            if ahead:
                self._jobs.appendleft(job)
            else:
                self._jobs.append(job)

    # What was sent.

    def _post_of(self, alert_id: str) -> Job | None:
        """The job of an alert's own message; None if its firing is history that is not sent."""
        fired = next((row for row in self._announced.get(alert_id, ()) if row.state == "firing"), None)
        return _job_of(fired, "post", inherited=True) if fired else None

    def _is_unsent_here(self, post: Job) -> bool:
        found = self._done.get(post.key)
        return found is None or found.channel != self._receiver.channel or found.detail == MUTED

    def _was_muted(self, alert_id: str) -> bool:
        post = self._post_of(alert_id)
        found = self._done.get(post.key) if post else None
        return found is not None and found.detail == MUTED

    def _root(self, alert_id: str) -> Delivery | None:
        """The alert's own message in this channel."""
        post = self._post_of(alert_id)
        return self._here(self._done.get(post.key)) if post else None

    def _start(self) -> Delivery | None:
        return next((d for d in self._done.values() if d.action == "start" and self._here(d)), None)

    def _here(self, found: Delivery | None) -> Delivery | None:
        return found if found and found.status == "sent" and found.channel == self._receiver.channel else None

    def _thread_of(self, job: Job) -> str | None:
        if job.action in ("post", "start", "update"):
            return None
        root = self._root(job.alert_id) or (self._start() if job.weeks else None)
        return root.message_ts if root else None

    def _is_muted(self, rule_id: str) -> bool:
        mutes = self._store.mutes.read()
        return any(name in mutes and self._clock.now() < mutes[name].until for name in (rule_id, ALL_RULES))


def _job_of(transition: AlertTransition, action: str, *, inherited: bool) -> Job:
    at = transition.recorded_at_ms / 1000
    return Job(
        transition.alert_id,
        transition.sequence,
        action,
        transition.rule_id,
        at,
        transition=transition,
        inherited=inherited,
    )
