"""The random stories of `test_interleavings` with several rules whose alerts share messages by `group_by`.

What is more at the end of each: every alert is told in one place only, as a message of its own or as a line with a reply. A message
shows each of its alerts as it stands. When a message was posted, no alert of an earlier one of its group fired.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from alerts.outbox.digest import digest_of
from alerts.outbox.groups import GROUPED, root_named
from alerts.outbox.render import mark_of
from alerts.outbox.routes import Route
from alerts.store.delivery import Delivery
from counterpoise.contracts.alert_transition import AlertTransition
from tests.unit.alerts.follower import Follower
from tests.unit.alerts.slack_world import Alerter, Posted, Rows
from tests.unit.alerts.test_interleavings import CheckedChannel, Story, _without_a_log, check_channels, check_open

__all__ = ["_without_a_log"]

STORIES, MANY_STORIES = 1_200, 60_000
CHUNKS = 4
RULES = ("rule", "second", "third")
GROUPINGS: tuple[tuple[str, ...], ...] = (("chain",), ("chain",), ("severity", "chain"), ("rule",))


class RowsWithHistory(Rows):
    """With each delivery row that was ever written, and the first time of each step: some are written anew, on another block."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[Delivery] = []
        self.first_at: dict[tuple[str, int], float] = {}

    def write(self, rows: Sequence[Delivery], version: int) -> None:
        self.history += rows
        super().write(rows, version)

    def keep(self, transitions: Sequence[AlertTransition], version: int) -> None:
        for row in transitions:
            self.first_at.setdefault((row.alert_id, row.sequence), row.recorded_at_ms / 1000)
        super().keep(transitions, version)


class GroupStory(Story):
    """Each event happens to one of three rules. In some stories, each start has other settings of `group_by`."""

    def __init__(self, seed: int) -> None:
        self.group_by: tuple[str, ...] = ()
        self.is_regrouped = False
        super().__init__(seed)
        self.rows = RowsWithHistory()
        self.group_by = self.rng.choice(GROUPINGS)
        self.is_regrouped = self.rng.random() < 0.15
        self.alerter = self.begin()
        self.at = 0
        self.tracks = [(Follower(self.rng.choice((0, 1, 3)), rule_id=rule), self.chain) for rule in RULES]
        self.follower = self.tracks[0][0]

    def begin(self) -> Alerter:
        if self.is_regrouped:
            self.group_by = self.rng.choice((*GROUPINGS, ()))
        routes = [Route({}, frozenset(one.name for one in self.slacks), self.group_by)]
        return Alerter(self.rows, self.slack, self.clock, beside=self.slacks[1:], value=self.value, routes=routes)

    def pick(self) -> None:
        self.tracks[self.at] = self.follower, self.chain
        self.at = self.rng.randrange(len(RULES))
        self.follower, self.chain = self.tracks[self.at]

    def blocks(self) -> None:
        self.pick()
        super().blocks()

    def reorg(self) -> None:
        self.pick()
        super().reorg()

    def edit_rule(self) -> None:
        self.pick()
        super().edit_rule()

    def flip(self) -> None:
        self.pick()
        super().flip()

    def kill(self) -> None:
        self.pick()
        super().kill()

    def trouble(self) -> None:
        super().trouble()
        for row in self.rows.transitions(announced=True)[-2:]:
            self.one.unknown[f"{row.alert_id}:{row.sequence}:{GROUPED}"] = self.rng.randint(1, 3)

    def record(self, entries) -> None:  # type: ignore[no-untyped-def]
        self.alerter.record(entries, self.follower.rule_id)
        self.work(self.rng.choice((0.0, 0.5, 3.0)))


class GroupedChannel(CheckedChannel):
    """Adds what a group's messages show."""

    story: GroupStory

    def check(self) -> None:
        super().check()
        assert isinstance(self.story.rows, RowsWithHistory)
        self.first_at = self.story.rows.first_at
        self.history = [
            row
            for row in self.story.rows.history
            if row.action == "post"
            and row.receiver == self.receiver
            and (row.status == "sent" or root_named(row.detail))
        ]
        self.roots = [found for found in map(self.root_of, self.steps) if found]
        for alert_id, _ in self.roots:
            self.check_root(alert_id)
        self.roots.sort(key=lambda found: found[1].ts)
        for at, (alert_id, message) in enumerate(self.roots):
            for earlier, _ in self.roots[:at]:
                self.check_apart(earlier, alert_id, message.asked_at)

    def root_of(self, alert_id: str) -> tuple[str, Posted] | None:
        """An alert with its own message, where its row is that it was sent."""
        key = (alert_id, self.steps[alert_id][0].sequence, "post")
        found = next((one for one in self.messages if one.key == ":".join(map(str, key))), None)
        return (alert_id, found) if found and self.rows[key].status == "sent" else None

    def is_line(self, alert_id: str) -> str | None:
        return root_named(self.rows[alert_id, self.steps[alert_id][0].sequence, "post"].detail)

    def is_told(self, alert_id: str, sequence: int, action: str) -> bool:
        if action == "post" and self.is_line(alert_id):
            key = f"{alert_id}:{sequence}"
            assert f"{key}:post" not in self.keys, f"{key} stands alone and in a group"
            row = self.rows[alert_id, sequence, GROUPED]
            return f"{key}:{GROUPED}" in self.keys or row.detail.startswith("Slack refuses")
        if action == "post":
            assert f"{alert_id}:{sequence}:{GROUPED}" not in self.keys, f"{alert_id} is in no group"
        found = self.rows.get((alert_id, sequence, action))
        if found and digest_of(found.detail) and any(alert_id in text for text in self.digests.values()):
            return True  # an alert that fires again is taken out of a digest that waits, and may come into the next one
        return super().is_told(alert_id, sequence, action)

    def check_alert(self, alert_id: str, announced: list[AlertTransition]) -> None:
        announced.sort(key=lambda row: row.sequence)
        first = announced[0]
        assert first.state == "firing", "nothing is told of an alert before it fired"
        assert self.is_told(alert_id, first.sequence, "post")
        for row in announced[1:]:
            assert row.reason == "restated" or self.is_told(alert_id, row.sequence, "thread"), (alert_id, row)
        post = self.rows[alert_id, first.sequence, "post"]
        if self.story.is_lifted and announced[-1].state == "firing":
            assert not post.detail.startswith("silenced"), f"{alert_id} fires, and nothing keeps it back"

    def check_root(self, root: str) -> None:
        message = dict(self.roots)[root]
        members = [root, *(one for one in self.steps if self.is_line(one) == root)]
        assert self.story.is_regrouped or len({self.group(one) for one in members}) == 1, "one group a message"
        edits = [self.last_edit(one) for one in members]
        states = {one: self.steps[one][-1] for one in members}
        words = [line.rsplit(" ", 1) for line in self.lines(message)]
        shown = {alert_id: mark for mark, alert_id in words}
        for one, edit in zip(members, edits, strict=True):
            if (edit is None or edit.status == "sent") and states[one].state == "firing" and one in shown:
                assert shown[one].startswith("🔴"), f"a false end of {one}: {message.text}"
        if all(edit is None or edit.status == "sent" for edit in edits):
            assert shown == {one: mark_of(state) for one, state in states.items()}, message.text
            if len(members) > 1:
                firing = sum(state.state == "firing" for state in states.values())
                head = message.text.split("\n")[0]
                assert head.startswith(f"🔴 {firing} of {len(members)} FIRING") == bool(firing), head
                is_resolved = {(one.state, one.reason == "rule-changed") for one in states.values()} == {
                    ("resolved", False)
                }
                assert head.startswith("🟢 RESOLVED") is is_resolved, head
                marks = [line[0] for line in message.text.split("\n")[1:]]
                assert marks[:firing] == ["🔴"] * firing, "what fires comes first"

    def lines(self, message: Posted) -> Iterator[str]:
        """A line for each alert: `MARK ALERT`."""
        text = message.text.split(" acknowledged-")[0].split("\n")
        yield from text if len(text) == 1 else text[1:]

    def last_edit(self, alert_id: str) -> Delivery | None:
        """The row of the last edit that an alert asked for; None for a message that was never edited for it."""
        steps = self.steps[alert_id]
        if len(steps) == 1 and not self.is_line(alert_id):
            return None
        return self.rows[alert_id, steps[-1].sequence, "update"]

    def group(self, alert_id: str) -> str:
        return self.steps[alert_id][0].rule_id if "rule" in self.story.group_by else "-"

    def check_apart(self, earlier: str, later: str, at: float) -> None:
        """When the post of the later message began, no alert of the earlier one fired, by what was sent by then."""
        if self.story.is_regrouped or self.group(earlier) != self.group(later):
            return
        for alert_id in (earlier, *(one for one in self.steps if self.is_line(one) == earlier)):
            decided = [row.updated_at for row in self.history if row.alert_id == alert_id]
            known = [(step.state, self.first_at[alert_id, step.sequence]) for step in self.steps[alert_id]]
            known = [one for one in known if one[1] <= at + 0.1]
            fires = bool(known) and known[-1][0] == "firing" and known[-1][1] < at - 1
            if fires and any(one < at - 1 for one in decided):
                raise AssertionError(f"{later} has its own message while {alert_id} of {earlier} fires")


def check(story: GroupStory) -> None:
    check_channels(story, GroupedChannel)
    story.tracks[story.at] = story.follower, story.chain
    for follower, _ in story.tracks:
        check_open(follower)


def tell_all(seeds: range) -> Counter[int]:
    """Tell the stories; how many messages have so many alerts."""
    sizes: Counter[int] = Counter()
    for seed in seeds:
        story = GroupStory(seed)
        try:
            story.tell()
            check(story)
        except BaseException as error:
            error.add_note(f"story {seed}")
            raise
        lines = Counter(root_named(row.detail) for row in story.rows.read() if row.action == "post")
        sizes += Counter(count + 1 for root, count in lines.items() if root)
    return sizes


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_group_has_one_message_whatever_happens(chunk: int) -> None:
    sizes = tell_all(range(chunk, STORIES, CHUNKS))
    assert sizes[2] > 5
    assert sizes.total() > sizes[2], "there are groups of more than two"


@pytest.mark.soak
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_many_stories_of_groups(chunk: int) -> None:
    tell_all(range(STORIES + chunk, MANY_STORIES, CHUNKS))
