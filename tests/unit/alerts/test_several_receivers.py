"""Several receivers at once: each gets each message once, whichever of them is down and whenever the alerter dies."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import cast

import pytest

from alerts.machine.ledger import LedgerEntry
from alerts.outbox.delivery_policy import Policy, SendEverything
from alerts.outbox.inherited import Inherited
from alerts.outbox.outbox import Outbox
from alerts.outbox.sent import NOT_ROUTED
from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.alert_transition import AlertTransition
from counterpoise.runtime.clock import Clock
from tests.unit.alerts.slack_world import Died, HandClock, MemorySlack, PlainRenderer, Rows, transition_of

FIRST, SECOND, HASH = "a" * 16, "b" * 16, "c" * 12


def fires(alert_id: str) -> LedgerEntry:
    return LedgerEntry(alert_id, 1, "firing", 10, "t", notify=True, previous="pending", rule_hash=HASH)


def resolves(alert_id: str) -> LedgerEntry:
    return LedgerEntry(alert_id, 2, "resolved", 20, "t", notify=True, previous="firing", rule_hash=HASH)


class RoutedElsewhere(SendEverything):
    def left_out(self, transition: AlertTransition, fired: AlertTransition | None) -> str | None:
        return NOT_ROUTED


class Office:
    """Two channels, and an alerter that sends to those that are named."""

    def __init__(self) -> None:
        self.clock, self.rows = HandClock(), Rows()
        self.slacks = {name: MemorySlack(self.clock, name=name, channel=name) for name in ("desk", "ops")}
        self.joined: dict[str, int] = {}
        self.outboxes: Mapping[str, Outbox] = {}
        self.versions = Versions(1)

    def begin(self, *names: str, policy: Policy | None = None) -> dict[str, bool]:
        """A new alerter with these receivers, `policy` being that of `ops`; which of them are new."""
        self.rows.epoch += 1
        self.versions = Versions(self.rows.epoch)
        joining = self.versions.next()
        self.joined = {name: self.joined.get(name, joining) for name in names}
        self.outboxes = {
            name: Outbox(
                cast(AlertStore, self.rows),
                self.slacks[name],
                versions=self.versions,
                renderer=PlainRenderer(),
                dataset="test",
                clock=cast(Clock, self.clock),
                policy=policy if name == "ops" else None,
            )
            for name in names
        }
        inherited = Inherited.read(cast(AlertStore, self.rows))
        return {name: outbox.load(inherited, self.joined[name]) for name, outbox in self.outboxes.items()}

    def record(self, *entries: LedgerEntry) -> list[AlertTransition]:
        rows = [transition_of(entry, self.clock.at) for entry in entries]
        self.rows.keep(rows, self.versions.next())
        for row in rows:
            for outbox in self.outboxes.values():
                outbox.enqueue(row)
        return rows

    def work(self, seconds: float, *names: str) -> None:
        end = self.clock.at + seconds
        while self.clock.at < end:
            waits = [self.outboxes[name].run_due() for name in names or self.outboxes]
            self.clock.at = min(end, self.clock.at + max(min(waits, default=seconds), 0.001))

    def keys(self, name: str) -> list[str]:
        return sorted(message.key for message in self.slacks[name].messages.values())


def test_a_receiver_that_is_down_holds_up_no_other_and_gets_all_later() -> None:
    office = Office()
    office.begin("desk", "ops")
    office.slacks["ops"].down = True
    office.record(fires(FIRST), resolves(FIRST))
    office.work(30.0)
    assert office.keys("desk") == [f"{FIRST}:1:post", f"{FIRST}:2:thread"]
    office.begin("desk", "ops")  # killed meanwhile: what the other one has is not taken for sent here
    office.slacks["ops"].down = False
    office.work(30.0)
    assert office.keys("ops") == office.keys("desk")


def test_one_that_joins_later_gets_no_history_and_one_that_returns_no_gap() -> None:
    office = Office()
    assert office.begin("desk") == {"desk": False}
    office.record(fires(FIRST), resolves(FIRST))
    office.work(30.0)
    assert office.begin("desk", "ops") == {"desk": False, "ops": True}
    office.record(fires(SECOND))
    office.work(30.0)
    assert office.keys("ops") == [f"{SECOND}:1:post"]
    office.begin("desk")
    office.record(resolves(SECOND))
    office.work(30.0)
    office.begin("desk", "ops")
    office.work(30.0)
    assert office.keys("ops") == [f"{SECOND}:1:post"]
    assert office.keys("desk")[-1] == f"{SECOND}:2:thread"


def test_what_is_routed_to_others_is_left_out_until_the_routes_change() -> None:
    office = Office()
    office.begin("desk", "ops", policy=RoutedElsewhere())
    [fired, _] = [*office.record(fires(FIRST)), *office.record(fires(SECOND), resolves(SECOND))][:2]
    office.work(30.0)
    assert office.keys("ops") == []
    office.begin("desk", "ops")
    office.work(30.0)
    assert office.keys("ops") == [], "what is over is no news"
    for outbox in office.outboxes.values():
        outbox.remind([fired])
    office.work(30.0)
    assert office.keys("ops") == [f"{FIRST}:1:post"], "what still fires is"


@pytest.mark.parametrize("seed", range(200))
def test_each_receiver_gets_each_message_once_whatever_fails(seed: int) -> None:
    rng, office = random.Random(seed), Office()
    office.begin("desk", "ops")
    steps = [one for at in range(6) for one in ([fires(f"{at:016x}")], [resolves(f"{at:016x}")])]
    for entries in steps:
        office.record(*entries)
        slack = office.slacks[rng.choice(("desk", "ops"))]
        slack.plan += [rng.choice(("before", "after", "death", "refuse")) for _ in range(rng.randint(0, 2))]
        try:
            office.work(rng.choice((0.0, 1.0, 20.0)), *rng.sample(("desk", "ops"), rng.randint(1, 2)))
        except Died:
            office.begin("desk", "ops")
        if rng.random() < 0.2:
            office.begin("desk", "ops")
    while True:
        try:
            office.work(8_000.0)
            break
        except Died:
            office.begin("desk", "ops")
    every = sorted(f"{at:016x}:{sequence}" for at in range(6) for sequence in (1, 2))
    for name in ("desk", "ops"):
        found = office.keys(name)
        assert len(set(found)) == len(found)
        named = {key.rpartition(":")[0] for key in found if not key.endswith("digest")}
        digests = " ".join(m.text for m in office.slacks[name].messages.values() if m.key.endswith("digest"))
        assert all(one in named or one.partition(":")[0] in digests for one in every), (seed, found, digests)
