"""Acknowledgements, silences and repeats in the outbox: what is edited, kept back and sent later, under faults and kills."""

from __future__ import annotations

import contextlib
import random
from collections import Counter

import pytest

from alerts.machine.ledger import LedgerEntry
from alerts.outbox.outbox import SupersededError
from alerts.policy import Action
from tests.unit.alerts.slack_world import Alerter, Died, HandClock, MemorySlack, Rows

HOUR, HASH = 3_600.0, "c" * 12
FIRST = "a" * 16


def entry(alert_id: str, sequence: int, state: str) -> LedgerEntry:
    return LedgerEntry(alert_id, sequence, state, 10, "t", notify=True, rule_hash=HASH)  # type: ignore[arg-type]


class Desk:
    """An alerter, its Slack, and a person."""

    def __init__(self, *, repeat_seconds: float = 7 * 24 * HOUR, fires: bool = True) -> None:
        self.clock, self.rows = HandClock(), Rows()
        self.slack = MemorySlack(self.clock)
        self.repeat_seconds = repeat_seconds
        self.value: float | None = 0.76
        self.alerter = self.begin()
        if fires:
            self.alerter.record([entry(FIRST, 1, "firing")])
            self.alerter.work(5.0)

    def begin(self) -> Alerter:
        self.alerter = Alerter(self.rows, self.slack, self.clock, repeat_seconds=self.repeat_seconds, value=self.value)
        return self.alerter

    def ask(self, kind: str, **values: object) -> Action:
        action = Action(f"{len(self.rows.actions.rows):016x}", kind, self.clock.at, "ada", **values)  # type: ignore[arg-type]
        self.rows.actions.rows.append(action)
        return action

    def firing(self) -> list[str]:
        last = {row.alert_id: row.state for row in self.rows.transitions()}
        return [alert_id for alert_id, state in last.items() if state == "firing"]

    def look(self) -> None:
        firing = self.firing()
        first = {row.alert_id: row for row in reversed(self.rows.transitions()) if row.state == "firing"}
        self.alerter.outbox.remind([first[alert_id] for alert_id in firing])

    def pass_hours(self, hours: int) -> None:
        for _ in range(hours):
            self.look()
            self.alerter.work(HOUR)

    @property
    def keys(self) -> list[str]:
        return [m.key.partition(":")[2] for m in sorted(self.slack.messages.values(), key=lambda m: m.ts)]


def test_an_alert_is_repeated_with_longer_pauses_until_it_is_acknowledged() -> None:
    desk = Desk(repeat_seconds=HOUR)
    desk.pass_hours(10)
    assert desk.keys == ["1:post", "1:reminder-1", "1:reminder-2", "1:reminder-3"]
    desk.ask("acknowledge", target=FIRST)
    desk.pass_hours(100)
    assert desk.keys == ["1:post", "1:reminder-1", "1:reminder-2", "1:reminder-3"]
    [root] = [m for m in desk.slack.messages.values() if m.thread is None]
    assert root.text.endswith("acknowledged-00000000"), "its message is edited, once"
    assert [row.action for row in desk.rows.read()].count("acknowledged-00000000") == 1


def test_an_acknowledgement_survives_a_kill_and_is_not_edited_again() -> None:
    desk = Desk()
    desk.ask("acknowledge", target=FIRST)
    desk.slack.plan = ["death"]
    desk.look()
    with pytest.raises(Died):
        desk.alerter.work(5.0)
    desk.begin()
    desk.pass_hours(2)
    before = desk.slack.messages.copy()
    desk.slack.plan = ["never"]  # any further call would be refused
    desk.pass_hours(5)
    assert desk.slack.messages == before and desk.slack.plan == ["never"]


def kept_back(desk: Desk) -> set[str]:
    return {row.alert_id for row in desk.rows.read() if row.action == "silenced-0000000000000000"}


def test_what_fires_in_a_silence_is_sent_at_its_end_and_what_ended_is_not() -> None:
    desk = Desk(fires=False)
    desk.ask("silence", matchers={"rule": "rule"}, until=desk.clock.at + 2 * HOUR)
    desk.alerter.record([entry(FIRST, 1, "firing"), entry("b" * 16, 1, "firing"), entry("b" * 16, 2, "resolved")])
    desk.pass_hours(1)
    assert desk.keys == []
    assert kept_back(desk) == {FIRST, "b" * 16}
    desk.pass_hours(3)
    assert [m.key for m in desk.slack.messages.values()] == [f"{FIRST}:1:post"]
    assert kept_back(desk) == {FIRST, "b" * 16}, "what it kept back is known after it was sent"


def test_a_silence_that_is_ended_by_a_person_ends_at_once() -> None:
    desk = Desk(fires=False)
    silence = desk.ask("silence", matchers={}, until=desk.clock.at + 1_000 * HOUR)
    desk.alerter.record([entry(FIRST, 1, "firing")])
    desk.pass_hours(1)
    assert desk.keys == []
    desk.ask("unsilence", target=silence.id)
    desk.pass_hours(1)
    assert desk.keys == ["1:post"]


def test_one_until_resolved_keeps_back_repeats_and_not_the_end() -> None:
    desk = Desk(repeat_seconds=HOUR)
    desk.ask("silence", matchers={"alert": FIRST}, until_resolved=True)
    desk.pass_hours(20)
    assert desk.keys == ["1:post"]
    desk.alerter.record([entry(FIRST, 2, "resolved"), entry("b" * 16, 1, "firing")])
    desk.alerter.work(10.0)
    assert desk.keys == ["1:post", "2:thread", "1:post"], "and not the next alert"


def test_what_is_worse_than_its_silence_allows_is_told_once() -> None:
    desk = Desk(repeat_seconds=WEEK)
    desk.ask("silence", matchers={"rule": "rule"}, worse_than=0.77)
    desk.pass_hours(5)
    assert desk.keys == ["1:post"]
    desk.alerter.value = 0.78
    desk.pass_hours(5)
    assert desk.keys == ["1:post", "1:worse-00000000"]
    desk.begin()
    desk.alerter.value = 0.79
    desk.pass_hours(5)
    assert desk.keys == ["1:post", "1:worse-00000000"]


WEEK = 7 * 24 * HOUR


@pytest.mark.parametrize("seed", range(250))
def test_people_faults_and_kills_lose_and_double_nothing(seed: int) -> None:
    rng, desk = random.Random(seed), Desk(fires=False, repeat_seconds=HOUR)
    alerts = [f"{at:016x}" for at in range(4)]
    sequences: Counter[str] = Counter()

    def moves() -> None:
        alert = rng.choice(alerts)
        if alert in desk.firing():
            sequences[alert] += 1
            desk.alerter.record([entry(alert, sequences[alert], "resolved")])
        elif not sequences[alert]:
            sequences[alert] += 1
            desk.alerter.record([entry(alert, sequences[alert], "firing")])

    def acts() -> None:
        alert = rng.choice(alerts)
        silences = [one for one in desk.rows.actions.rows if one.kind == "silence"]
        asked = rng.choice(("acknowledge", "silence", "unsilence"))
        if asked == "acknowledge":
            desk.ask("acknowledge", target=alert)
        elif asked == "silence":
            matchers = rng.choice(({"alert": alert}, {"rule": "rule"}))
            until = desk.clock.at + rng.choice((60.0, 5 * HOUR))
            desk.ask("silence", matchers=matchers, until=until, until_resolved=rng.random() < 0.3)
        elif silences:
            desk.ask("unsilence", target=rng.choice(silences).id)

    def fails() -> None:
        desk.slack.plan += [rng.choice(("refuse", "before", "after", "death")) for _ in range(rng.randint(1, 2))]

    for _ in range(rng.randint(5, 25)):
        with contextlib.suppress(SupersededError):
            try:
                rng.choice((moves, moves, acts, acts, fails, desk.look, desk.begin))()
                desk.alerter.work(rng.choice((0.0, 5.0, 400.0)))
            except Died:
                desk.begin()
    while True:  # then all is well, and every silence ends
        try:
            desk.pass_hours(8)
            break
        except Died:
            desk.begin()
    keys = Counter(m.key for m in desk.slack.messages.values())
    assert max(keys.values(), default=0) <= 1
    acknowledged = {one.target for one in desk.rows.actions.rows if one.kind == "acknowledge"}
    rows = {(row.alert_id, row.action.partition("-")[0]): row for row in desk.rows.read()}
    for alert in desk.firing():
        assert keys[f"{alert}:1:post"] == 1, "what fires has its message"
        if alert in acknowledged:
            assert rows[alert, "acknowledged"].status == "sent"
    for message in desk.slack.messages.values():
        alert, _, action = message.key.partition(":")
        if action == "1:post" and sequences[alert] == 2:
            assert "RESOLVED" in message.text


def test_what_people_asked_for_is_read_once_for_all_alerts_and_again_only_when_there_is_more() -> None:
    desk = Desk(repeat_seconds=HOUR)
    desk.alerter.record([entry(f"{number:016x}", 1, "firing") for number in range(20)])
    desk.alerter.work(60.0)
    before = desk.rows.actions.reads
    desk.pass_hours(10)
    assert desk.rows.actions.reads == before, "nobody asked for anything"
    desk.ask("acknowledge", target=FIRST)
    desk.pass_hours(10)
    assert desk.rows.actions.reads == before + 1
