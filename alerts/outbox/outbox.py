"""The outbox: every transition that is announced becomes messages, each posted once as far as anyone can see.

What is to be sent follows from the rows: a transition that is announced, without a delivery row, is still to be sent; so a kill loses
nothing. An earlier process, or an earlier try whose answer was lost, may have sent a message already; its key
is then looked up first, and again later (`look_ups`). Before every post our epoch must still be the newest; where it was lost in
that very moment, both alerters look for the key again and keep the earliest message only.

What fires now goes first. What fired and ended while nothing could be sent becomes one digest. A refused message holds back
no other alert's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

import structlog

from alerts.outbox.alert_chart import Picture
from alerts.outbox.conversation import Conversation
from alerts.outbox.delivery_policy import Policy, SendEverything
from alerts.outbox.digest import OLD_SECONDS, digest_of
from alerts.outbox.digests import Digests
from alerts.outbox.grouping import Grouping
from alerts.outbox.groups import GROUPED, GroupView, line_of
from alerts.outbox.inherited import Inherited
from alerts.outbox.job_queue import JobQueue
from alerts.outbox.jobs import RENEW, Job, JobKey, Start, actions, job_of, start_id
from alerts.outbox.look_ups import AFTER_SECONDS, LookUps
from alerts.outbox.pictures import PICTURE, Pictures
from alerts.outbox.receivers.receiver import (
    AmbiguousError,
    NotAcceptedError,
    Receiver,
    ReceiverRefusedError,
    TakesPictures,
    UnknownAnswerError,
)
from alerts.outbox.reminders import due
from alerts.outbox.render import Message
from alerts.outbox.sent import SILENCED, Sent, may_stand
from alerts.policy import WEEK_SECONDS
from alerts.store.alert_mutes_log import ALL_RULES
from alerts.store.alert_store import AlertStore
from alerts.store.delivery import Delivery, DeliveryStatus
from alerts.store.sending_checks import Checked
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.alert_transition import OPEN_STATES, AlertTransition
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.crash_points import crash_point
from counterpoise.runtime.retry import Backoff, RetryPolicy
from counterpoise.spans import DAY_SECONDS

log = structlog.get_logger(__name__)

MAX_LOOK_UPS: Final = 100
"""Messages that are searched for after a start: those of the last hour, and the unclear ones of the last day."""


READ_AHEAD_SECONDS: Final = 0.5
"""What was read while the rows of a step were stored is used within this time: what people ask for counts that soon."""

HELD_TRIES: Final = 12
"""Tries of a message that is refused for a reason that we do not know, over 50 minutes."""

_DELIVERY_RETRY: Final = RetryPolicy(1.0, 4.0, jitter=0.0)
"""What fires now is sent within five seconds of Slack's return."""


class SupersededError(Exception):
    """Another alerter has claimed a newer epoch: this one must not send any more."""


@dataclass(frozen=True, slots=True)
class _ReadAhead:
    """What was asked while the rows of `steps` (alert, sequence) were being stored."""

    steps: frozenset[tuple[str, int]]
    checked: Checked
    read_at: float

    def serves(self, job: Job, now: float) -> bool:
        """Whether a message may rest on it: of one of the steps, the first time, and within a moment."""
        is_new = not (job.inherited or job.tries)
        return is_new and job.key[:2] in self.steps and now - self.read_at <= READ_AHEAD_SECONDS


class Renders(Protocol):
    """Makes the message of a job; `announced` are the steps of its alert so far, or of each member of a digest the latest. `group`
    is what it shows of the alert's group."""

    def render(self, job: Job, announced: Sequence[AlertTransition], group: GroupView | None = None) -> Message: ...

    def prepare(self, shown: Sequence[AlertTransition]) -> None: ...


class Outbox:
    """Takes jobs from any thread; `run_due` sends what can be sent, in order, from one thread with its own store."""

    def __init__(
        self,
        store: AlertStore,
        receiver: Receiver,
        *,
        versions: Versions,
        renderer: Renders,
        dataset: str,
        clock: Clock,
        policy: Policy | None = None,
        repeat_seconds: float = WEEK_SECONDS,
        on_success: Callable[[float, Job], None] = lambda now, job: None,
        picture: Callable[[AlertTransition], Picture | None] = lambda fired: None,
    ) -> None:
        """`repeat_seconds`: time to the first repeat of an alert that fires and has no acknowledgement. `picture` draws one."""
        self._store = store
        self._receiver = receiver
        self._versions = versions
        self._renderer = renderer
        self._dataset = dataset
        self._clock = clock
        self._policy = policy or SendEverything()
        self._repeat_seconds = repeat_seconds
        self._on_success = on_success
        self._as_events = "events" in receiver.abilities
        self._jobs = JobQueue()
        self._sent = Sent(receiver.name, receiver.channel)
        self._conversation = Conversation(receiver, self._sent)
        self._grouping = Grouping(self._sent, self._policy, receiver.abilities)
        self._look_ups = LookUps()
        self._digests = Digests(
            self._jobs, self._sent, self._policy, self._delivery, self._write, self._queue, self._stands
        )
        self._pictures = self._make_pictures(picture)
        self._ahead: _ReadAhead | None = None
        self._not_found: set[JobKey] = set()
        """Firings that were looked up before they went into a digest."""
        self._unwritten: list[Delivery] = []
        self._is_late = False
        """Whether a message has waited for long: the order of events is then no longer the order of what matters."""
        self._not_before = float("-inf")
        self._backoff = Backoff(_DELIVERY_RETRY)
        self.trouble: str | None = None
        """Why nothing can be sent just now; None where all is well."""

    def _make_pictures(self, picture: Callable[[AlertTransition], Picture | None]) -> Pictures | None:
        if not isinstance(self._receiver, TakesPictures):
            return None
        return Pictures(
            self._receiver,
            self._sent,
            picture,
            lambda rows: self._store.deliveries.write(rows, self._versions.next()),
            self._require_newest,
            lambda fired, status: self._delivery(job_of(fired, PICTURE, inherited=False), status),
        )

    @property
    def waiting(self) -> int:
        """Messages still to be sent, or whose row is still to be written."""
        return len(self._jobs) + bool(self._unwritten)

    @property
    def name(self) -> str:
        """The receiver's."""
        return self._receiver.name

    def load(self, inherited: Inherited, joined_version: int | None = None) -> bool:
        """Take up what earlier processes left unsent; True where this receiver is new to a dataset that another one sent for.

        What another receiver sent before this one joined is not sent again, so a token that is set after a month begins no flood.
        """
        pending = self._sent.load(inherited.deliveries, joined_version)
        transitions = inherited.announced
        promised = self._digests.take_up(pending, transitions)
        for transition in transitions:
            self.enqueue(transition, inherited=True)
        self._jobs.remove(promised)
        self._plan_look_ups(transitions)
        return bool(self._sent.elsewhere) and not self._sent.done

    def _plan_look_ups(self, transitions: Sequence[AlertTransition]) -> None:
        """The alerter before us may have been in the middle of a post, and had searches ahead: make them in its place."""
        if "find" not in self._receiver.abilities:
            return
        recorded = {(row.alert_id, row.sequence): row.recorded_at_ms / 1000 for row in transitions}
        now, clock = self._clock.monotonic(), self._clock.now()
        recent = [
            d
            for d in self._sent.done.values()
            if (self._sent.here(d) or may_stand(d))
            and d.action not in ("update", PICTURE)
            and clock - d.updated_at < (DAY_SECONDS if d.attempts > 1 else AFTER_SECONDS[-1])
        ]
        for sent in sorted(recent, key=lambda d: d.updated_at)[-MAX_LOOK_UPS:]:
            first_try = recorded.get((sent.alert_id, sent.sequence), sent.updated_at - DAY_SECONDS)
            job = Job(sent.alert_id, sent.sequence, sent.action, ALL_RULES, first_try, inherited=True)
            self._look_ups.plan(job, now - (clock - sent.updated_at), not_before=now)
            self._look_ups.again(job, now + AFTER_SECONDS[0])

    def prepare(self, transitions: Sequence[AlertTransition]) -> None:
        """Read ahead what the messages of steps show and what is asked before the first of them, while their rows are still being
        stored. Nothing depends on it.

        Rows are stored only under our epoch, and their steps are queued after that: it still was the newest then.
        """
        self._ahead = None
        edits = "edit" in self._receiver.abilities
        shown = [
            one for step in transitions for one in (self._sent.fired(step.alert_id) if edits else None, step) if one
        ]
        try:
            self._renderer.prepare(shown)
            read_at = self._clock.monotonic()
            checked = self._store.sending_checks.read()
        except RetryableError as error:
            log.warning("cannot read ahead for a message", reason=str(error))
            return
        steps = frozenset((step.alert_id, step.sequence) for step in transitions)
        self._ahead = _ReadAhead(steps, checked, read_at)

    def enqueue(self, transition: AlertTransition, *, inherited: bool = False) -> None:
        """Queue the messages of a transition that is announced; nothing for one that is not, or was."""
        if not transition.notify:
            return
        fired_before = self._sent.announce(transition)
        if fired_before is None:
            return
        for action in actions(transition, fired_before=fired_before, as_events=self._as_events):
            self._queue(job_of(transition, action, inherited=inherited))
        for job in self._grouping.unsent_joining(transition) if inherited else ():
            self._queue(job)

    def announce_start(self, start: Start, *, inherited: bool) -> None:
        """Queue the state-at-start message, unless it was sent: ahead of the news that comes after it."""
        alert_id = start_id(self._dataset, start.chain, start.height)
        job = Job(alert_id, 0, "start", ALL_RULES, float(start.time), start=start, inherited=inherited)
        self._queue(job, ahead=True)

    def remind(self, firing: Iterable[AlertTransition]) -> None:
        """Queue what is due for each alert that still fires (its firing row): its message, where nothing was sent here because it was
        muted, silenced or routed elsewhere, or because another receiver or channel was in use; then what `reminders` finds."""
        self._policy.refresh(self._store.sending_checks.read())
        for first in firing:
            post = self._sent.post_of(first.alert_id)
            if post is not None and post.key not in self._jobs and self._sent.is_unsent_here(post):
                self._send_now(post, first)
                continue
            again = self._sent.reopened(first.alert_id) if self._as_events else None
            if again is not None:
                self._send_now(again, first)
            jobs = due(
                first,
                self._sent,
                policy=self._policy,
                abilities=self._receiver.abilities,
                now=self._clock.now(),
                repeat_seconds=self._repeat_seconds,
            )
            for job in jobs:
                self._queue(job)
            self._plan_picture(first)

    def _plan_picture(self, fired: AlertTransition) -> None:
        if self._pictures is not None:
            self._pictures.plan(fired, now=self._clock.now(), monotonic=self._clock.monotonic())

    def _send_now(self, job: Job, first: AlertTransition) -> None:
        """Queue a message that was left out, if nothing keeps it back any more."""
        if job.transition is not None and self._policy.left_out(job.transition, first) is None:
            self._begin_again(job)

    def _begin_again(self, job: Job) -> None:
        """Queue an alert's own message, whatever its row is. The alert leaves the digest that is still to be sent."""
        # From here on a kill leaves open whether it was sent, and the one before its row was that it is left out.
        left = self._digests.without(job.alert_id, self._clock.now())
        self._write([*self._unwritten, self._delivery(job, "pending"), *left])
        self._sent.done |= {row.key: row for row in left}
        self._sent.done.pop(job.key, None)
        self._sent.elsewhere.discard(job.key)
        self._queue(job)

    def run_due(self) -> float:
        """Send what is due; the seconds until the next call is useful (infinite if nothing waits). SupersededError stops it all."""
        while True:
            now = self._clock.monotonic()
            oldest = next((job for job in self._jobs if not job.start), None)
            waited = self._clock.now() - oldest.recorded_at if oldest else 0.0
            self._is_late = "thread" in self._receiver.abilities and waited >= OLD_SECONDS
            job = self._jobs.first(now, self._rank if self._is_late else None)
            next_at = now if job or self._unwritten else min(self._jobs.free_at(), self._idle_at())
            left = max(next_at, self._not_before) - now
            if left > 0:
                return left
            if job or self._unwritten:
                self._guarded(partial(self._step, job), job)
            elif searched := self._look_ups.take(now):
                self._guarded(partial(self._search, searched), None)
            elif self._pictures is not None:
                self._guarded(partial(self._pictures.send_due, now), None)

    def _idle_at(self) -> float:
        """When there is work that waits for every message: a search, or a picture."""
        return min(self._look_ups.next_at(), self._pictures.next_at() if self._pictures else float("inf"))

    def _rank(self, job: Job) -> int:
        """The order after an outage: a state at start, then what fires now, then the others as they came."""
        if job.start:
            return 0
        return 1 if job.action in ("post", GROUPED) and self._sent.is_firing(job.alert_id) else 2

    def _guarded(self, work: Callable[[], None], job: Job | None) -> None:
        """Do one piece of work; what went wrong decides when it, or everything, is tried again."""
        try:
            work()
        except (
            UnknownAnswerError,
            ReceiverRefusedError,
        ) as error:  # a search that is refused is no reason to post twice
            if job is None:
                self._postpone(str(error), error, None)
            else:
                self._hold(job, str(error))
        except (NotAcceptedError, AmbiguousError) as error:
            self._postpone(str(error), error, job, ambiguous=isinstance(error, AmbiguousError))
        except (RetryableError, ConfigError) as error:
            self._postpone(str(error), error, job)
        else:
            if job is None:  # a search or a picture: the store answers, and every message was tried before
                self.trouble = None
                self._backoff.reset()

    def _step(self, job: Job | None) -> None:
        """One message from its first check to its row."""
        if self._unwritten:
            self._write(self._unwritten)
            return
        assert job is not None  # noqa: S101 - `run_due` has one, or a row to write
        if self._is_late and self._rank(job) == 2 and self._gather():
            return
        if job.action == "thread" and self._sent.was_left_out(job.alert_id):
            self._finish(job, "skipped", detail="its firing was not sent")
            return
        self._check(job)
        again = next((row.alert_id for row in job.members if self._sent.is_firing(row.alert_id)), None)
        if again is not None and (post := self._sent.post_of(again)) is not None:
            self._begin_again(post)
            return
        if self._conversation.edits(job) and self._sent.root(job.alert_id) is None:
            self._finish(job, "skipped", detail="there is no message to edit")
            return
        root = self._grouping.root_for(job)
        if not self._conversation.edits(job) and (job.inherited or job.tries):
            found = self._conversation.find(job)
            if found and root is None:
                self._finish(job, "sent", ts=self._conversation.keep_first(found), doubtful=True)
                return
            self._conversation.withdraw(found)  # another message shows its alert
            self._check()  # the search took its time
        asked = job.transition if not self._conversation.edits(job) and job.action != RENEW else None
        reason = None
        if asked and not self._must_close(asked):
            reason = self._policy.left_out(asked, self._sent.fired(job.alert_id))
        if reason:
            self._finish(self._apart(job), "skipped", detail=reason, doubtful=job.inherited or bool(job.tries))
        elif root is not None:
            self._join(job, root)
        else:
            self._send(job)

    def _join(self, job: Job, root: str) -> None:
        """Make an alert a line of the message of another one. The row comes first: whoever sends the reply has decided the same."""
        assert job.transition is not None  # noqa: S101 - only alerts have a group
        doubtful = job.inherited or bool(job.tries)
        reply, edit = self._grouping.joining(job.transition, inherited=doubtful)
        delivery = self._delivery(job, "skipped", detail=line_of(root))
        if doubtful:  # its own message may still appear in the channel: it is taken back then
            delivery = replace(delivery, attempts=max(2, delivery.attempts))
            self._look_ups.plan(job, self._clock.monotonic())
        self._unwritten = [delivery]
        self._jobs.remove({job.key})
        self._sent.done[job.key] = delivery
        self._sent.note_line(delivery)
        for one in (reply, edit):
            self._sent.done.pop(one.key, None)  # of another channel
        self._queue(reply, ahead=True)
        self._queue(edit)
        self._write(self._unwritten)

    def _apart(self, job: Job) -> Job:
        """The alert's own message in the place of the reply with which it would have joined another one: it joins none yet."""
        if job.action != GROUPED or job.transition is None:
            return job
        reply, edit = self._grouping.joining(job.transition, inherited=True)
        self._jobs.remove({reply.key, edit.key})
        if job.inherited or job.tries:
            self._look_ups.plan(reply, self._clock.monotonic())
        return job_of(job.transition, "post", inherited=True)

    def _must_close(self, step: AlertTransition) -> bool:
        """Whether a program holds an alert open until it has this step: no mute, silence or route keeps that back."""
        return self._as_events and step.state not in OPEN_STATES and self._sent.was_sent(step.alert_id)

    def _gather(self) -> bool:
        """Make one digest of what fired and ended while nothing could be sent; whether there was anything to gather."""
        self._check()
        return self._digests.gather(self._clock.now())

    def _stands(self, job: Job) -> bool:
        """Whether a firing stands already, after a try with an unclear answer: it is finished then. What is not found is searched for
        again later."""
        if job.key in self._not_found or not (job.inherited or job.tries):
            return False
        found = self._conversation.find(job)
        if found:
            self._finish(job, "sent", ts=self._conversation.keep_first(found), doubtful=True)
            return True
        self._not_found.add(job.key)
        if len(self._not_found) <= MAX_LOOK_UPS:
            self._look_ups.plan(job, self._clock.monotonic())
        return False

    def _search(self, job: Job) -> None:
        """Keep the earliest message of a job with an unclear answer, and bring it to the alert's state."""
        known = self._sent.done.get(job.key)
        is_elsewhere = self._grouping.is_elsewhere(job)
        is_known = known is not None and (self._sent.here(known) or digest_of(known.detail) or may_stand(known))
        if not is_elsewhere and not is_known:
            return
        try:
            self._require_newest()
            found = self._conversation.find(job)
            if is_elsewhere or known is None:
                self._conversation.withdraw(found)
                return
            kept = self._conversation.keep_first(found) if found else known.message_ts
        except (RetryableError, ReceiverRefusedError):
            self._look_ups.again(job, self._clock.monotonic() + AFTER_SECONDS[0])
            raise
        if kept == known.message_ts:
            return
        log.info("a message was accepted late", alert_id=job.alert_id, sequence=job.sequence, action=job.action)
        rows = self._sent.announced.get(job.alert_id, ())
        if job.action == "post" and rows and (len(rows) > 1 or len(self._sent.members(job.alert_id)) > 1):
            update = job_of(rows[-1], "update", inherited=True)
            self._sent.done.pop(update.key, None)
            self._queue(update)
        self._sent.done[job.key] = replace(
            known, status="sent", message_ts=kept, detail="", updated_at=self._clock.now()
        )
        self._unwritten = [self._sent.done[job.key]]
        self._write(self._unwritten)

    def _send(self, job: Job) -> None:
        rows = [self._sent.announced[one.alert_id][-1] for one in job.members]
        edits = self._conversation.edits(job)
        group = self._grouping.view(job, edits=edits)
        message = self._renderer.render(job, rows or self._sent.announced.get(job.alert_id, ()), group)
        # A later try is ambiguous from here on: the process may die between the other side's accepting and our row.
        doubtful = job.inherited or bool(job.tries)
        self._jobs.change(job.key, inherited=True)
        try:
            ts = self._conversation.send(job, message)
        except ReceiverRefusedError as error:
            log.error("message refused", alert_id=job.alert_id, sequence=job.sequence, reason=str(error))
            self._finish(job, "skipped", detail=str(error), doubtful=doubtful)
            return
        crash_point("alerts-after-slack-accept")
        superseded = self._store.epochs.highest() != self._versions.epoch
        if not edits and (doubtful or superseded):
            found = self._conversation.find(job)
            ts = self._conversation.keep_first(found) if found else ts
        covered = self._grouping.covered(job, self._jobs) if edits else ()
        self._finish(job, "sent", ts=ts, doubtful=doubtful or superseded, covered=covered)
        if self._receiver.pause_seconds:
            self._not_before = self._clock.monotonic() + self._receiver.pause_seconds

    def _finish(
        self,
        job: Job,
        status: DeliveryStatus,
        *,
        ts: str = "",
        detail: str = "",
        doubtful: bool = False,
        covered: Sequence[Job] = (),
    ) -> None:
        """`covered`: edits that this one made needless."""
        if job.action == RENEW:
            self._jobs.remove({job.key})
            self.trouble = None
            self._backoff.reset()
            return
        doubtful = doubtful and not self._conversation.edits(job) and "find" in self._receiver.abilities
        if status == "skipped" and len(self._look_ups) >= MAX_LOOK_UPS:
            doubtful = False
        delivery = self._delivery(job, status, ts=ts, detail=detail)
        if doubtful:  # another process's try counts too: a later alerter knows by it that the message may stand twice
            delivery = replace(delivery, attempts=max(2, delivery.attempts))
        used = [replace(delivery, action=detail.replace(" ", "-"))] if detail.startswith(f"{SILENCED} ") else []
        needless = (self._delivery(one, status, ts=ts) for one in covered)
        self._unwritten = [delivery, *used, *self._digests.members(job, ts), *needless]
        self._sent.done |= {row.key: row for row in self._unwritten}
        self._jobs.remove({job.key, *(one.key for one in covered)})
        self.trouble = None
        self._backoff.reset()
        if doubtful:
            self._look_ups.plan(job, self._clock.monotonic())
        if status == "sent":
            self._on_success(delivery.updated_at, job)
        self._write(self._unwritten)
        if job.action in ("post", GROUPED) and job.transition is not None:
            self._plan_picture(job.transition)

    def _delivery(self, job: Job, status: DeliveryStatus, *, ts: str = "", detail: str = "") -> Delivery:
        name, channel, now = self._receiver.name, self._receiver.channel, self._clock.now()
        return Delivery(job.alert_id, job.sequence, name, job.action, status, channel, ts, job.tries + 1, detail, now)

    def _write(self, deliveries: list[Delivery]) -> None:
        self._store.deliveries.write(deliveries, self._versions.next())
        self._unwritten = []
        self.trouble = None

    def _hold(self, job: Job, reason: str) -> None:
        """Let the other alerts' messages pass one that is refused for an unknown reason; after a few tries it is skipped."""
        if job.refusals + 1 >= HELD_TRIES:
            log.error("message refused", alert_id=job.alert_id, sequence=job.sequence, reason=reason)
            self._finish(job, "skipped", detail=f"{reason}, {HELD_TRIES} times")
            return
        self._jobs.change(job.key, tries=job.tries + 1, refusals=job.refusals + 1)
        self._jobs.hold(job, self._clock.monotonic())
        log.warning("message held", alert_id=job.alert_id, sequence=job.sequence, reason=reason)

    def _postpone(self, reason: str, error: Exception, job: Job | None, *, ambiguous: bool = False) -> None:
        queued = self._jobs.get(job.key) if job else None
        if queued is not None and not self._unwritten:
            self._jobs.change(queued.key, tries=queued.tries + 1, inherited=queued.inherited or ambiguous)
        asked = getattr(error, "retry_after_seconds", None)
        wait_seconds = self._backoff.next_seconds()
        self._not_before = self._clock.monotonic() + (asked or wait_seconds)
        if self.trouble is None:
            log.warning("cannot deliver", receiver=self._receiver.name, reason=reason, waiting=len(self._jobs))
        self.trouble = reason

    def _check(self, job: Job | None = None) -> None:
        """Begin a pass: SupersededError where another alerter is at work; else the policy is as people have it by now.

        For the first message of a step what was read ahead is enough.
        """
        ahead, self._ahead = self._ahead, None
        if ahead is None or job is None or not ahead.serves(job, self._clock.monotonic()):
            checked = self._store.sending_checks.read()
        else:
            checked = ahead.checked
        if checked.epoch != self._versions.epoch:
            raise SupersededError(f"a newer alerter than epoch {self._versions.epoch} is at work")
        self._policy.refresh(checked)

    def _require_newest(self) -> None:
        if self._store.epochs.highest() != self._versions.epoch:
            raise SupersededError(f"a newer alerter than epoch {self._versions.epoch} is at work")

    def _queue(self, job: Job, *, ahead: bool = False) -> None:
        if job.key not in self._sent.done and job.key not in self._sent.elsewhere:
            self._jobs.add(job, ahead=ahead)
