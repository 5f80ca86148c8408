"""The whole line under its supervisor: ClickHouse, then Slack, away for longer than a consumer's limits; and frozen services."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testkit.slack_server import SlackServer
from tests.e2e.chaos.line import SERVICES, Line
from tests.e2e.chaos.reference import SHORT, Undisturbed
from tests.e2e.chaos.snapshot import once_each
from tests.engines import ClickHouseServer, RunningKafka
from tests.runbook import assert_shown
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.kafka

STALL_SECONDS = 30.0
"""More than any step of a service takes on a busy machine, a start and a take-over of partitions among them."""

STALL_AFTER = {"COUNTERPOISE_HEALTH__STALL_AFTER_SECONDS": str(STALL_SECONDS)}

OUTAGE_SECONDS = STALL_SECONDS + 5.0
"""Over the time of a stall, for which a wait must not be taken; over the session, in which a consumer must send a sign of life; and
over the rebalance limit (twice the session), in which it must come back to its coordinator. The poll limit of the stream worker is a
day: it may wait for that long and keep its partitions."""

BLOCKS = replace(SHORT, speed=250_000)


def pids(line: Line, name: str = "a") -> dict[str, int]:
    return {service: line.said(service, name)["pid"] for service in SERVICES}


def services(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {service["name"]: service for service in report["services"]}


# Long: the whole line at once; one service each stays (streams/test_outages.py, alerts/test_kills.py).
@pytest.mark.long
def test_clickhouse_and_slack_away_for_longer_than_the_limits_lose_nothing_and_restart_nothing(
    undisturbed: Undisturbed,
    own_kafka: RunningKafka,
    own_clickhouse: ClickHouseServer,
    slack: SlackServer,
    tmp_path: Path,
) -> None:
    with Line(own_kafka, own_clickhouse, slack, tmp_path, BLOCKS.settings(tmp_path)) as line:
        supervisor = line.supervise(**STALL_AFTER)
        line.until(lambda: line.held() > BLOCKS.first + 300, "the line works")
        before = pids(line)
        own_clickhouse.kill()
        away_at = time.time()
        for service in ("streams", "alerts"):
            line.until(lambda s=service: line.said(s).get("waiting_on") == "clickhouse", f"{service} waits")  # type: ignore[misc]
        time.sleep(max(0.0, away_at + OUTAGE_SECONDS - time.time()))
        report = line.report()
        assert [engine["problem"] is None for engine in report["engines"]] == [True, False]
        assert not report["healthy"]
        for service in ("streams", "alerts"):
            seen = services(report)[service]
            assert (seen["state"], seen["status"]["waiting_on"]) == ("waiting", "clickhouse")
            assert away_at - 1 < seen["status"]["waiting_since"] <= time.time()
            assert seen["detail"].startswith("on clickhouse for ")

        slack.stop()  # before anything was told
        away_at = time.time()
        own_clickhouse.restart()
        line.until(lambda: line.said("alerts").get("waiting_on") == "slack", "alerts waits for Slack")
        line.until(lambda: line.held() == BLOCKS.last, "the rest goes on without Slack")
        time.sleep(max(0.0, away_at + OUTAGE_SECONDS - time.time()))
        seen = services(line.report())["alerts"]
        assert (seen["state"], seen["status"]["waiting_on"]) == ("waiting", "slack")
        assert seen["detail"].startswith("on slack for ")
        assert_shown("No Slack message", line.status_text())
        assert "refuses connections" in seen["detail"]
        assert services(line.report())["streams"]["state"] == "working"
        assert slack.messages == []
        slack.start()
        line.until(lambda: line.decided(BLOCKS.last), "all is told")

        assert pids(line) == before, f"an outage is no reason to start anything again\n{line.explain()}"
        restarts = {service: line.said("supervisor")["info"][service]["restarts"] for service in SERVICES}
        assert restarts == dict.fromkeys(SERVICES, 0)
        assert services(line.report())["alerts"]["status"]["info"]["last_slack_success_at"] > away_at
        line.stop([supervisor])
        said = supervisor.log().splitlines()
        for service, on in (("streams", "clickhouse"), ("alerts", "clickhouse"), ("alerts", "slack")):
            told = [part for part in said if part.startswith(service) and f"waiting_on={on}" in part]
            assert 1 <= len(told) <= 3, f"{service} on {on}: {told}"
        assert "Traceback" not in supervisor.log()
        assert once_each(slack)
        undisturbed.assert_equal(line)


@pytest.mark.soak
def test_two_of_each_and_frozen_ones_leave_what_one_of_each_leaves(
    undisturbed: Undisturbed,
    own_kafka: RunningKafka,
    own_clickhouse: ClickHouseServer,
    slack: SlackServer,
    tmp_path: Path,
) -> None:
    """Two ingesters, two stream workers and two alerters, under two supervisors; those of the first are frozen amid the work, and
    the alerter perhaps while it stands by."""
    with Line(own_kafka, own_clickhouse, slack, tmp_path, BLOCKS.settings(tmp_path)) as line:
        supervisors = [line.supervise(name=name, **STALL_AFTER) for name in ("a", "b")]
        line.until(lambda: all(pid for name in ("a", "b") for pid in pids(line, name).values()), "all six run")
        line.until(lambda: BLOCKS.first + 100 < line.held() < BLOCKS.last, "the line works")
        frozen = pids(line)
        for pid in frozen.values():
            os.kill(pid, signal.SIGSTOP)  # alive, and does nothing
        line.until(lambda: not set(pids(line).values()) & set(frozen.values()), "all frozen ones are replaced")
        assert len(stalls(supervisors[0].log())) == len(SERVICES)
        line.until(
            lambda: line.held() == BLOCKS.last and any(line.decided(BLOCKS.last, name) for name in ("a", "b")),
            "the last block is decided",
        )
        line.stop(supervisors)
        assert once_each(slack)
        undisturbed.assert_equal(line)


def stalls(log: str) -> list[str]:
    return [line for line in log.splitlines() if "stalled; killing it" in line]


def test_a_wrong_setting_of_one_service_ends_all_with_one_line(
    kafka: RunningKafka, clickhouse: ClickHouseServer, slack: SlackServer, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("version: 1\nrules: []\n")
    blocks = tmp_path / "blocks.csv"
    blocks.write_text("height,time,pool\n1,2023-01-01T00:00:00Z,f2pool\n")
    settings = {
        "COUNTERPOISE_INGEST__SOURCE": "replay",
        "COUNTERPOISE_INGEST__REPLAY__PATH": str(blocks),
        "COUNTERPOISE_ALERTS__RULES_FILE": str(rules),
    }
    with Line(kafka, clickhouse, slack, tmp_path, settings, dataset="chaos_wrong") as line:
        supervisor = line.supervise()
        assert supervisor.process.wait(PATIENCE_SECONDS) == 2
        own = [said for said in supervisor.log().splitlines() if said.startswith("counterpoise: ")]
        assert len(own) == 1, supervisor.tail()
        assert own[0].startswith(f"counterpoise: alerts: rules file '{rules}'")
        assert "Traceback" not in supervisor.log()
        for service in SERVICES:
            pid = line.said(service)["pid"]
            assert not pid or not Path(f"/proc/{pid}").exists(), f"{service} was left behind"
        line.ch.execute(f"DROP DATABASE IF EXISTS {line.dataset} SYNC")
