"""An alerter that is replaced while it works: what it wanted to write, and rows that arrive after the next one has read all."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from alerts import alert_session, service
from alerts.store.alert_store import AlertStore
from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.epochs import claim_epoch
from counterpoise.clickhouse.rows.alert_event_rows import alert_event_columns
from counterpoise.clickhouse.versions import Versions
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from testkit.slack_server import SlackServer
from tests.integration.alerts.running import alerter, states_of
from tests.integration.alerts.test_line import FIRED, H, heads
from tests.integration.alerts.world import CLEAR, a_world, with_slack
from tests.waiting import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def _is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_session, "POLL_SECONDS", 0.3)
    monkeypatch.setattr(service, "STAND_BY_POLL_SECONDS", 0.1)
    monkeypatch.setattr(service, "LEADER_GONE_SECONDS", 10 * PATIENCE_SECONDS)


def test_a_leader_that_slept_between_its_check_and_its_insert_writes_nothing(
    replayed: Settings, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        others: list[int] = []

        def sleep(place: str) -> None:
            """The first time that rows are about to be written, another alerter has taken over meanwhile."""
            if place == "alerts-before-rows" and not others:
                with connect(clickhouse_target(settings), settings.dataset) as ch:
                    versions = Versions(claim_epoch(ch, "alerts"))
                    others.append(versions.epoch)
                    AlertStore(ch).states.write_leader(versions.epoch, time.time(), versions.next())

        monkeypatch.setattr(alert_session, "crash_point", sleep)
        world.mine(FIRED)
        with alerter(settings) as running:
            running.until(lambda: running.status.snapshot().get("waiting_on") == "alerter", "it stands by")
            assert states_of(settings) == [] and slack.messages == []
            monkeypatch.setattr(service, "LEADER_GONE_SECONDS", 0.5)
            running.at(H + 41)
        assert [state for state, _, _ in states_of(settings)] == ["pending", "firing"]
        assert heads(slack) == ["🔴 FIRING"]


def test_rows_that_arrive_after_all_was_read_are_met_and_a_firing_of_another_branch_is_taken_back(
    replayed: Settings, state_dir: Path
) -> None:
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED)
        with alerter(replayed) as running:
            running.at(H + 41)
        with connect(clickhouse_target(settings), settings.dataset) as ch:
            fired = AlertStore(ch).events.transitions()
            ch.execute("TRUNCATE TABLE alert_events_log")
            ch.execute("TRUNCATE TABLE alert_state_log")
            ch.execute("TRUNCATE TABLE alert_deliveries_log")
            world.reorg(H + 4, [CLEAR] * 41, branch="b")
            before = Versions(claim_epoch(ch, "alerts"))
            with alerter(settings) as running:
                running.at(H + 45)
                assert slack.messages == []
                ch.insert("alert_events_log", alert_event_columns(fired, before.next()))
                running.until(lambda: len(slack.messages) == 2, "what was told is taken back")
        assert heads(slack) == ["⚪ RETRACTED", "⚪ RETRACTED (reply)"]
