"""A live dataset: history is recorded, news is told from go-live on, and silence is an alert."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from counterpoise.runtime.service_metrics import LATENCIES
from counterpoise.settings.model import Settings
from testkit.manual_clock import ManualClock
from testkit.slack_server import SlackServer
from tests.integration.alerts.running import Alerter, alerter, states_of
from tests.integration.alerts.test_line import FIRED, H, heads
from tests.integration.alerts.world import CLEAR, FIRST_TIME, OVER, World, a_world, with_slack


class WallClock(ManualClock):
    """A clock whose wall time is set by the test while its durations, and its sleeping, are real."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


def clock_at(world: World) -> WallClock:
    return WallClock(world.time_of(world.height) + 60.0)


def quiet(running: Alerter) -> None:
    running.until(lambda: running.status.snapshot()["info"].get("undelivered") == 0, "all is told")


def test_history_is_recorded_and_the_state_at_start_is_posted_once(migrated: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(migrated) as world:
        settings = with_slack(migrated, slack, state_dir)
        world.mine(FIRED + [OVER] * 30)
        clock = clock_at(world)
        with alerter(settings, clock=clock) as running:
            running.at(H + 71)
            running.until(lambda: len(slack.messages) == 1, "the state at start")
        assert states_of(settings) == [("pending", H + 5, 0), ("firing", H + 41, 1)]
        [start] = slack.messages
        # Blocks are 600 s apart and the clock is 60 s after the tip: the first within 3 h is 17 before it.
        assert f"from height {H + 71 - 17} " in start.text
        assert start.text.endswith("1 firing, 0 pending or possible")
        with alerter(settings, clock=clock) as running:
            running.at(H + 71)
            world.mine([CLEAR], tell=True)
            clock.advance(600)
            running.at(H + 72)
            steps = {one["step"]: sum(one["counts"]) for one in running.status.snapshot()["latencies"]}
        assert steps.keys() == LATENCIES["alerts"].keys()
        assert steps["judge_to_keep"] == steps["judge_to_accept"] == 1, "of the block that resolved it, and its message"
        assert [m.text.split(":")[0] for m in slack.messages][1:] == ["🟢 RESOLVED"]
        assert len(slack.roots) == 2, "an alert that fired before go-live has no message to answer"


def test_the_state_at_start_comes_before_the_news_that_another_process_left_unsent(
    migrated: Settings, state_dir: Path
) -> None:
    with SlackServer() as slack, a_world(migrated) as world:
        settings = with_slack(migrated, slack, state_dir)
        world.mine([CLEAR] * 5)
        clock = clock_at(world)
        slack.fail("500", times=1_000)
        with alerter(settings, clock=clock) as running:
            running.until(lambda: running.status.snapshot()["info"].get("height") == H + 4, "it is live")
            world.mine([OVER] * 37, tell=True)
            clock.advance(37 * 600)
            running.until(lambda: running.status.snapshot()["info"].get("height") == H + 41, "it fires")
        slack.recover()
        with alerter(settings, clock=clock) as running:
            running.at(H + 41)
            quiet(running)
        assert [text.split()[0] for text in heads(slack)] == ["Counterpoise", "🔴"]


def test_an_old_tip_is_not_live(migrated: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(migrated) as world:
        settings = with_slack(migrated, slack, state_dir)
        world.mine(FIRED)
        with alerter(settings, clock=WallClock(world.time_of(world.height) + 4 * 3_600.0)) as running:
            running.at(H + 41)
            quiet(running)
        assert slack.messages == []
        assert states_of(settings)[-1][0] == "firing"


def test_a_weekly_reminder_comes_once_in_the_thread(migrated: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(migrated) as world:
        settings = with_slack(migrated, slack, state_dir)
        world.mine(FIRED[:-1])
        clock = clock_at(world)
        with alerter(settings, clock=clock) as running:
            running.at(H + 40)
            world.mine(FIRED[-1:], tell=True)
            running.at(H + 41)
            running.until(lambda: "🔴 FIRING" in heads(slack), "it fires")
        clock.advance(15 * 86_400)
        for _ in range(2):
            with alerter(settings, clock=clock) as running:
                running.until(lambda: any("Still firing" in m.text for m in slack.messages), "the reminder")
                quiet(running)
        reminders = [m for m in slack.messages if "Still firing" in m.text]
        assert [m.text.split(":")[0] for m in reminders] == ["Still firing after 2 weeks"]
        assert reminders[0].text.endswith("UTC; now 75.1 % at height 800041)")
        root = next(m for m in slack.roots if "FIRING" in m.text)
        assert reminders[0].thread_ts == root.ts


def test_no_block_for_two_hours_fires_and_the_next_block_resolves_it(migrated: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(migrated) as world:
        settings = with_slack(migrated, slack, state_dir)
        world.mine([CLEAR] * 3)
        clock = clock_at(world)
        with alerter(settings, clock=clock) as running:
            running.at(H + 2)
            clock.advance(7_200)
            running.until(lambda: any(r.rule_id == "no-block" for r in running.seen), "no block")
            fired = running.seen[-1]
            assert (fired.state, fired.event_time) == ("firing", world.time_of(H + 2) + 7_200)
            world.mine([CLEAR], tell=True)
            running.until(lambda: running.seen[-1].state == "resolved", "a block")
            quiet(running)
        again = [(t.alert_id, t.sequence, t.state) for t in running.seen if t.rule_id == "no-block"]
        assert again == [(fired.alert_id, 0, "firing"), (fired.alert_id, 1, "resolved")]
        assert heads(slack)[-2:] == ["🟢 RESOLVED", "🟢 RESOLVED (reply)"]


def test_dead_letters_that_arrive_are_told_of(migrated: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(migrated) as world:
        settings = with_slack(migrated, slack, state_dir)
        world.mine([CLEAR] * 3)
        clock = clock_at(world)
        world.ch.insert(
            "dead_letters_log",
            {
                "letter_id": ["0" * 32],
                "service": ["streams"],
                "reason": ["not-json"],
                "seen_at": np.array([int(clock.now() * 1000)], np.int64),
                "version": np.array([1], np.uint64),
            },
        )
        with alerter(settings, clock=clock) as running:
            running.until(lambda: any(r.rule_id == "dead-letters" for r in running.seen), "a dead letter")
            [row] = [r for r in running.seen if r.rule_id == "dead-letters"]
            quiet(running)
        assert row.summary == "1 dead letter within 1 h: `counterpoise dlq list` shows the reasons."
        assert world.ch.query(row.evidence.sql) == [("not-json", 1)]
        assert world.first_time == FIRST_TIME
