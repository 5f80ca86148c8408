"""The outbox: every transition that is told becomes messages, each posted once as far as anyone can see.

What is to be sent follows from the rows: a transition that is told, without a delivery row, is still to be sent; so a kill loses
nothing. Before a message is sent that an earlier process (or an earlier try, whose answer was lost) may have sent already, the
other side is asked for its key. Before every post our epoch must still be the newest; where it was lost in that very moment, both
alerters look for the key again and keep the earliest message only.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from alerts.messages import Context, Message, Past, changed_root, reminder_message, start_message, transition_message
from alerts.notifiers.base import AmbiguousError, NotAcceptedError, Notifier, RefusedError
from alerts.rules.base import HeightRule, Rule
from alerts.store import ALL_RULES, Delivery, DeliveryStatus, Store
from counterpoise.clickhouse.versions import Versions
from counterpoise.clock import Clock
from counterpoise.contracts.alerts import OPEN_STATES, AlertTransition
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.testing.crash import crash_point

log = structlog.get_logger(__name__)

WEEK_SECONDS: Final = 7 * 86_400
MESSAGE_INTERVAL_SECONDS: Final = 1.0
LOOK_BACK_SECONDS: Final = 3_600.0
"""A look-up starts this long before a transition was recorded: more than two clocks differ."""

_FIRST_WAIT_SECONDS: Final = 1.0
_LONGEST_WAIT_SECONDS: Final = 60.0


class SupersededError(Exception):
    """Another alerter has claimed a newer epoch: this one must not say anything any more."""


@dataclass(frozen=True, slots=True)
class Start:
    """The state-at-start message of the rules that went live at one height; `time` is its block's, in seconds."""

    height: int
    time: int
    rule_ids: tuple[str, ...]
    chain: str


@dataclass(frozen=True, slots=True)
class Job:
    """One message. `inherited`: another process may have sent it. `tries` counts what went wrong."""

    alert_id: str
    sequence: int
    action: str
    rule_id: str
    recorded_at: float
    transition: AlertTransition | None = None
    start: Start | None = None
    weeks: int = 0
    inherited: bool = False
    tries: int = 0

    @property
    def key(self) -> tuple[str, int, str]:
        """What identifies it to its notifier."""
        return self.alert_id, self.sequence, self.action


def start_id(dataset: str, chain: str, height: int) -> str:
    """The name of a state-at-start message, in the place of an alert's."""
    return hashlib.sha256(f"start\0{dataset}\0{chain}\0{height}".encode()).hexdigest()[:16]


def actions(transition: AlertTransition, *, fired_before: bool) -> tuple[str, ...]:
    """What is done about a transition that is told: the first firing is a message of its own; later ones edit it and answer it.

    `restated` rows only set the root right: the retraction before them has said why.
    """
    if transition.state == "firing" and not fired_before:
        return ("post",)
    if transition.reason == "restated":
        return ("update",)
    return ("update", "thread")


class Courier:
    """Takes jobs from any thread; `run_due` sends what can be sent, in order, from one thread with a store of its own."""

    def __init__(
        self,
        store: Store,
        notifier: Notifier,
        *,
        versions: Versions,
        rules: Iterable[Rule],
        dataset: str,
        clock: Clock,
        on_success: Callable[[float], None] = lambda now: None,
    ) -> None:
        self._store = store
        self._notifier = notifier
        self._versions = versions
        self._rules: Mapping[str, Rule] = {rule.id: rule for rule in rules}
        self._dataset = dataset
        self._clock = clock
        self._on_success = on_success
        self._jobs: deque[Job] = deque()
        self._done: dict[tuple[str, int, str], Delivery] = {}
        self._told: dict[str, list[AlertTransition]] = {}
        self._queued: set[tuple[str, int, str]] = set()
        self._unwritten: Delivery | None = None
        self._not_before = float("-inf")
        self._wait_seconds = _FIRST_WAIT_SECONDS
        self.trouble: str | None = None
        """Why nothing can be sent just now; None where all is well."""

    @property
    def waiting(self) -> int:
        """Messages still to be sent, or whose row is still to be written."""
        return len(self._jobs) + (self._unwritten is not None)

    @property
    def name(self) -> str:
        """The notifier's."""
        return self._notifier.name

    def load(self) -> None:
        """Take up what earlier processes left unsent."""
        self._done = {found.key: found for found in self._store.deliveries(self._notifier.name)}
        for transition in self._store.transitions(told=True):
            self.tell(transition, inherited=True)

    def tell(self, transition: AlertTransition, *, inherited: bool = False) -> None:
        """Queue the messages of a transition that is told; nothing for one that is not, or was."""
        if not transition.notify:
            return
        rows = self._told.setdefault(transition.alert_id, [])
        if any(row.sequence == transition.sequence for row in rows):
            return  # written again with new evidence
        fired_before = any(row.state == "firing" for row in rows)
        rows.append(transition)
        for action in actions(transition, fired_before=fired_before):
            self._queue(
                Job(
                    transition.alert_id,
                    transition.sequence,
                    action,
                    transition.rule_id,
                    transition.recorded_at_ms / 1000,
                    transition=transition,
                    inherited=inherited,
                )
            )

    def announce_start(self, start: Start, *, inherited: bool) -> None:
        """Queue the state-at-start message, unless it was sent."""
        alert_id = start_id(self._dataset, start.chain, start.height)
        self._queue(Job(alert_id, 0, "start", ALL_RULES, float(start.time), start=start, inherited=inherited))

    def remind(self, firing: Iterable[AlertTransition]) -> None:
        """Queue the weekly reminder that is due for each alert that still fires (its firing row); missed weeks are not made up.

        Weeks count from the alert's own message, or from the state at start where it fired before go-live.
        """
        now = self._clock.now()
        for first in firing:
            root = self._root(first.alert_id) or self._start()
            weeks = int((now - root.updated_at) // WEEK_SECONDS) if root else 0
            if weeks >= 1:
                action = f"reminder-{weeks}"
                self._queue(
                    Job(first.alert_id, first.sequence, action, first.rule_id, now, first, weeks=weeks, inherited=True)
                )

    def run_due(self) -> float:
        """Send what is due; seconds until it is worth calling again (infinite where nothing waits). SupersededError stops it all."""
        while self._jobs or self._unwritten:
            left = self._not_before - self._clock.monotonic()
            if left > 0:
                return left
            try:
                if not self._step():
                    return 0.0
            except (NotAcceptedError, AmbiguousError) as error:
                self._postpone(str(error), error, ambiguous=isinstance(error, AmbiguousError))
            except (RetryableError, ConfigError) as error:
                self._postpone(str(error), error, ambiguous=False)
        return float("inf")

    def _step(self) -> bool:
        """One message from its first check to its row; False where the pause between two messages comes first."""
        if self._unwritten is not None:
            self._write(self._unwritten)
            return True
        job = self._jobs[0]
        if self._muted(job):
            self._finish(job, "skipped", detail="muted")
            return True
        self._require_newest()
        thread = self._thread_of(job)
        text_key = ":".join(map(str, job.key))
        if job.action == "update":
            root = self._root(job.alert_id)
            if root is None:
                self._finish(job, "skipped", detail="there is no message to edit")
                return True
            return self._send(job, lambda message: self._edit(message, root))
        if job.inherited or job.tries:
            found = self._notifier.find(text_key, since=job.recorded_at - LOOK_BACK_SECONDS, thread=thread)
            if found:
                self._keep_first(found)
                self._finish(job, "sent", ts=found[0])
                return True
        return self._send(job, lambda message: self._notifier.post(message, text_key, thread=thread))

    def _send(self, job: Job, deliver: Callable[[Message], str]) -> bool:
        message = self._render(job)
        # A later try is ambiguous from here on: the process may die between the other side's accepting and our row.
        self._jobs[0] = replace(job, inherited=True)
        try:
            ts = deliver(message)
        except RefusedError as error:
            log.error("message refused", alert_id=job.alert_id, sequence=job.sequence, reason=str(error))
            try:
                ts = deliver(replace(message, blocks=()))
            except RefusedError:
                self._finish(job, "skipped", detail=str(error))
                return True
        crash_point("alerts-after-slack-accept")
        if job.action != "update" and (job.inherited or self._store.highest_epoch() != self._versions.epoch):
            since, thread = job.recorded_at - LOOK_BACK_SECONDS, self._thread_of(job)
            found = self._notifier.find(":".join(map(str, job.key)), since=since, thread=thread)
            ts = self._keep_first(found) or ts
        self._finish(job, "sent", ts=ts)
        if self._notifier.name == "slack":
            self._not_before = self._clock.monotonic() + MESSAGE_INTERVAL_SECONDS
        return True

    def _edit(self, message: Message, root: Delivery) -> str:
        self._notifier.edit(message, ":".join(map(str, root.key)), root.message_ts)
        return root.message_ts

    def _keep_first(self, found: Sequence[str]) -> str | None:
        for later in found[1:]:
            self._notifier.withdraw(later)
        return found[0] if found else None

    def _finish(self, job: Job, status: DeliveryStatus, *, ts: str = "", detail: str = "") -> None:
        delivery = Delivery(
            job.alert_id,
            job.sequence,
            self._notifier.name,
            job.action,
            status,
            self._notifier.channel,
            ts,
            job.tries + 1,
            detail,
            self._clock.now(),
        )
        self._done[job.key] = self._unwritten = delivery
        self._jobs.popleft()
        self._queued.discard(job.key)
        self.trouble = None
        self._wait_seconds = _FIRST_WAIT_SECONDS
        if status == "sent":
            self._on_success(delivery.updated_at)
        self._write(delivery)

    def _write(self, delivery: Delivery) -> None:
        self._store.write_delivery(delivery, self._versions.next())
        self._unwritten = None
        self.trouble = None

    def _postpone(self, reason: str, error: Exception, *, ambiguous: bool) -> None:
        if self._jobs and self._unwritten is None:
            job = self._jobs[0]
            self._jobs[0] = replace(job, tries=job.tries + 1, inherited=job.inherited or ambiguous)
        asked = getattr(error, "retry_after_seconds", None)
        self._not_before = self._clock.monotonic() + (asked or self._wait_seconds)
        self._wait_seconds = min(_LONGEST_WAIT_SECONDS, 2 * self._wait_seconds)
        if self.trouble is None:
            log.warning("cannot deliver", notifier=self._notifier.name, reason=reason, waiting=len(self._jobs))
        self.trouble = reason

    def _require_newest(self) -> None:
        if self._store.highest_epoch() != self._versions.epoch:
            raise SupersededError(f"a newer alerter than epoch {self._versions.epoch} is at work")

    def _queue(self, job: Job) -> None:
        if job.key not in self._done and job.key not in self._queued:
            self._queued.add(job.key)
            self._jobs.append(job)

    def _root(self, alert_id: str) -> Delivery | None:
        for row in self._told.get(alert_id, ()):
            found = self._done.get((alert_id, row.sequence, "post"))
            if found is not None and found.status == "sent":
                return found
        return None

    def _start(self) -> Delivery | None:
        return next((d for d in self._done.values() if d.action == "start" and d.status == "sent"), None)

    def _thread_of(self, job: Job) -> str | None:
        if job.action in ("post", "start"):
            return None
        root = self._root(job.alert_id) or (self._start() if job.weeks else None)
        return root.message_ts if root else None

    def _muted(self, job: Job) -> bool:
        if job.start is not None:
            return False
        mutes = self._store.mutes()
        until = max(mutes.get(job.rule_id, 0.0), mutes.get(ALL_RULES, 0.0))
        return self._clock.now() < until

    def _render(self, job: Job) -> Message:
        if job.start is not None:
            return self._render_start(job.start)
        assert job.transition is not None  # noqa: S101 - a job is a start or has a transition
        if job.weeks:
            return reminder_message(job.transition, job.weeks, self._context(job.transition))
        rows = self._told[job.alert_id]
        if job.action == "update":
            return changed_root(rows[0], job.transition, self._context(rows[0]))
        return transition_message(job.transition, self._context(job.transition), root=job.action == "post")

    def _context(self, transition: AlertTransition) -> Context:
        rule = self._rules.get(transition.rule_id)
        found = transition.evidence
        past: list[Past] = []
        tip: int | None = None
        if found.chain and found.attribution_id and found.height is not None and found.view and found.window_blocks:
            current = self._store.tip(found.chain, found.attribution_id)
            tip = current[0] if current else None
            for ago in (144, 1008):
                at = found.height - ago
                series = self._store.series(
                    found.chain, found.attribution_id, found.view, found.window_blocks, low=at, high=at
                )
                if len(series):
                    past.append(Past(ago, int(series.n[0]), dict(series.named_counts(0))))
        return Context(
            title=rule.name if rule else transition.rule_id,
            condition=rule.condition() if rule else "a rule that is no longer in the file",
            dataset=self._dataset,
            share=transition.value_high is not None,
            tip_height=tip,
            past=tuple(past),
        )

    def _render_start(self, start: Start) -> Message:
        readings: list[tuple[str, str]] = []
        attribution_id = self._store.attribution_id(start.chain)
        for rule_id in start.rule_ids:
            rule = self._rules.get(rule_id)
            if not isinstance(rule, HeightRule) or attribution_id is None:
                continue
            series = self._store.series(
                rule.chain, attribution_id, rule.view, rule.window_blocks, low=start.height, high=start.height
            )
            if not len(series) or not int(series.n[0]):
                continue
            reading = rule.reading(series, 0)
            value = f"{100 * reading.value:.1f} %" if reading.unit == "share" else f"{reading.value:.3f}"
            readings.append((rule.name, f"{value} ({rule.condition()})"))
        return start_message(
            readings, self._open_at(start), dataset=self._dataset, height=start.height, time=start.time
        )

    def _open_at(self, start: Start) -> list[AlertTransition]:
        """The alerts that were open once the block at go-live was taken in."""
        latest: dict[str, AlertTransition] = {}
        for row in self._store.transitions():
            height = row.evidence.height
            if row.rule_id in start.rule_ids and height is not None and height <= start.height:
                latest[row.alert_id] = row
        return [row for row in latest.values() if row.state in OPEN_STATES]
