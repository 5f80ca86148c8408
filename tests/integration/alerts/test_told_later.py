"""What nobody was told at first, and who is told of it in the end."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from alerts import alert_session, service
from alerts.store.alert_mutes_log import Mute
from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.epochs import claim_epoch
from counterpoise.clickhouse.versions import Versions
from counterpoise.kafka.lag import read_lag
from counterpoise.kafka.topic_setup import ensure_topics
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from testkit.slack_server import SlackServer
from tests.engines import ClickHouseServer, RunningKafka, settings_for
from tests.first_rules import with_first_rules
from tests.integration.alerts.running import alerter
from tests.integration.alerts.test_line import FIRED, H, heads
from tests.integration.alerts.world import CLEAR, OVER, a_world, with_slack
from tests.template import make_database
from tests.waiting import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is due of alerts that fire is asked for once a minute."""
    monkeypatch.setattr(alert_session, "REMINDER_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(alert_session, "POLL_SECONDS", 0.3)


def mute(settings: Settings, until: float, written_at: float) -> None:
    with connect(clickhouse_target(settings), settings.dataset) as ch:
        AlertStore(ch).mutes.write(Mute("top4-share", until, muted_at=written_at))


def test_what_still_fires_when_its_mute_ends_is_told_then(replayed: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        mute(settings, 4_000_000_000.0, 2.0)
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
            time.sleep(1.0)
            assert slack.messages == []
            mute(settings, 1.0, 1.0)  # lifted by somebody whose clock is behind
            running.until(lambda: heads(slack) == ["🔴 FIRING"], "it is told")
            world.mine([CLEAR], tell=True)
            running.at(H + 42)
        assert heads(slack) == ["🟢 RESOLVED", "🟢 RESOLVED (reply)"]


# Long: an alert that ended meanwhile; one that still fires stays above.
@pytest.mark.long
def test_what_began_and_ended_while_muted_is_told_to_nobody(replayed: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        mute(settings, 4_000_000_000.0, 1.0)
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
            world.mine([CLEAR], tell=True)
            running.at(H + 42)  # a mute that is lifted before this would tell what still fires
            mute(settings, 1.0, 2.0)
            world.mine([CLEAR], tell=True)
            running.at(H + 43)
            time.sleep(1.0)
        assert slack.messages == []


# Long: an edit during a mute; a mute that ends stays above.
@pytest.mark.long
def test_a_message_that_stands_is_edited_though_its_rule_is_muted(replayed: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
            mute(settings, 4_000_000_000.0, 1.0)
            world.mine([CLEAR], tell=True)
            running.at(H + 42)
        assert heads(slack) == ["🟢 RESOLVED"]


def test_a_message_that_somebody_deleted_does_not_stop_what_follows(replayed: Settings, state_dir: Path) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED)
        with alerter(settings) as running:
            running.at(H + 41)
            slack.delete(slack.messages[0].ts)
            slack.fail("drop")  # the answer to the reply is lost too: it is looked for where there is no thread
            world.mine([CLEAR], tell=True)
            running.at(H + 42)
        assert heads(slack) == ["🟢 RESOLVED"]


def test_a_retraction_overtakes_a_post_that_is_under_way(replayed: Settings, state_dir: Path) -> None:
    with SlackServer(slow_seconds=1.0) as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED)
        slack.fail("slow")
        with alerter(settings) as running:
            running.until(lambda: "chat.postMessage" in slack.calls, "the post is under way")
            world.reorg(H + 40, [CLEAR, CLEAR], branch="b", tell=True)
            running.at(H + 42)
        assert heads(slack) == ["⚪ RETRACTED", "⚪ RETRACTED (reply)"]


def test_a_leader_with_a_wrong_clock_is_not_taken_for_gone(
    replayed: Settings, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "STAND_BY_POLL_SECONDS", 0.1)
    monkeypatch.setattr(service, "LEADER_GONE_SECONDS", 10 * PATIENCE_SECONDS)
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine([CLEAR])
        with alerter(settings) as running, connect(clickhouse_target(settings), settings.dataset) as ch:
            running.at(H)
            versions = Versions(claim_epoch(ch, "alerts"))

            def sign() -> bool:
                """An hour behind, and alive."""
                AlertStore(ch).states.write_leader(versions.epoch, time.time() - 3_600, versions.next())
                return bool(running.status.snapshot()["waiting_on"] == "alerter")

            running.until(sign, "it stands by")
            for _ in range(20):
                assert sign()
                time.sleep(0.1)
            monkeypatch.setattr(service, "LEADER_GONE_SECONDS", 0.5)
            running.until(lambda: running.status.snapshot()["state"] == "working", "it takes over from a silent one")


# Long: a broker that is back within a second; one that is missed stays in test_kills.py.
@pytest.mark.long
def test_a_broker_that_lost_its_memory_and_was_not_missed_is_heard_again(
    own_kafka: RunningKafka, clickhouse: ClickHouseServer, state_dir: Path
) -> None:
    """Back within a second with empty topics of the same names: our offset means nothing there."""
    if os.environ.get("COUNTERPOISE_TEST_KAFKA") == "apache":
        pytest.skip("Apache Kafka keeps its topics")
    plain = with_first_rules(settings_for(own_kafka, clickhouse, state_dir, dataset_kind="historical"))
    make_database(clickhouse.target, plain.dataset_of)
    with SlackServer() as slack, a_world(plain) as world:
        settings = with_slack(plain, slack, state_dir)
        world.mine(FIRED[:5])
        with alerter(settings) as running:
            running.at(H + 4)
            for top in FIRED[5:20]:
                world.mine([top], tell=True)
            running.at(H + 19)
            own_kafka.kill()
            own_kafka.restart()
            ensure_topics(own_kafka.target, settings.dataset)  # as ingest does
            world.forget_producer()
            for top in FIRED[20:]:
                world.mine([top], tell=True)
                time.sleep(0.2)
            running.at(H + 41)

            def heard() -> bool:
                world.mine([OVER], tell=True)
                time.sleep(0.1)
                ours = [row for row in read_lag(own_kafka.target, settings.dataset, ("alerts",)) if row.end]
                return bool(ours) and all(row.lag == 0 and (row.committed or 0) <= row.end + 1 for row in ours)

            running.until(heard, "its place in the new topic")
        assert heads(slack) == ["🔴 FIRING"]
