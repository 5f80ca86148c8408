"""An operator's day: the symptoms of docs/runbook.md on the real line, one after the other, with the texts that the page shows.

Symptoms that are not here have a test beside the code that prints their text; tests/docs/test_runbook.py lists those that lack one.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from counterpoise.contracts.topics import BLOCKS
from counterpoise.kafka.clients import make_producer
from testkit.slack_server import SlackServer
from tests.e2e.chaos.line import SERVICES, SESSION_SECONDS, Line
from tests.engines import ClickHouseServer, RunningKafka, kafka_engine
from tests.runbook import assert_shown
from tests.waiting import PATIENCE_SECONDS

HEIGHTS = 1_500
FULL = 2**62
"""Bytes that no disk has free."""


def blocks(directory: Path, speed: float) -> dict[str, str]:
    """Settings that replay HEIGHTS blocks: of each ten, nine are by four pools."""
    path = directory / "blocks.csv"
    pools = ["foundry usa", "foundry usa", "foundry usa", "antpool", "antpool", "antpool", "viabtc", "viabtc", "f2pool"]
    rows = [f"{800_000 + at},{1_700_000_000 + at * 600},{[*pools, 'luxor'][at % 10]}" for at in range(HEIGHTS)]
    path.write_text("\n".join(["height,time,pool", *rows, ""]))
    return {
        "COUNTERPOISE_INGEST__SOURCE": "replay",
        "COUNTERPOISE_INGEST__REPLAY__PATH": str(path),
        "COUNTERPOISE_INGEST__REPLAY__SPEED": str(speed),
        "COUNTERPOISE_INGEST__EVENTS_PER_MESSAGE": "50",
    }


def last() -> int:
    return 800_000 + HEIGHTS - 1


def send_rubbish(line: Line) -> None:
    producer = make_producer(line.kafka.target, "test")
    producer.send(BLOCKS.full_name(line.dataset), b"no json", key=b"bitcoin").get(PATIENCE_SECONDS)
    producer.close()


def test_a_full_disk_a_dead_letter_and_a_death(
    kafka: RunningKafka, clickhouse: ClickHouseServer, slack: SlackServer, tmp_path: Path
) -> None:
    """The disk is full for one table: the engine compares the free space with its limit before each insert."""
    with Line(kafka, clickhouse, slack, tmp_path, blocks(tmp_path, 0.0), dataset="operators_morning") as line:
        table = "ALTER TABLE blocks_log MODIFY SETTING min_free_disk_bytes_to_perform_insert = "
        line.ch.execute(f"{table}{FULL}")
        streams, _ = line.start("streams"), line.start("ingest")
        line.until(lambda: streams.status().get("waiting_on") == "clickhouse", "streams waits")
        line.until(
            lambda: "NOT_ENOUGH_SPACE" in str(streams.status().get("wait_reason")), "the full disk"
        )  # first, perhaps, a slow connection
        assert_shown("The disk of ClickHouse is full", line.status_text())
        line.ch.execute(f"{table}0")
        line.until(lambda: line.held() == last(), "all blocks are stored")

        send_rubbish(line)
        line.until(lambda: line.ch.query("SELECT count() FROM dead_letters") == [(1,)], "the letter")
        assert_shown("Dead letters arrive", line.command("dlq", "list").stdout)

        streams.kill()
        assert_shown("A service died", line.status_text())
        line.ch.execute(f"DROP DATABASE IF EXISTS {line.dataset} SYNC")


@pytest.mark.soak
@pytest.mark.skipif(kafka_engine() == "apache", reason="Apache Kafka loses no messages at a restart")
def test_a_whole_day_under_the_supervisor(
    own_kafka: RunningKafka, own_clickhouse: ClickHouseServer, slack: SlackServer, tmp_path: Path
) -> None:
    """Every symptom ends without a hand on the services, and every block is stored and judged at the end."""
    settings = blocks(tmp_path, 12_000.0)
    with Line(own_kafka, own_clickhouse, slack, tmp_path, settings, dataset="operators_day") as line:
        supervisor = line.supervise(COUNTERPOISE_HEALTH__STALL_AFTER_SECONDS=str(2 * SESSION_SECONDS))
        line.until(lambda: line.held() > 800_050, "the line works")

        own_clickhouse.kill()
        line.until(lambda: line.said("streams").get("waiting_on") == "clickhouse", "streams waits")
        assert_shown("streams waiting on clickhouse", line.status_text())
        own_clickhouse.restart()
        line.until(lambda: line.said("streams")["state"] == "working", "the wait ends by itself")

        own_kafka.kill()
        for service in ("ingest", "streams"):
            line.until(lambda s=service: line.said(s).get("waiting_on") == "kafka", f"{service} waits")  # type: ignore[misc]
        assert_shown("Everything waits on kafka", line.status_text())
        own_kafka.restart()
        line.until(lambda: "the broker has lost its memory" in supervisor.log(), "streams starts again")
        line.until(lambda: "kafka lost its messages" in supervisor.log(), "ingest sends again")
        assert_shown("The broker lost its messages", supervisor.log())

        line.until(lambda: line.said("streams")["state"] == "working", "streams works")
        frozen = line.said("streams")["pid"]
        os.kill(frozen, signal.SIGSTOP)
        line.until(lambda: line.said("streams")["pid"] not in (0, frozen), "another one")
        assert_shown("stalled; killing it", supervisor.log())

        other = line.start("ingest", name="b")  # without a supervisor, which would end it
        line.until(lambda: other.status().get("state") == "working", "a second ingester works")
        os.kill(other.pid, signal.SIGSTOP)
        line.until(lambda: " silent " in line.status_text("b"), "it is silent")
        assert_shown("A service is silent", line.status_text("b"))
        other.kill()

        slack.refuse("invalid_auth", times=1_000)
        line.until(lambda: line.said("alerts").get("waiting_on") == "slack", "alerts waits for Slack")
        assert_shown("Slack refuses the token", line.status_text())
        slack.stop()
        line.until(lambda: "refuses connections" in (line.said("alerts").get("wait_reason") or ""), "Slack is away")
        assert_shown("No Slack message", line.status_text())
        slack.recover()
        slack.start()
        line.until(lambda: line.decided(last()), "the last block is judged and told")
        assert line.ch.query("SELECT count(), min(height), max(height) FROM blocks") == [(HEIGHTS, 800_000, last())]
        assert {service: line.said(service)["state"] for service in SERVICES} == dict.fromkeys(SERVICES, "working")
        assert slack.messages
        line.stop([supervisor])
        assert "Traceback" not in supervisor.log()
