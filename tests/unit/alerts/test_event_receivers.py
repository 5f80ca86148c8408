"""Receivers that are programs: every step is one event, in order, and what fires is renewed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from alerts.machine.ledger import LedgerEntry
from alerts.outbox.receivers.receiver import Ability, AmbiguousError, NotAcceptedError
from alerts.outbox.render import Message
from alerts.outbox.routes import Route
from alerts.policy import Action
from alerts.store.alert_mutes_log import Mute
from tests.unit.alerts.slack_world import Alerter, Died, HandClock, Rows

ALERT, HASH = "a" * 16, "c" * 12


@dataclass
class MemoryProgram:
    """`keys`: of every request that was taken. `plan` is how the next requests fail."""

    name: str = "webhook"
    channel: str = "here"
    abilities: frozenset[Ability] = frozenset({"events", "renew"})
    pause_seconds: float = 0.0
    keys: list[str] = field(default_factory=list)
    plan: list[str] = field(default_factory=list)
    down: bool = False

    def post(self, message: Message, key: str, *, thread: str | None) -> str:
        failure = self.plan.pop(0) if self.plan else None
        if self.down:
            raise NotAcceptedError("refuses connections")
        if failure == "before":
            raise AmbiguousError("no answer")
        self.keys.append(key)
        if failure == "after":
            raise AmbiguousError("no answer")
        if failure == "death":
            raise Died
        return key

    def edit(self, message: Message, key: str, message_ts: str) -> None:
        raise AssertionError("an event is not edited")

    def find(self, key: str, *, since: float, thread: str | None) -> list[str]:
        return []

    def withdraw(self, message_ts: str) -> None:
        raise AssertionError("an event is not taken back")

    def check(self) -> str | None:
        return None

    @property
    def events(self) -> list[str]:
        """The events as a program sees them that ignores repeated ones."""
        return list(dict.fromkeys(self.keys))


def entry(sequence: int, state: str, reason: str = "observed") -> LedgerEntry:
    return LedgerEntry(ALERT, sequence, state, 10, "t", reason=reason, notify=True, rule_hash=HASH)  # type: ignore[arg-type]


STEPS = [
    entry(1, "firing"),
    entry(2, "retracted", "reorg"),
    entry(3, "firing", "restated"),
    entry(4, "resolved"),
]
EVENTS = [f"{ALERT}:1:post", f"{ALERT}:2:thread", f"{ALERT}:3:thread", f"{ALERT}:4:thread"]


@pytest.mark.parametrize("seed", range(100))
def test_every_step_arrives_in_order_whatever_fails(seed: int) -> None:
    rng, clock, rows, program = random.Random(seed), HandClock(), Rows(), MemoryProgram()
    alerter = Alerter(rows, program, clock)
    for step in STEPS:
        program.plan += [rng.choice(("before", "after", "death")) for _ in range(rng.randint(0, 2))]
        alerter.record([step])
        try:
            alerter.work(rng.choice((0.0, 1.0, 20.0)))
        except Died:
            alerter = Alerter(rows, program, clock)
    while True:
        try:
            alerter.work(1_000.0)
            break
        except Died:
            alerter = Alerter(rows, program, clock)
    assert program.events == EVENTS


def test_after_an_outage_each_step_arrives_and_no_digest() -> None:
    clock, rows, program = HandClock(), Rows(), MemoryProgram(down=True)
    alerter = Alerter(rows, program, clock)
    alerter.record(STEPS)
    alerter.work(4_000.0)
    program.down = False
    alerter.work(10.0)
    assert program.keys == EVENTS


def test_what_fires_is_renewed_and_what_ended_is_not() -> None:
    clock, rows, program = HandClock(), Rows(), MemoryProgram()
    alerter = Alerter(rows, program, clock)
    alerter.record(STEPS[:1])
    alerter.work(1.0)
    [fired] = rows.transitions(announced=True)
    for _ in range(3):
        alerter.outbox.remind([fired])
        alerter.work(60.0)
    renewed = f"{ALERT}:1:renew"
    assert program.keys == [EVENTS[0], renewed, renewed, renewed]
    program.down = True
    for _ in range(5):
        alerter.outbox.remind([fired])
        alerter.work(60.0)
    program.down = False
    alerter.work(5.0)
    assert program.keys[4:] == [renewed], "once, as soon as it can be sent"
    alerter.record(STEPS[1:])
    alerter.outbox.remind([])
    alerter.work(600.0)
    assert program.keys[5:] == EVENTS[1:]
    assert {row.action for row in rows.read()} == {"post", "thread"}


def test_without_renewal_a_program_gets_a_reminder_a_week() -> None:
    clock, rows = HandClock(), Rows()
    program = MemoryProgram(abilities=frozenset({"events"}))
    alerter = Alerter(rows, program, clock)
    alerter.record(STEPS[:1])
    alerter.work(8 * 86_400.0)
    alerter.outbox.remind(rows.transitions(announced=True))
    alerter.work(10.0)
    assert program.keys == [EVENTS[0], f"{ALERT}:1:reminder-1"]


@dataclass
class Incidents:
    """A program that gets each step once, and what may keep a step back from it."""

    clock: HandClock = field(default_factory=HandClock)
    rows: Rows = field(default_factory=Rows)
    program: MemoryProgram = field(default_factory=lambda: MemoryProgram(abilities=frozenset({"events"})))

    def begin(self, *, elsewhere: bool = False) -> Alerter:
        routes = (Route({"rule": "rule"}, frozenset({"another"})),) if elsewhere else ()
        return Alerter(self.rows, self.program, self.clock, routes=routes)

    def keep_back(self, how: str) -> Alerter:
        """From now on nothing new of the alert goes to the program."""
        if how == "silence":
            self.rows.actions.rows.append(Action("5" * 16, "silence", self.clock.at, matchers={"rule": "rule"}))
        if how == "mute":
            self.rows.mutes.by_rule["rule"] = Mute("rule", 4e9, muted_at=self.clock.at)
        return self.begin(elsewhere=how == "route")

    def allow(self) -> Alerter:
        self.rows.actions.rows.clear()
        self.rows.mutes.by_rule.clear()
        return self.begin()


@pytest.mark.parametrize("how", ["silence", "mute", "route"])
def test_the_end_of_what_was_sent_is_sent_whatever_keeps_news_back(how: str) -> None:
    desk = Incidents()
    alerter = desk.begin()
    alerter.record(STEPS[:1])
    alerter.work(5.0)
    alerter = desk.keep_back(how)
    alerter.record([entry(2, "resolved")])
    alerter.work(5.0)
    assert desk.program.keys == [EVENTS[0], f"{ALERT}:2:thread"], (
        "an incident that is never closed is worse than a message"
    )
    alerter = desk.allow()
    alerter.outbox.remind([])
    alerter.work(5.0)
    assert len(desk.program.keys) == 2


@pytest.mark.parametrize("how", ["silence", "mute", "route"])
def test_the_end_of_what_was_kept_back_is_kept_back_too(how: str) -> None:
    desk = Incidents()
    alerter = desk.keep_back(how)
    alerter.record(STEPS)
    alerter.work(5.0)
    assert desk.program.keys == []


@pytest.mark.parametrize("how", ["silence", "mute", "route"])
@pytest.mark.parametrize("dies", [False, True])
def test_what_fires_again_after_an_end_that_was_sent_is_sent_later(how: str, dies: bool) -> None:
    desk = Incidents()
    alerter = desk.begin()
    alerter.record(STEPS[:1])
    alerter.work(5.0)
    fired = desk.rows.transitions(announced=True)
    alerter = desk.keep_back(how)
    alerter.record(STEPS[1:3])
    for _ in range(2):
        alerter.work(5.0)
        alerter.outbox.remind(fired)
    assert desk.program.keys == EVENTS[:2], "the retraction ends it"
    alerter = desk.allow()
    alerter.outbox.remind(fired)
    if dies:
        alerter = desk.begin()  # before it was sent
    alerter.work(5.0)
    alerter.outbox.remind(fired)
    alerter.work(5.0)
    assert desk.program.keys == EVENTS[:3]
