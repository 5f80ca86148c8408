"""Scores, reorgs, re-attributions, rule edits, kills, two leaders and every fault of Slack, in hundreds of random orders.

`make soak` tells a hundred thousand.

At the end of each story Slack is well and time passes. Then every announced step has one visible message or is named in a digest,
no message stands twice, no picture either, and each alert's own message shows the state that a straight run ends with.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter

import pytest

from alerts.outbox.digest import digest_of
from alerts.outbox.outbox import SupersededError
from alerts.outbox.render import mark_of
from alerts.signals.levels import Level
from counterpoise.contracts.alerts import AlertTransition
from tests.unit.alerts.follower import Follower, branch, edit, flip
from tests.unit.alerts.slack_world import Alerter, Died, HandClock, MemorySlack, Rows

STORIES, MANY_STORIES = 800, 100_000
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
        self.alerter = Alerter(self.rows, self.slack, self.clock)

    def tell(self) -> None:
        events = (self.blocks, self.blocks, self.blocks, self.reorg, self.edit_rule, self.flip, self.kill)
        troubles = (self.fault, self.outage, self.trouble, self.take_over, self.take_over_within_a_post)
        for _ in range(self.rng.randint(4, 24)):
            self.rng.choice(self.rng.choice((events, troubles, (self.wait,))))()
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
        self.alerter.record(entries)
        self.work(self.rng.choice((0.0, 0.5, 3.0)))

    def fault(self) -> None:
        self.slack.plan += [self.rng.choice(FAULTS) for _ in range(self.rng.randint(1, 3))]

    def outage(self) -> None:
        self.slack.down = not self.slack.down

    def trouble(self) -> None:
        self.slack.lag_seconds = self.rng.choice((0.0, 0.0, 20.0, 250.0))
        self.slack.locked = self.rng.random() < 0.3
        for row in self.rows.transitions(announced=True)[-2:]:
            self.slack.unknown[f"{row.alert_id}:{row.sequence}:post"] = self.rng.randint(1, 3)

    def take_over(self) -> None:
        before = self.alerter
        self.restart()
        with contextlib.suppress(SupersededError, Died):
            before.work(2.0)
        self.slack.arrive()

    def take_over_within_a_post(self) -> None:
        def happens() -> None:
            self.restart()
            self.work(self.rng.choice((0.0, 30.0)))

        self.slack.meanwhile = happens

    def wait(self) -> None:
        self.work(self.rng.choice((1.0, 20.0, 100.0, 400.0, 4_000.0)))

    def work(self, seconds: float) -> None:
        end = self.clock.at + seconds
        while True:
            self.slack.arrive()
            arrivals = [at for at, _ in self.slack.late if at > self.clock.at]
            try:
                self.alerter.work(max(0.0, min([end, *arrivals]) - self.clock.at))
            except (Died, SupersededError):
                if self.alerter.versions.epoch == self.rows.epoch:
                    self.restart()
                continue
            if self.clock.at >= end:
                return

    def restart(self) -> None:
        self.alerter = Alerter(self.rows, self.slack, self.clock)
        self.remind()

    def remind(self) -> None:
        """As every minute: whoever takes over hands the outbox the alerts that fire."""
        latest: dict[str, list[AlertTransition]] = {}
        for row in self.rows.transitions(announced=True):
            latest.setdefault(row.alert_id, []).append(row)
        every = [sorted(rows, key=lambda row: row.sequence) for rows in latest.values()]
        self.alerter.outbox.remind([rows[0] for rows in every if rows[-1].state == "firing"])

    def heal(self) -> None:
        self.slack.plan, self.slack.unknown, self.slack.meanwhile = [], {}, None
        self.slack.down = self.slack.locked = False
        self.slack.lag_seconds = 0.0
        self.remind()
        self.work(8_000.0)


def check(story: Story) -> None:
    messages = list(story.slack.messages.values())
    keys = Counter(message.key for message in messages)
    assert max(keys.values(), default=0) <= 1, f"twice: {[key for key, times in keys.items() if times > 1]}"
    assert story.alerter.outbox.waiting == 0
    pictures = Counter(alert_id for alert_id, _ in story.slack.pictures)
    assert max(pictures.values(), default=0) <= 1, f"pictures twice: {pictures}"
    rows = {(d.alert_id, d.sequence, d.action): d for d in story.rows.read()}
    steps: dict[str, list[AlertTransition]] = {}
    for row in story.rows.transitions(announced=True):
        steps.setdefault(row.alert_id, []).append(row)
    digests = {message.key.split(":")[0]: message.text for message in messages if message.key.endswith(":digest")}

    def is_told(alert_id: str, sequence: int, action: str) -> bool:
        if f"{alert_id}:{sequence}:{action}" in keys:
            return True
        row = rows[alert_id, sequence, action]
        digest = digest_of(row.detail)
        refused = row.status == "skipped" and row.detail.startswith("Slack refuses")
        digest_row = rows.get((digest or "", 0, "digest"))
        return refused or (
            digest is not None
            and (alert_id in digests.get(digest, "") or (digest_row is not None and digest_row.status == "skipped"))
        )

    for alert_id, announced in steps.items():
        announced.sort(key=lambda row: row.sequence)
        first = next(at for at, row in enumerate(announced) if row.state == "firing")
        assert first == 0, "nothing is told of an alert before it fired"
        assert is_told(alert_id, announced[0].sequence, "post")
        for row in announced[1:]:
            assert row.reason == "restated" or is_told(alert_id, row.sequence, "thread"), (alert_id, row)
        root = next((m for m in messages if m.key == f"{alert_id}:{announced[0].sequence}:post"), None)
        last = rows.get((alert_id, announced[-1].sequence, "update"))
        if root is not None and (len(announced) == 1 or (last is not None and last.status == "sent")):
            assert root.text == f"{mark_of(announced[-1])} {alert_id}"
    shown = story.follower.track.shown()
    open_alerts = [(entry.alert_id, entry.state) for entry in story.follower.ledger.open()]
    assert open_alerts == ([shown] if shown else [])


def tell_all(seeds: range) -> None:
    for seed in seeds:
        story = Story(seed)
        try:
            story.tell()
            check(story)
        except BaseException as error:
            error.add_note(f"story {seed}")
            raise


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_step_is_told_once_whatever_happens(chunk: int) -> None:
    tell_all(range(chunk, STORIES, CHUNKS))


@pytest.mark.soak
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_hundred_thousand_stories(chunk: int) -> None:
    tell_all(range(STORIES + chunk, MANY_STORIES, CHUNKS))
