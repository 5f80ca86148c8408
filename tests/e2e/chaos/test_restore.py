"""A backup while the line works; then the database is lost and read back, and the line ends where an undisturbed one ends."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from testkit.slack_server import SlackServer
from tests.e2e.chaos.line import Line
from tests.e2e.chaos.reference import SHORT, TIMEOUT_SECONDS, Undisturbed
from tests.e2e.chaos.snapshot import differences, left_by
from tests.engines import ClickHouseServer, RunningKafka

NAME = "amid-the-work"

BLOCKS = replace(SHORT, speed=10_000)
"""All of them take three and a half minutes, so that a backup on the busiest machine is made while they come."""
FLAT_OUT = {"COUNTERPOISE_INGEST__REPLAY__SPEED": "0"}


# Long: the whole line after a restore; that of a database stays (sql/test_backup.py).
@pytest.mark.long
def test_a_line_that_was_restored_leaves_what_an_undisturbed_one_leaves(
    undisturbed: Undisturbed,
    own_kafka: RunningKafka,
    own_clickhouse: ClickHouseServer,
    slack: SlackServer,
    tmp_path: Path,
) -> None:
    """The database is lost after the alert was sent. If the backup lacks the alert, it is judged and sent a second time.

    If the backup has it, because the machine is slow, its message is found in the channel.
    """
    fires = 892_330
    with Line(own_kafka, own_clickhouse, slack, tmp_path, BLOCKS.settings(tmp_path)) as line:
        supervisor = line.supervise()
        line.until(lambda: line.held() > SHORT.first + 100, "the line works")
        done = line.command("backup", NAME)
        assert done.returncode == 0, done.stderr
        kept = line.held()
        assert "of dataset chaos run, and would write" in line.command("restore", NAME, "--set-aside").stderr
        line.stop([supervisor])
        supervisor = line.supervise(**FLAT_OUT)
        line.until(lambda: line.held() > max(fires + 200, kept) and bool(slack.messages), "the alert is told")
        line.stop([supervisor])
        told = {message.key for message in slack.messages}
        held = line.held()
        line.ch.execute(f"DROP DATABASE {line.dataset} SYNC")

        done = line.command("restore", NAME)
        assert done.returncode == 0, done.stderr
        assert line.held() < held, "what came after the backup is not there"
        [(is_judged,)] = line.ch.query("SELECT count() > 0 FROM alert_events WHERE state = 'firing'")
        supervisor = line.supervise(**FLAT_OUT)
        line.until(lambda: line.decided(BLOCKS.last), "all is stored and told")
        line.stop([supervisor])
        keys = [message.key for message in slack.messages]
        assert {key for key in keys if keys.count(key) > 1} == (set() if is_judged else told)
        reference = undisturbed.run.result(TIMEOUT_SECONDS)
        found = replace(left_by(line.ch, slack), slack=reference.left.slack)
        assert differences(line.ch, found, reference.line.ch, reference.left) == []
    shutil.rmtree(own_clickhouse.directory / "data-backups" / NAME)
