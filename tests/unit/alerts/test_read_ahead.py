"""What is asked before a message is read while its row is being stored, and is good for that message alone."""

from __future__ import annotations

import pytest

from alerts.machine.ledger import LedgerEntry
from alerts.outbox.outbox import READ_AHEAD_SECONDS, SupersededError
from alerts.policy import Action
from tests.unit.alerts.slack_world import Alerter, HandClock, MemorySlack, Rows

FIRST, SECOND = "a" * 16, "b" * 16


def entry(alert_id: str, sequence: int = 1, state: str = "firing") -> LedgerEntry:
    return LedgerEntry(alert_id, sequence, state, 10, "t", notify=True, rule_hash="c" * 12)  # type: ignore[arg-type]


class World:
    """An alerter, its rows and its Slack."""

    def __init__(self) -> None:
        self.clock, self.rows = HandClock(), Rows()
        self.slack = MemorySlack(self.clock)
        self.alerter = self.begin()

    def begin(self) -> Alerter:
        return Alerter(self.rows, self.slack, self.clock)

    def silence(self) -> None:
        self.rows.actions.rows.append(Action("0" * 16, "silence", self.clock.at, until=self.clock.at + 1_000.0))

    @property
    def checks(self) -> int:
        return self.rows.sending_checks.reads

    @property
    def keys(self) -> list[str]:
        return [message.key for message in self.slack.messages.values()]


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("state", ["firing", "resolved"])
def test_nothing_is_asked_between_the_row_and_its_first_message(world: World, state: str) -> None:
    if state == "resolved":
        world.alerter.record([entry(FIRST)])
        world.alerter.work(5.0)
    stored: list[int] = []
    world.alerter.record([entry(FIRST, 2, state)], meanwhile=lambda: stored.append(world.checks))
    world.alerter.outbox.run_due()
    assert stored == [world.checks]
    assert len(world.keys) == 1


def test_the_message_after_it_is_asked_for(world: World) -> None:
    world.alerter.record([entry(FIRST), entry(SECOND)])
    before = world.checks
    world.alerter.work(0.0)
    world.silence()
    world.alerter.work(5.0)
    assert world.keys == [f"{FIRST}:1:post"]
    assert world.checks > before


def test_what_was_asked_a_while_ago_is_asked_again(world: World) -> None:
    world.alerter.record([entry(FIRST)])
    world.silence()
    world.clock.sleep(READ_AHEAD_SECONDS + 0.1)
    world.alerter.work(5.0)
    assert world.keys == []


def test_what_was_asked_serves_no_other_message(world: World) -> None:
    world.slack.down = True
    world.alerter.record([entry(FIRST)])
    world.alerter.work(0.5)
    world.slack.down = False
    world.clock.sleep(10.0)  # the first message is due again
    world.alerter.outbox.prepare([])
    before = world.checks
    world.alerter.work(5.0)
    assert world.keys == [f"{FIRST}:1:post"]
    assert world.checks > before


def test_an_alerter_that_is_replaced_while_its_row_is_stored_sends_nothing(world: World) -> None:
    with pytest.raises(SupersededError):
        world.alerter.record([entry(FIRST)], meanwhile=lambda: setattr(world.rows, "epoch", world.rows.epoch + 1))
    world.alerter.outbox.run_due()
    assert world.keys == []


def test_an_alerter_that_is_replaced_behind_its_row_leaves_one_message(world: World) -> None:
    world.alerter.record([entry(FIRST)])
    successor = world.begin()
    world.alerter.outbox.run_due()
    successor.work(5.0)
    with pytest.raises(SupersededError):
        world.alerter.record([entry(SECOND)])
    assert world.keys == [f"{FIRST}:1:post"]
