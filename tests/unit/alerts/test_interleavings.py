"""Scores, reorgs, re-attributions, rule edits, kills, two leaders, people's actions, a second receiver and every fault of Slack, in
thousands of random orders.

`make soak` tells a hundred thousand.

At the end of each story Slack is well and time passes. Then every announced step has one visible message or is named in a digest, or
a silence that held at that time kept it back and counts it. No message stands twice, no picture either. Each own message shows the
state that a straight run ends with, so that no alert is shown as resolved that fires.
"""

from __future__ import annotations

import contextlib
import logging
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from alerts.outbox.digest import FIRED_AGAIN, digest_of
from alerts.outbox.outbox import SupersededError
from alerts.outbox.render import mark_of
from alerts.outbox.sent import SILENCED
from alerts.policy import Action, ActionKind
from alerts.signals.levels import Level
from alerts.store.delivery import Delivery
from counterpoise.contracts.alert_transition import AlertTransition
from tests.unit.alerts.follower import Follower, branch, edit, flip
from tests.unit.alerts.slack_world import Alerter, Died, HandClock, MemorySlack, Rows

STORIES, MANY_STORIES = 2_000, 100_000
CHUNKS = 8
LEVELS = (Level.OVER, Level.OVER, Level.OVER, Level.BETWEEN, Level.CLEAR, Level.CLEAR, Level.CLEAR_POSSIBLE)
FAULTS = ("refuse", "before", "after", "late", "death", "never")


class Story:
    """One random order of events."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = HandClock()
        self.rows, self.slack = Rows(), MemorySlack(self.clock)
        self.follower = Follower(hold=self.rng.choice((0, 1, 3)))
        self.chain: list[tuple[str, int]] = []
        self.edits = 0
        self.value = 0.7
        self.slacks = [self.slack]
        if self.rng.random() < 0.25:
            self.slacks.append(MemorySlack(self.clock, name="ops", channel="C1"))
        self.alerter = self.begin()

    def begin(self) -> Alerter:
        return Alerter(self.rows, self.slack, self.clock, beside=self.slacks[1:], value=self.value)

    @property
    def one(self) -> MemorySlack:
        """The Slack to which something happens."""
        return self.rng.choice(self.slacks)

    def tell(self) -> None:
        events = (self.blocks, self.blocks, self.blocks, self.reorg, self.edit_rule, self.flip, self.kill)
        troubles = (self.fault, self.outage, self.trouble, self.take_over, self.take_over_within_a_post)
        people = (self.acknowledge, self.silence, self.silence, self.unsilence, self.change_value, self.remind)
        kinds = (
            (events, troubles, (self.wait,), people) if self.rng.random() < 0.5 else (events, troubles, (self.wait,))
        )
        for _ in range(self.rng.randint(4, 24)):
            self.rng.choice(self.rng.choice(kinds))()
        self.heal()

    def levels(self, most: int) -> list[int]:
        return [int(self.rng.choice(LEVELS)) for _ in range(self.rng.randint(1, most))]

    def blocks(self) -> None:
        self.chain = self.chain + branch(f"b{self.rng.random()}", self.levels(6))
        self.record(self.follower.reach(self.chain))

    def reorg(self) -> None:
        keep = self.rng.randint(max(0, len(self.chain) - 6), len(self.chain))
        self.chain = self.chain[:keep] + branch(f"r{self.rng.random()}", self.levels(6))
        self.record(self.follower.reach(self.chain))

    def edit_rule(self) -> None:
        self.edits += 1
        self._settle(lambda levels: edit(self.follower, levels, rule_hash=f"{self.edits:012x}"))

    def flip(self) -> None:
        self.edits += 1
        self._settle(lambda levels: flip(self.follower, levels, attribution_id=f"set-{self.edits}"))

    def _settle(self, change) -> None:  # type: ignore[no-untyped-def]
        if not self.chain:
            return
        shift = self.rng.choice((Level.OVER, Level.BETWEEN, Level.CLEAR, None))
        self.chain = [(name, level if shift is None else int(shift)) for name, level in self.chain]
        self.record(change([level for _, level in self.chain]))

    def kill(self) -> None:
        """Between rows and checkpoint: the next process finds its own rows."""
        checkpoint = self.follower.checkpoint()
        self.chain = self.chain + branch(f"k{self.rng.random()}", self.levels(4))
        self.record(self.follower.reach(self.chain))
        self.follower.kill(checkpoint)
        self.restart()
        self.record(self.follower.reach(self.chain))

    def record(self, entries) -> None:  # type: ignore[no-untyped-def]
        moment = self.rng.random()
        if moment < 0.05:
            with pytest.raises(SupersededError):
                self.alerter.record(entries, meanwhile=self.restart)
        self.alerter.record(entries)
        if moment > 0.95:
            self.take_over()
        self.work(self.rng.choice((0.0, 0.5, 3.0)))

    def ask(self, kind: ActionKind, **values: Any) -> None:
        self.rows.actions.rows.append(Action(f"{len(self.rows.actions.rows):016x}", kind, self.clock.at, **values))
        self.work(self.rng.choice((0.0, 3.0)))

    def an_alert(self) -> str:
        known = [row.alert_id for row in self.rows.transitions(announced=True)]
        return self.rng.choice(known) if known else "0" * 16

    def acknowledge(self) -> None:
        self.ask("acknowledge", target=self.an_alert())
        self.remind()

    def silence(self) -> None:
        matchers = self.rng.choice(({}, {"rule": "rule"}, {"rule": "other"}, {"alert": self.an_alert()}))
        until = self.clock.at + self.rng.choice((2.0, 300.0, 5_000.0))
        limits: tuple[dict[str, Any], ...] = (
            {"until": until},
            {"until_resolved": True},
            {"worse_than": 0.75},
            {"until": until, "worse_than": 0.75},
        )
        self.ask("silence", matchers=matchers, **self.rng.choice(limits))

    def unsilence(self) -> None:
        made = [row.id for row in self.rows.actions.rows if row.kind == "silence"]
        if made:
            self.ask("unsilence", target=self.rng.choice(made))
        self.remind()

    def change_value(self) -> None:
        self.value = self.alerter.value = self.rng.choice((0.7, 0.8))

    def fault(self) -> None:
        self.one.plan += [self.rng.choice(FAULTS) for _ in range(self.rng.randint(1, 3))]

    def outage(self) -> None:
        slack = self.one
        slack.down = not slack.down

    def trouble(self) -> None:
        slack = self.one
        slack.lag_seconds = self.rng.choice((0.0, 0.0, 20.0, 250.0))
        slack.locked = self.rng.random() < 0.3
        for row in self.rows.transitions(announced=True)[-2:]:
            slack.unknown[f"{row.alert_id}:{row.sequence}:post"] = self.rng.randint(1, 3)

    def take_over(self) -> None:
        before = self.alerter
        self.restart()
        with contextlib.suppress(SupersededError, Died):
            before.work(2.0)
        self.arrive()

    def take_over_within_a_post(self) -> None:
        def happens() -> None:
            self.restart()
            self.work(self.rng.choice((0.0, 30.0)))

        self.one.meanwhile = happens

    def wait(self) -> None:
        self.work(self.rng.choice((1.0, 20.0, 100.0, 400.0, 4_000.0)))

    def work(self, seconds: float) -> None:
        end = self.clock.at + seconds
        while True:
            self.arrive()
            arrivals = [at for slack in self.slacks for at, _ in slack.late if at > self.clock.at]
            try:
                self.alerter.work(max(0.0, min([end, *arrivals]) - self.clock.at))
            except (Died, SupersededError):
                if self.alerter.versions.epoch == self.rows.epoch:
                    self.restart()
                continue
            if self.clock.at >= end:
                return

    def restart(self) -> None:
        self.alerter = self.begin()
        self.remind()

    def arrive(self) -> None:
        for slack in self.slacks:
            slack.arrive()

    def remind(self) -> None:
        """As every minute: whoever takes over hands the outbox the alerts that fire."""
        latest: dict[str, list[AlertTransition]] = {}
        for row in self.rows.transitions(announced=True):
            latest.setdefault(row.alert_id, []).append(row)
        every = [sorted(rows, key=lambda row: row.sequence) for rows in latest.values()]
        firing = [rows for rows in every if rows[-1].state == "firing"]
        self.alerter.remind([next(row for row in rows if row.state == "firing") for rows in firing])

    def heal(self) -> None:
        for slack in self.slacks:
            slack.plan, slack.unknown, slack.meanwhile = [], {}, None
            slack.down = slack.locked = False
            slack.lag_seconds = 0.0
        self.is_lifted = self.rng.random() < 0.5
        if self.is_lifted:
            ended = {row.target for row in self.rows.actions.rows if row.kind == "unsilence"}
            for row in list(self.rows.actions.rows):
                if row.kind == "silence" and row.id not in ended:
                    self.ask("unsilence", target=row.id)
        self.remind()
        self.work(8_000.0)
        self.remind()
        self.work(8_000.0)


def check(story: Story) -> None:
    check_channels(story, CheckedChannel)
    check_open(story.follower)


def check_channels(story: Story, checked: type[CheckedChannel]) -> None:
    for slack, outbox in zip(story.slacks, story.alerter.outboxes, strict=True):
        assert outbox.waiting == 0
        checked(story, slack).check()


def check_open(follower: Follower) -> None:
    shown = follower.track.shown()
    open_alerts = [(entry.alert_id, entry.state) for entry in follower.ledger.open()]
    assert open_alerts == ([shown] if shown else [])


class CheckedChannel:
    """What one receiver shows at the end of a story."""

    def __init__(self, story: Story, slack: MemorySlack) -> None:
        self.story = story
        self.messages = list(slack.messages.values())
        self.keys = Counter(message.key for message in self.messages)
        self.pictures = Counter(alert_id for alert_id, _ in slack.pictures)
        self.receiver = slack.name
        self.rows = {(d.alert_id, d.sequence, d.action): d for d in story.rows.read() if d.receiver == slack.name}
        self.digests = {m.key.split(":")[0]: m.text for m in self.messages if m.key.endswith(":digest")}
        self.silences = {row.id: row for row in story.rows.actions.rows if row.kind == "silence"}
        self.ended: dict[str, float] = {}
        for row in story.rows.actions.rows:
            if row.kind == "unsilence":
                self.ended.setdefault(row.target, row.at)
        self.steps: dict[str, list[AlertTransition]] = {}
        for step in story.rows.transitions(announced=True):
            self.steps.setdefault(step.alert_id, []).append(step)

    def check(self) -> None:
        assert max(self.keys.values(), default=0) <= 1, (
            f"twice: {[key for key, times in self.keys.items() if times > 1]}"
        )
        assert max(self.pictures.values(), default=0) <= 1, f"pictures twice: {self.pictures}"
        for alert_id, announced in self.steps.items():
            announced.sort(key=lambda row: row.sequence)
            self.check_alert(alert_id, announced)
        self.check_silences()

    def check_alert(self, alert_id: str, announced: list[AlertTransition]) -> None:
        first = next(at for at, row in enumerate(announced) if row.state == "firing")
        assert first == 0, "nothing is told of an alert before it fired"
        assert self.is_told(alert_id, announced[0].sequence, "post")
        for row in announced[1:]:
            assert row.reason == "restated" or self.is_told(alert_id, row.sequence, "thread"), (alert_id, row)
        root = next((m for m in self.messages if m.key == f"{alert_id}:{announced[0].sequence}:post"), None)
        last = self.rows.get((alert_id, announced[-1].sequence, "update"))
        if root is not None and (len(announced) == 1 or (last is not None and last.status == "sent")):
            assert root.text.startswith(f"{mark_of(announced[-1])} {alert_id}")
        is_refused = last is not None and not last.detail.startswith("there is no message")
        if root is not None and announced[-1].state == "firing" and not is_refused:
            assert root.text.startswith("🔴"), f"a false end of {alert_id}: {root.text}"
        post = self.rows[alert_id, announced[0].sequence, "post"]
        if announced[-1].state == "firing":
            again = self.rows.get((alert_id, announced[-1].sequence, "thread"))
            kept_back = again is not None and again.detail.startswith(f"{SILENCED} ") and self.holds(again)
            assert root is not None or digest_of(post.detail) is None or kept_back, (
                f"{alert_id} fires, and a digest says it ended"
            )
        if self.story.is_lifted and announced[-1].state == "firing":
            assert not post.detail.startswith(SILENCED), f"{alert_id} fires, and nothing keeps it back"

    def holds(self, row: Delivery) -> bool:
        """Whether the silence that kept a message back still holds at the end of the story."""
        silence = self.silences[row.detail.removeprefix(f"{SILENCED} ")]
        return silence.id not in self.ended and (silence.until is None or silence.until > self.story.clock.at)

    def is_told(self, alert_id: str, sequence: int, action: str) -> bool:
        """Whether a step is visible, or a row has a reason why not that was true at its time."""
        if f"{alert_id}:{sequence}:{action}" in self.keys:
            return True
        row = self.rows[alert_id, sequence, action]
        if row.status == "skipped" and row.detail.startswith("Slack refuses"):
            return True
        if row.detail.startswith(f"{SILENCED} "):
            return self.was_silenced(row)
        if row.detail == FIRED_AGAIN:
            return any(step.state == "firing" and step.sequence > sequence for step in self.steps[alert_id])
        if row.detail == "its firing was not sent":
            return any(
                key[0] == alert_id and key[2].startswith(SILENCED) and found.sequence <= sequence
                for key, found in self.rows.items()
            )
        digest = digest_of(row.detail)
        digest_row = self.rows.get((digest or "", 0, "digest"))
        return digest is not None and (
            alert_id in self.digests.get(digest, "") or (digest_row is not None and digest_row.status == "skipped")
        )

    def was_silenced(self, row: Delivery) -> bool:
        """Whether the silence that a row names was meant for its alert when the row was written, and counts it."""
        silence = self.silences[row.detail.removeprefix(f"{SILENCED} ")]
        is_counted = (row.alert_id, row.sequence, f"{SILENCED}-{silence.id}") in self.rows
        holds = silence.at <= row.updated_at and (silence.until is None or row.updated_at < silence.until)
        is_meant = self.is_of(silence, row.alert_id) and silence.matchers.get("alert", row.alert_id) == row.alert_id
        return is_counted and holds and is_meant and row.updated_at <= self.ended.get(silence.id, row.updated_at) + 1.0

    def is_of(self, silence: Action, alert_id: str) -> bool:
        """Whether a silence is for the rule of an alert."""
        rules = {step.rule_id for step in self.steps.get(alert_id, ())}
        return "rule" not in silence.matchers or silence.matchers["rule"] in rules

    def check_silences(self) -> None:
        """No message was posted while a silence by time alone held for its alert."""
        for message in self.messages:
            alert_id, _, action = message.key.split(":")
            if action == "digest":
                continue
            for one in self.silences.values():
                is_meant = self.is_of(one, alert_id) and one.matchers.get("alert", alert_id) == alert_id
                if one.until is None or one.worse_than is not None or not is_meant:
                    continue
                end = min(one.until, self.ended.get(one.id, one.until))
                assert not one.at + 1.0 < message.ts < end - 1.0, f"{message.key} was sent in the silence {one.id}"


def tell_all(seeds: range) -> None:
    for seed in seeds:
        story = Story(seed)
        try:
            story.tell()
            check(story)
        except BaseException as error:
            error.add_note(f"story {seed}")
            raise


@pytest.fixture(autouse=True)
def _without_a_log() -> Iterator[None]:
    """Faults are what these stories are about: their warnings take more time than the rest."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_step_is_told_once_whatever_happens(chunk: int) -> None:
    tell_all(range(chunk, STORIES, CHUNKS))


@pytest.mark.soak
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_hundred_thousand_stories(chunk: int) -> None:
    tell_all(range(STORIES + chunk, MANY_STORIES, CHUNKS))
