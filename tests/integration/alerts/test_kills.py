"""kill -9 where it hurts, and what others do to us: rows and messages end as in a run that nobody disturbed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from alerts.outbox.pictures import PICTURE
from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.client import connect
from counterpoise.runtime.service_status import read_status
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from testkit.slack_server import Failure, SlackServer
from tests.engines import ClickHouseServer, RunningKafka, as_environment, settings_for
from tests.first_rules import with_first_rules
from tests.forked import ForkedProcess, start_forked
from tests.integration.alerts.running import alerter, rows_of, states_of
from tests.integration.alerts.test_line import FIRED, H, heads
from tests.integration.alerts.world import CLEAR, OVER, a_world, with_slack
from tests.long import long
from tests.template import make_database
from tests.waiting import PATIENCE_SECONDS, wait_for

STORY = FIRED + [OVER] * 5 + [CLEAR] * 3 + [OVER] * 40
"""Fires at H+41, resolves at H+47, fires again at H+86."""

TOLD = ["🟢 RESOLVED", "🟢 RESOLVED (reply)", "🔴 FIRING"]


def environment(settings: Settings, **more: str) -> dict[str, str]:
    slack = settings.slack
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("COUNTERPOISE_")},
        **as_environment(settings),
        "COUNTERPOISE_SLACK__TOKEN_FILE": str(slack.token_file),
        "COUNTERPOISE_SLACK__CHANNEL": str(slack.channel),
        "COUNTERPOISE_SLACK__BASE_URL": slack.base_url,
        "COUNTERPOISE_SLACK__TIMEOUT_SECONDS": str(slack.timeout_seconds),
        "COUNTERPOISE_ALERTS__NOTIFIER": "slack",
        "COUNTERPOISE_ALERTS__ALLOW_SLACK_WHEN_NOT_LIVE": "true",
        "COUNTERPOISE_ALERTS__TICK_SECONDS": "0.05",
        **more,
    }


@dataclass(frozen=True)
class AlerterProcess:
    """`counterpoise run alerts`, unsupervised; it ends with the test that holds its standard input."""

    process: ForkedProcess
    log_file: Path

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def wait(self) -> int:
        """The exit code, once it has ended."""
        return self.process.wait(PATIENCE_SECONDS)

    def stop(self) -> None:
        """SIGTERM; it ends in order."""
        self.process.terminate()
        assert self.wait() == 0, self.log()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., AlerterProcess]]:
    """Start an alerter with these settings and variables; none outlives the test."""
    started: list[AlerterProcess] = []

    def one(settings: Settings, **more: str) -> AlerterProcess:
        log_file = tmp_path / f"alerter-{len(started)}.log"
        with log_file.open("wb") as log:
            process = start_forked(["run", "alerts", "--child"], environment(settings, **more), tmp_path, log)
        started.append(AlerterProcess(process, log_file))
        return started[-1]

    yield one
    for alerter_process in started:
        alerter_process.process.kill()
        alerter_process.wait()
        if alerter_process.process.stdin is not None:
            alerter_process.process.stdin.close()


def is_at(settings: Settings, height: int, pid: int) -> bool:
    status = read_status(settings.run_dir, "alerts") or {}
    info = status.get("info", {})
    return bool(status.get("pid") == pid and info.get("height") == height and info.get("undelivered") == 0)


@pytest.fixture
def undisturbed(replayed: Settings, state_dir: Path) -> list[tuple[object, ...]]:
    """The rows of STORY when nobody disturbs; the dataset is emptied again afterwards."""
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(STORY)
        with alerter(settings) as running:
            running.at(world.height)
        assert heads(slack) == TOLD
        rows = rows_of(settings)
        for table in ("alert_events_log", "alert_deliveries_log", "alert_state_log", "epochs_log"):
            world.ch.execute(f"TRUNCATE TABLE {table}")
    return rows


@pytest.mark.parametrize(
    "point",
    [
        "alerts-after-rows:1",
        "alerts-after-slack-accept:1",
        # Long: each later message, and the last point; the first of each kind stays.
        *long("alerts-after-slack-accept:2", "alerts-after-slack-accept:3", "alerts-after-slack-accept:4"),
        *long("alerts-before-checkpoint:1"),
    ],
)
def test_killed_at_a_point_and_started_again_all_is_as_in_an_undisturbed_run(
    undisturbed: list[tuple[object, ...]],
    replayed: Settings,
    state_dir: Path,
    point: str,
    start: Callable[..., AlerterProcess],
) -> None:
    with SlackServer() as slack:
        settings = with_slack(replayed, slack, state_dir)
        doomed = start(settings, COUNTERPOISE_CRASH_POINT=point)
        assert doomed.wait() == -signal.SIGKILL, doomed.log()
        assert f"crash point {point.split(':', maxsplit=1)[0]} reached" in doomed.log()
        again = start(settings)
        wait_for(lambda: is_at(settings, H + len(STORY) - 1, again.process.pid), "the tip", again.log)
        again.stop()
        assert rows_of(settings) == undisturbed
        assert heads(slack) == TOLD
        with connect(clickhouse_target(settings), settings.dataset) as ch:
            messages = [d for d in AlertStore(ch).deliveries.read() if d.action != PICTURE]
            assert sorted((d.action, d.status) for d in messages) == [
                ("post", "sent"),
                ("post", "sent"),
                ("thread", "sent"),
                ("update", "sent"),
            ]


# Long: further ways in which a post fails; one that Slack accepted and one that it refused stay.
@pytest.mark.parametrize("failure", ["drop", "429", *long("drop_before", "503", "503_after", "500", "garbage", "slow")])
def test_a_post_that_fails_is_visible_once(replayed: Settings, state_dir: Path, failure: Failure) -> None:
    with SlackServer(slow_seconds=3.0) as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir, timeout_seconds=2.0)
        world.mine(FIRED)
        slack.fail(failure)
        with alerter(settings) as running:
            running.at(H + 41)
            running.until(lambda: len(slack.messages) == 1, "the message")
            running.at(H + 41)
        assert heads(slack) == ["🔴 FIRING"]


def test_slack_away_for_long_loses_nothing_and_shows_in_the_status(replayed: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        slack.stop()
        world.mine(FIRED)
        with alerter(settings) as running:
            running.until(lambda: running.status.snapshot()["waiting_on"] == "slack", "the wait")
            assert "refuses connections" in running.status.snapshot()["wait_reason"]
            world.mine([CLEAR], tell=True)
            running.until(lambda: running.seen[-1].state == "resolved", "rows go on")
            slack.start()
            running.at(H + 42)
            running.until(lambda: running.status.snapshot()["state"] == "working", "the wait is over")
        assert heads(slack) == ["🟢 RESOLVED", "🟢 RESOLVED (reply)"]


# Long: the alerter without its database; the stream service without it stays (streams/test_outages.py).
@pytest.mark.long
def test_clickhouse_killed_under_us_is_waited_for(
    kafka: RunningKafka, own_clickhouse: ClickHouseServer, state_dir: Path
) -> None:
    plain = with_first_rules(settings_for(kafka, own_clickhouse, state_dir, dataset_kind="historical"))
    make_database(own_clickhouse.target, plain.dataset_of)
    with SlackServer() as slack, a_world(plain) as world:
        settings = with_slack(plain, slack, state_dir)
        world.mine(FIRED[:-1])
        with alerter(settings) as running:
            running.at(H + 40)
            own_clickhouse.kill()
            running.until(lambda: running.status.snapshot()["waiting_on"] == "clickhouse", "the wait")
            own_clickhouse.restart()
            world.mine(FIRED[-1:], tell=True)
            running.at(H + 41)
        assert states_of(settings) == [("pending", H + 5, 0), ("firing", H + 41, 1)]
        assert heads(slack) == ["🔴 FIRING"]


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_broker_that_is_away_costs_delay_and_no_more(
    own_kafka: RunningKafka, clickhouse: ClickHouseServer, state_dir: Path
) -> None:
    plain = with_first_rules(settings_for(own_kafka, clickhouse, state_dir, dataset_kind="historical"))
    make_database(clickhouse.target, plain.dataset_of)
    with SlackServer() as slack, a_world(plain) as world:
        settings = with_slack(plain, slack, state_dir)
        world.mine(FIRED[:-1])
        with alerter(settings) as running:
            running.at(H + 40)
            own_kafka.kill()
            world.mine(FIRED[-1:])
            running.at(H + 41)
            running.until(lambda: running.status.snapshot()["waiting_on"] == "kafka", "the wait")
            own_kafka.restart()
            running.until(lambda: running.status.snapshot()["state"] == "working", "the broker is back")
            world.mine([CLEAR], tell=True)
            running.at(H + 42)
        assert heads(slack) == ["🟢 RESOLVED", "🟢 RESOLVED (reply)"]


def test_two_alerters_at_once_tell_of_a_transition_once(replayed: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        other = settings.model_copy(update={"state_dir": state_dir / "other"})
        world.mine(FIRED[:-1])
        with alerter(settings) as first:
            first.at(H + 40)
            with alerter(other) as second:
                second.at(H + 40)
                world.mine(FIRED[-1:], tell=True)
                second.at(H + 41)
                first.until(lambda: first.status.snapshot()["waiting_on"] == "alerter", "the first stands by")
                world.mine([CLEAR], tell=True)
                second.at(H + 42)
        assert heads(slack) == ["🟢 RESOLVED", "🟢 RESOLVED (reply)"]
        assert states_of(settings) == [("pending", H + 5, 0), ("firing", H + 41, 1), ("resolved", H + 42, 2)]
