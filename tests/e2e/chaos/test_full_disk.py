"""The whole line and its engines on one small disk, which fills up amid the work: nothing is lost, and nothing is killed for it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from testkit.slack_server import SlackServer
from tests.e2e.chaos.line import SERVICES, Line
from tests.e2e.chaos.reference import TIMEOUT_SECONDS, Undisturbed
from tests.e2e.chaos.snapshot import once_each
from tests.e2e.chaos.test_outages import BLOCKS
from tests.engines import ClickHouseServer, run_kafka
from tests.namespaces import fill, small_disk, why_no_namespaces
from tests.runbook import assert_shown, status_text, symptom
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(bool(why_no_namespaces("mount", "umount")), reason=why_no_namespaces("mount", "umount"))

DISK_MEGABYTES = 256

SLOWLY = replace(BLOCKS, speed=40_000)
"""The blocks last longer than the disk takes to fill."""

STALL_SECONDS = 30.0
"""Longer than a status file may be old before its service is asked."""


# Long: the whole line on a disk; its parts on one stay (runtime/test_full_disk.py, runtime/test_full_disk_commands.py).
@pytest.mark.long
def test_a_disk_that_fills_and_has_space_again_leaves_what_one_with_space_leaves(
    undisturbed: Undisturbed, slack: SlackServer, tmp_path: Path
) -> None:
    undisturbed.run.result(TIMEOUT_SECONDS)  # its thread starts processes, which would not see the disk
    with small_disk(tmp_path / "disk", DISK_MEGABYTES) as disk:
        kafka = run_kafka(disk)
        clickhouse = ClickHouseServer(disk / "clickhouse")
        (disk / "line").mkdir(mode=0o700)
        try:
            with Line(kafka, clickhouse, slack, disk / "line", SLOWLY.settings(tmp_path)) as line:
                supervisor = line.supervise(COUNTERPOISE_HEALTH__STALL_AFTER_SECONDS=str(STALL_SECONDS))
                environment = line.environment("a", {})  # it writes files: not on a full disk
                line.until(lambda: line.held() > BLOCKS.first + 300, "the line works")
                before = {service: line.said(service)["pid"] for service in SERVICES}
                stay_full(disk, lambda: status_text(disk / "line" / "a", environment))
                assert line.held() < BLOCKS.last, "it filled up too late"

                line.until(lambda: line.decided(BLOCKS.last), "all is stored and told")
                assert {service: line.said(service)["pid"] for service in SERVICES} == before, (
                    "a full disk ends no process"
                )
                restarts = {service: line.said("supervisor")["info"][service]["restarts"] for service in SERVICES}
                assert restarts == dict.fromkeys(SERVICES, 0)
                heights = line.ch.query("SELECT count(), uniqExact(height), min(height), max(height) FROM blocks")
                blocks = BLOCKS.last - BLOCKS.first + 1
                assert heights == [(blocks, blocks, BLOCKS.first, BLOCKS.last)]
                line.stop([supervisor])
                assert "Traceback" not in supervisor.log()
                assert once_each(slack)
                undisturbed.assert_equal(line)
        finally:
            clickhouse.stop()
            kafka.stop()
            for log in (disk / "line").glob("*.log"):
                shutil.copy(log, tmp_path)  # the disk goes with the test


def stay_full(disk: Path, status: Callable[[], str]) -> None:
    """Keep the disk full, whatever the engine frees, until status shows both symptoms, for longer than a stall lasts."""
    until = time.monotonic() + 1.5 * STALL_SECONDS
    printed = ""

    def is_shown() -> bool:
        nonlocal printed
        with suppress(OSError):  # full already
            fill(disk)
        printed = status()
        return all(symptom(words).is_in(printed) for words in ("disk of ClickHouse", "disk of the state directory"))

    wait_for(lambda: is_shown() and time.monotonic() > until, "both symptoms are shown", lambda: printed)
    assert_shown("The disk of ClickHouse is full", printed)
    assert_shown("The disk of the state directory is full", printed)
    (disk / "zeros").unlink()
