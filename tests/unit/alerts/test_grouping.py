"""Alerts of a group in one Slack channel, step by step: what joins which message, what is edited, and what a restart finds."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from alerts.outbox.groups import GROUPED
from alerts.outbox.routes import Route
from alerts.policy import Action
from alerts.signals.levels import Level
from tests.unit.alerts.follower import Follower, branch
from tests.unit.alerts.slack_world import Alerter, Died, HandClock, MemorySlack, Rows

BY_CHAIN = (Route({}, frozenset({"slack"}), ("chain",)),)
BY_RULE = (Route({}, frozenset({"slack"}), ("rule",)),)


class Desk:
    """Rules whose values go over and under their lines, and the channel that shows it."""

    def __init__(self, routes: Sequence[Route] = BY_CHAIN) -> None:
        self.clock, self.rows, self.routes = HandClock(), Rows(), routes
        self.slack = MemorySlack(self.clock)
        self.followers: dict[str, Follower] = {}
        self.alerter = self.begin()

    def begin(self) -> Alerter:
        return Alerter(self.rows, self.slack, self.clock, routes=self.routes)

    def restart(self, seconds: float = 60.0) -> None:
        self.alerter = self.begin()
        self.alerter.work(seconds)

    def see(self, rule: str, *levels: Level, seconds: float = 10.0) -> str:
        """The next blocks of a rule; the alert that is open, or was last."""
        follower = self.followers.setdefault(rule, Follower(hold=0, rule_id=rule))
        chain = [*follower.chain, *branch(f"a{len(follower.chain)}", [int(level) for level in levels])]
        entries = follower.reach(chain)
        self.alerter.record(entries, rule)
        if seconds:
            self.alerter.work(seconds)
        return entries[-1].alert_id if entries else ""

    def undo(self, rule: str, keep: int, *levels: Level) -> None:
        """Another branch from a height on."""
        follower = self.followers[rule]
        chain = [*follower.chain[:keep], *branch("b", [int(level) for level in levels])]
        self.alerter.record(follower.reach(chain), rule)
        self.alerter.work(10.0)

    def ask(self, kind: str, **values: object) -> None:
        self.rows.actions.rows.append(Action(f"{len(self.rows.actions.rows):016x}", kind, self.clock.at, **values))  # type: ignore[arg-type]

    @property
    def roots(self) -> list[list[str]]:
        """The messages of the channel itself, each by its lines, with the names of alerts in the place of their ids."""
        return [self.named(one.text).split("\n") for one in self.slack.messages.values() if one.thread is None]

    @property
    def replies(self) -> list[str]:
        return [self.named(one.text) for one in self.slack.messages.values() if one.thread is not None]

    def named(self, text: str) -> str:
        for row in self.rows.transitions():
            text = text.replace(row.alert_id, row.rule_id)
        return text


def test_alerts_of_a_group_share_a_message_until_none_fires() -> None:
    desk = Desk()
    desk.see("a", Level.OVER)
    assert desk.roots == [["🔴 FIRING a"]], "one alert looks as it does without a group"
    desk.see("b", Level.OVER)
    assert desk.roots == [["🔴 2 of 2 FIRING", "🔴 FIRING a", "🔴 FIRING b"]]
    assert desk.replies == ["🔴 FIRING b"]
    desk.see("a", Level.CLEAR)
    assert desk.roots == [["🔴 1 of 2 FIRING", "🔴 FIRING b", "🟢 RESOLVED a"]]
    desk.see("c", Level.OVER)
    assert desk.roots == [["🔴 2 of 3 FIRING", "🔴 FIRING b", "🔴 FIRING c", "🟢 RESOLVED a"]]
    desk.see("b", Level.CLEAR)
    desk.see("c", Level.CLEAR)
    assert desk.roots == [["🟢 RESOLVED: 3 alerts", "🟢 RESOLVED c", "🟢 RESOLVED b", "🟢 RESOLVED a"]]
    assert desk.replies == ["🔴 FIRING b", "🟢 RESOLVED a", "🔴 FIRING c", "🟢 RESOLVED b", "🟢 RESOLVED c"]
    desk.see("b", Level.OVER)
    assert len(desk.roots) == 2, "the next firing begins a new message"
    assert desk.roots[1] == ["🔴 FIRING b"]


def test_another_group_and_another_route_have_their_own() -> None:
    desk = Desk(BY_RULE)
    desk.see("a", Level.OVER)
    desk.see("b", Level.OVER)
    assert desk.roots == [["🔴 FIRING a"], ["🔴 FIRING b"]]
    desk = Desk((Route({"rule": "a"}, frozenset({"slack"}), ("chain",)), *BY_CHAIN))
    for rule in "abc":
        desk.see(rule, Level.OVER)
    assert desk.roots == [["🔴 FIRING a"], ["🔴 2 of 2 FIRING", "🔴 FIRING b", "🔴 FIRING c"]]


def test_many_that_fire_at_once_are_told_first_and_listed_by_one_edit() -> None:
    desk = Desk()
    for rule in "abcdef":
        desk.see(rule, Level.OVER, seconds=0.0)
    desk.alerter.work(5.0)
    assert desk.replies == [f"🔴 FIRING {rule}" for rule in "bcdef"], "a message a second, and no edit before them"
    desk.alerter.work(2.0)
    assert desk.roots[0][0] == "🔴 6 of 6 FIRING"
    edits = [row for row in desk.rows.read() if row.action == "update"]
    assert len({row.updated_at for row in edits}) == 1, "one edit is all of them"
    assert len(edits) == 5


def test_a_retraction_acts_on_its_line() -> None:
    desk = Desk()
    desk.see("a", Level.OVER)
    desk.see("b", Level.CLEAR, Level.OVER)
    desk.undo("b", 1, Level.CLEAR, Level.CLEAR)
    assert desk.roots == [["🔴 1 of 2 FIRING", "🔴 FIRING a", "⚪ RETRACTED b"]]
    desk.undo("a", 0, Level.CLEAR, Level.CLEAR)
    assert desk.roots[0][0] == "⚪ ENDED: 2 alerts", "no alert is resolved"


@pytest.mark.parametrize("when", ["before the row", "before the reply", "after the reply", "before the edit"])
def test_a_takeover_goes_on_wherever_the_other_one_ended(when: str) -> None:
    desk = Desk()
    desk.see("a", Level.OVER)
    if when == "before the row":
        desk.see("b", Level.OVER, seconds=0.0)
    else:
        desk.slack.plan = {"before the reply": ["refuse"], "after the reply": ["death"], "before the edit": []}[when]
        if when == "after the reply":
            with pytest.raises(Died):
                desk.see("b", Level.OVER)
        else:
            desk.see("b", Level.OVER, seconds=0.5)
    desk.restart()
    desk.see("a", Level.CLEAR)
    assert desk.roots == [["🔴 1 of 2 FIRING", "🔴 FIRING b", "🟢 RESOLVED a"]]
    assert desk.replies == ["🔴 FIRING b", "🟢 RESOLVED a"]


def test_what_was_decided_stays_though_the_group_closed_meanwhile() -> None:
    desk = Desk()
    desk.see("a", Level.OVER)
    desk.slack.plan = ["death"]
    with pytest.raises(Died):
        desk.see("b", Level.OVER)
    desk.alerter = desk.begin()
    desk.see("a", Level.CLEAR, seconds=0.0)
    desk.see("b", Level.CLEAR)
    assert desk.replies.count("🔴 FIRING b") == 1
    assert len(desk.roots) == 1
    assert desk.roots[0][0] == "🟢 RESOLVED: 2 alerts"


def test_a_locked_thread_posts_to_the_channel() -> None:
    desk = Desk()
    desk.see("a", Level.OVER)
    desk.slack.locked = True
    desk.see("b", Level.OVER)
    assert desk.roots == [["🔴 2 of 2 FIRING", "🔴 FIRING a", "🔴 FIRING b"], ["🔴 FIRING b"]]


def test_an_edit_that_is_refused_is_left_out_and_the_next_one_shows_all() -> None:
    desk = Desk()
    desk.see("a", Level.OVER)
    desk.slack.plan = ["", "never", "never"]  # the reply is taken
    desk.see("b", Level.OVER)
    assert desk.roots == [["🔴 FIRING a"]]
    assert desk.replies == ["🔴 FIRING b"]
    desk.see("b", Level.CLEAR)
    assert desk.roots == [["🔴 1 of 2 FIRING", "🔴 FIRING a", "🟢 RESOLVED b"]]


def test_a_silenced_alert_is_no_line_until_it_is_told() -> None:
    desk = Desk()
    desk.see("a", Level.OVER)
    desk.ask("silence", matchers={"rule": "b"}, until=desk.clock.at + 100.0)
    desk.see("b", Level.OVER)
    desk.see("c", Level.OVER)
    assert desk.roots == [["🔴 2 of 2 FIRING", "🔴 FIRING a", "🔴 FIRING c"]]
    desk.clock.at += 200.0
    desk.alerter.remind([row for row in desk.rows.transitions(announced=True) if row.rule_id == "b"])
    desk.alerter.work(10.0)
    assert desk.roots == [["🔴 3 of 3 FIRING", "🔴 FIRING a", "🔴 FIRING b", "🔴 FIRING c"]]
    desk.ask("silence", matchers={"rule": "b"})
    desk.see("b", Level.CLEAR)
    assert desk.roots[0] == ["🔴 2 of 3 FIRING", "🔴 FIRING a", "🔴 FIRING c", "🟢 RESOLVED b"], "its line is true"
    assert "🟢 RESOLVED b" not in desk.replies


def test_a_silence_between_decision_and_reply_keeps_the_alert_back() -> None:
    desk = Desk()
    desk.see("a", Level.OVER)
    desk.slack.plan = ["refuse"]
    desk.see("b", Level.OVER, seconds=0.5)
    desk.ask("silence", matchers={"rule": "b"})
    desk.alerter.work(10.0)
    assert desk.roots == [["🔴 FIRING a"]]
    assert desk.replies == []
    assert {row.detail.partition(" ")[0] for row in desk.rows.read() if row.action == "post"} == {"", "silenced"}


def test_an_acknowledgement_and_a_repeat_are_of_one_alert() -> None:
    desk = Desk()
    a = desk.see("a", Level.OVER)
    desk.clock.at += 3 * 86_400
    desk.see("b", Level.OVER)
    desk.ask("acknowledge", target=a)
    firing = desk.rows.transitions(announced=True)
    desk.clock.at += 5 * 86_400
    desk.alerter.remind(firing)
    desk.alerter.work(10.0)
    assert [row.action for row in desk.rows.read() if row.alert_id == a] == ["post", "picture", "acknowledged-00000000"]
    assert "reminder-1" not in {row.action for row in desk.rows.read()}, "b fires for five days only"
    desk.clock.at += 3 * 86_400
    desk.alerter.remind(firing)
    desk.alerter.work(10.0)
    assert [row.alert_id for row in desk.rows.read() if row.action == "reminder-1"] == [firing[1].alert_id]


def held(refusals: int) -> Desk:
    """The first message has no answer and is taken 200 s later. Its next tries are refused for an unknown reason, and another alert
    is the root meanwhile."""
    desk = Desk()
    desk.slack.plan = ["late"]
    a = desk.see("a", Level.OVER, seconds=0.5)
    desk.slack.unknown[f"{a}:0:post"] = refusals
    desk.alerter.work(2.0 if refusals == 1 else 160.0)
    desk.see("b", Level.OVER, seconds=2.0)
    assert desk.roots == [["🔴 FIRING b"]]
    return desk


@pytest.mark.parametrize("refusals", [1, 6])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_late_message_of_an_alert_that_joined_another_is_taken_back(refusals: int, is_restarted: bool) -> None:
    """With one refusal it joins before its message appears, with six after that."""
    desk = held(refusals)
    desk.alerter.work(20.0 if refusals == 1 else 160.0)
    assert len(desk.roots) == 1
    if is_restarted:
        desk.restart(1.0)
    desk.alerter.work(8_000.0)
    assert sorted(one.key.split(":")[2] for one in desk.slack.messages.values()) == [GROUPED, "post"]
    assert desk.roots == [["🔴 2 of 2 FIRING", "🔴 FIRING a", "🔴 FIRING b"]]
    assert desk.replies == ["🔴 FIRING a"]


def test_a_root_that_appears_late_is_kept_and_lists_the_group() -> None:
    desk = Desk()
    desk.slack.plan = ["late"]
    desk.see("a", Level.OVER)
    desk.see("b", Level.OVER, seconds=8_000.0)
    assert desk.roots == [["🔴 2 of 2 FIRING", "🔴 FIRING a", "🔴 FIRING b"]]


def test_an_alert_is_no_line_before_its_reply() -> None:
    desk = Desk()
    desk.see("a", Level.OVER)
    b = desk.see("b", Level.OVER, seconds=0.0)
    desk.slack.unknown[f"{b}:0:{GROUPED}"] = 2
    desk.see("c", Level.OVER)
    assert desk.roots == [["🔴 2 of 2 FIRING", "🔴 FIRING a", "🔴 FIRING c"]]
    desk.ask("silence", matchers={"rule": "b"}, until=desk.clock.at + 1.0)
    desk.alerter.work(30.0)
    assert desk.roots == [["🔴 3 of 3 FIRING", "🔴 FIRING a", "🔴 FIRING b", "🔴 FIRING c"]]


def test_a_new_channel_gets_its_own_root() -> None:
    desk = Desk()
    for rule in "ab":
        desk.see(rule, Level.OVER)
    desk.slack = MemorySlack(desk.clock, channel="C9")
    desk.restart()
    for _ in range(2):
        desk.alerter.remind(desk.rows.transitions(announced=True))
        desk.alerter.work(10.0)
        desk.restart()
    assert desk.roots == [["🔴 2 of 2 FIRING", "🔴 FIRING a", "🔴 FIRING b"]]
    assert desk.replies == ["🔴 FIRING b"]


def test_another_grouping_leaves_what_stands() -> None:
    desk = Desk()
    for rule in "ab":
        desk.see(rule, Level.OVER)
    desk.routes = BY_RULE
    desk.restart()
    desk.see("c", Level.OVER)
    desk.see("b", Level.CLEAR)
    assert desk.roots == [["🔴 1 of 2 FIRING", "🔴 FIRING a", "🟢 RESOLVED b"], ["🔴 FIRING c"]]


def test_what_cannot_be_edited_is_not_grouped() -> None:
    desk = Desk()
    desk.slack.abilities = frozenset({"find"})
    desk.alerter = desk.begin()
    for rule in "ab":
        desk.see(rule, Level.OVER)
    assert desk.roots == [["🔴 FIRING a"], ["🔴 FIRING b"]]
