"""An alerter's rows, its Slack and its clock in memory: what a test needs to try thousands of ways in which they fail together.

The rows behave as the tables do: of one key the highest version counts, and rows of alerts are refused under an old epoch. The
Slack behaves as the real one does when it fails; the tests in `tests/integration/alerts` use a server over HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from alerts.machine.ledger import LedgerEntry
from alerts.outbox.alert_chart import Picture
from alerts.outbox.delivery_policy import DeliveryPolicy
from alerts.outbox.groups import GroupView, head_of, lines_of
from alerts.outbox.inherited import Inherited
from alerts.outbox.jobs import ACKNOWLEDGED, Job
from alerts.outbox.outbox import Outbox, SupersededError
from alerts.outbox.receivers.receiver import (
    Ability,
    AmbiguousError,
    NotAcceptedError,
    NotThisWayError,
    Receiver,
    ReceiverRefusedError,
    UnknownAnswerError,
)
from alerts.outbox.render import Message, mark_of
from alerts.outbox.routes import Route
from alerts.policy import WEEK_SECONDS, Action
from alerts.store.alert_mutes_log import Mute
from alerts.store.alert_store import AlertStore
from alerts.store.delivery import Delivery
from alerts.store.sending_checks import Checked
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.alert_transition import AlertTransition
from counterpoise.runtime.clock import Clock

CHANNEL = "C0"


class Died(BaseException):
    """The process ends here."""


@dataclass
class HandClock:
    """A clock that stands until it is moved."""

    at: float = 1_700_000_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class _People:
    """What people asked for."""

    rows: list[Action] = field(default_factory=list)
    reads: int = 0

    def mark(self) -> tuple[int, int]:
        return len(self.rows), 0

    def read_current(self, now: float) -> list[Action]:
        self.reads += 1
        return list(self.rows)

    def read(self) -> list[Action]:
        return list(self.rows)


@dataclass
class _Mutes:
    by_rule: dict[str, Mute] = field(default_factory=dict)

    def read(self) -> dict[str, Mute]:
        return dict(self.by_rule)


class _Checks:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.reads = 0

    def read(self) -> Checked:
        self.reads += 1
        return Checked(self._rows.epoch, self._rows.actions.mark(), self._rows.mutes.read())


class Rows:
    """The tables that an outbox reads and writes."""

    def __init__(self) -> None:
        self.epoch = 0
        self._deliveries: dict[tuple[str, int, str, str], tuple[int, Delivery]] = {}
        self._events: dict[tuple[str, int], tuple[int, int, AlertTransition]] = {}
        self._written = 0
        self.deliveries = self.events = self.epochs = self
        self.sending_checks = _Checks(self)
        self.actions, self.mutes = _People(), _Mutes()
        self.joined: dict[str, int] = {}
        """Receiver → the version at which it joined, where there are several."""

    def highest(self) -> int:
        return self.epoch

    def read(self) -> list[Delivery]:
        ordered = sorted(self._deliveries.values(), key=lambda pair: pair[0])
        return [replace(found, version=version) for version, found in ordered]

    def write(self, rows: Sequence[Delivery], version: int) -> None:
        for row in rows:
            key = (row.alert_id, row.sequence, row.receiver, row.action)
            if version >= self._deliveries.get(key, (0, row))[0]:
                self._deliveries[key] = (version, row)

    def keep(self, transitions: Sequence[AlertTransition], version: int) -> None:
        for row in transitions:
            self._written += 1
            key = (row.alert_id, row.sequence)
            if version >= self._events.get(key, (0, 0, row))[0]:
                self._events[key] = (version, self._written, row)

    def transitions(self, *, announced: bool = False) -> list[AlertTransition]:
        ordered = sorted(self._events.values(), key=lambda found: found[:2])
        return [row for _, _, row in ordered if row.notify or not announced]


@dataclass
class Posted:
    """A message; its history shows it from `shown_at` on. `asked_at`: when the call began that posted it."""

    ts: float
    key: str
    text: str
    thread: str | None
    shown_at: float
    asked_at: float


@dataclass
class MemorySlack:
    """`plan` is how the next calls fail, in order. `unknown`: how often the post of a key fails for an unknown reason. `meanwhile`:
    what happens once while a post is under way."""

    clock: HandClock
    name: str = "slack"
    channel: str = CHANNEL
    abilities: frozenset[Ability] = frozenset({"edit", "thread", "find"})
    pause_seconds: float = 1.0
    messages: dict[str, Posted] = field(default_factory=dict)
    pictures: list[tuple[str, str]] = field(default_factory=list)
    """(alert, thread) of what was shown."""
    late: list[tuple[float, Posted]] = field(default_factory=list)
    plan: list[str] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)
    lag_seconds: float = 0.0
    down: bool = False
    locked: bool = False
    meanwhile: Callable[[], None] | None = None
    _count: int = 0

    def arrive(self) -> None:
        """Slack takes what it had accepted late."""
        for at, message in list(self.late):
            if at <= self.clock.at:
                self.messages[f"{message.ts:.6f}"] = message
                self.late.remove((at, message))

    def post(self, message: Message, key: str, *, thread: str | None) -> str:
        failure, asked_at = self._failure(), self.clock.at
        self._happen()
        if self.unknown.get(key, 0) > 0:
            self.unknown[key] -= 1
            raise UnknownAnswerError("Slack answers a_code_of_tomorrow")
        if thread is not None and (self.locked or thread not in self.messages):
            raise NotThisWayError("Slack refuses the reply: restricted_action_thread_locked")
        if failure == "before":
            raise AmbiguousError("no answer")
        self._count += 1
        ts = self.clock.at + self._count / 1_000_000
        posted = Posted(ts, key, message.text, thread, self.clock.at + self.lag_seconds, asked_at)
        if failure == "late":
            self.late.append((self.clock.at + 200.0, posted))
            raise AmbiguousError("no answer")
        self.messages[f"{ts:.6f}"] = posted
        if failure == "after":
            raise AmbiguousError("no answer")
        if failure == "death":
            raise Died
        return f"{ts:.6f}"

    def edit(self, message: Message, key: str, message_ts: str) -> None:
        failure = self._failure()
        if failure == "before":
            raise AmbiguousError("no answer")
        if message_ts not in self.messages:
            raise NotThisWayError("Slack refuses the edit: message_not_found")
        self.messages[message_ts].text = message.text
        if failure in ("after", "late"):
            raise AmbiguousError("no answer")
        if failure == "death":
            raise Died

    def find(self, key: str, *, since: float, thread: str | None) -> list[str]:
        if self._failure() in ("before", "after", "late"):
            raise AmbiguousError("no answer")
        if thread is not None and thread not in self.messages:
            raise NotThisWayError("Slack refuses the read: thread_not_found")
        shown = (m for m in self.messages.values() if m.key == key and m.shown_at <= self.clock.at and m.ts >= since)
        return sorted(f"{m.ts:.6f}" for m in shown)

    def withdraw(self, message_ts: str) -> None:
        if self._failure() in ("before", "after", "late"):
            raise AmbiguousError("no answer")
        self.messages.pop(message_ts, None)

    def upload(self, picture: Picture) -> str:
        if self._count % 2:  # else within `show`
            self._happen()
        if self._failure() in ("before", "after", "late"):
            raise AmbiguousError("no answer")
        self._count += 1
        return f"F{self._count}"

    def show(self, picture_id: str, picture: Picture, *, thread: str) -> None:
        failure = self._failure()
        self._happen()
        if failure == "before":
            raise AmbiguousError("no answer")
        self.pictures.append((picture.name, thread))
        if failure in ("after", "late"):
            raise AmbiguousError("no answer")
        if failure == "death":
            raise Died

    def check(self) -> str | None:
        return None

    def _happen(self) -> None:
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            happens()

    def _failure(self) -> str | None:
        self.arrive()  # however far the clock moved since the last call
        if self.down:
            raise NotAcceptedError("Slack refuses connections")
        failure = self.plan.pop(0) if self.plan else None
        if failure == "refuse":
            raise NotAcceptedError("Slack asks us to slow down", 1.0)
        if failure == "never":
            raise ReceiverRefusedError("Slack refuses the message: msg_too_long")
        return failure


class PlainRenderer:
    """The state and the alert: what the tests look for."""

    def prepare(self, shown: Sequence[AlertTransition]) -> None:
        """There is nothing to read."""

    def render(self, job: Job, announced: Sequence[AlertTransition], group: GroupView | None = None) -> Message:
        if group is not None and len(group.members) > 1:
            lines = lines_of(group.members)
            text = "\n".join([head_of(lines), *(f"{mark_of(one.latest)} {one.fired.alert_id}" for one in lines)])
        elif job.members:
            text = "digest " + " ".join(row.alert_id for row in job.members)
        elif job.action == "update":
            text = f"{mark_of(job.transition or announced[-1])} {job.alert_id}"
        elif job.kind == ACKNOWLEDGED:
            text = f"{mark_of(announced[-1])} {job.alert_id} {job.action}"
        else:
            assert job.transition is not None
            text = f"{mark_of(job.transition)} {job.alert_id}"
        return Message(text, ({"type": "section"},), text)


def transition_of(entry: LedgerEntry, recorded_at: float, rule_id: str = "rule") -> AlertTransition:
    return AlertTransition(
        alert_id=entry.alert_id,
        sequence=entry.sequence,
        rule_id=rule_id,
        rule_hash=entry.rule_hash,
        state=entry.state,
        previous_state=entry.previous,
        reason=entry.reason,
        notify=entry.notify,
        undoes=entry.undoes,
        event_time=int(recorded_at),
        recorded_at_ms=int(recorded_at * 1000),
        summary="-",
    )


class Alerter:
    """The alerter of an epoch: it writes rows and has an outbox for each receiver. `value` is that of every rule now."""

    def __init__(
        self,
        rows: Rows,
        slack: Receiver,
        clock: HandClock,
        *,
        beside: Sequence[Receiver] = (),
        repeat_seconds: float = WEEK_SECONDS,
        value: float | None = None,
        routes: Sequence[Route] = (),
        picture: Callable[[AlertTransition], Picture | None] = lambda fired: Picture(b"png", fired.alert_id, "-", "-"),
    ) -> None:
        rows.epoch += 1
        self.rows, self.clock, self.value = rows, clock, value
        self.versions = Versions(rows.epoch)
        slacks = (slack, *beside)
        names = tuple(one.name for one in slacks)
        joined = self.versions.next()
        self.outboxes = [
            Outbox(
                cast(AlertStore, rows),
                one,
                versions=self.versions,
                renderer=PlainRenderer(),
                dataset="test",
                clock=cast(Clock, clock),
                policy=DeliveryPolicy(
                    cast(AlertStore, rows),
                    (),
                    receiver=one.name,
                    receivers=names,
                    routes=routes,
                    clock=cast(Clock, clock),
                    value_now=lambda _: self.value,
                ),
                repeat_seconds=repeat_seconds,
                picture=picture,
            )
            for one in slacks
        ]
        inherited = Inherited.read(cast(AlertStore, rows))
        for outbox in self.outboxes:
            outbox.load(inherited, rows.joined.setdefault(outbox.name, joined) if len(slacks) > 1 else None)

    @property
    def outbox(self) -> Outbox:
        """That of the first receiver."""
        return self.outboxes[0]

    def record(
        self, entries: Sequence[LedgerEntry], rule_id: str = "rule", meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        """Write rows as the session does, under the fence, and hand them to the outboxes. `meanwhile`: while they are stored."""
        transitions = [transition_of(entry, self.clock.at + at / 1000, rule_id) for at, entry in enumerate(entries)]
        for outbox in self.outboxes:
            outbox.prepare([one for one in transitions if one.notify])
        meanwhile()
        if self.rows.epoch != self.versions.epoch:
            raise SupersededError
        self.rows.keep(transitions, self.versions.next())
        for transition in transitions:
            for outbox in self.outboxes:
                outbox.enqueue(transition)

    def remind(self, firing: Sequence[AlertTransition]) -> None:
        """As the session does: what still fires, by its first firing."""
        for outbox in self.outboxes:
            outbox.remind(firing)

    def work(self, seconds: float) -> None:
        """Let the outboxes work for that long."""
        end = self.clock.at + seconds
        while True:
            wait = min(outbox.run_due() for outbox in self.outboxes)
            if self.clock.at + wait > end:
                self.clock.at = max(self.clock.at, end)
                return
            self.clock.at += max(wait, 0.001)
