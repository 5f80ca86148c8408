"""The whole line and its engines on one small disk, which fills up amid the work: nothing is lost, and nothing is killed for it."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from testkit.slack_server import SlackServer
from tests.e2e.chaos.line import SERVICES, Line
from tests.e2e.chaos.reference import TIMEOUT_SECONDS, Undisturbed
from tests.e2e.chaos.snapshot import once_each
from tests.e2e.chaos.test_outages import BLOCKS, OUTAGE_SECONDS, STALL_AFTER
from tests.engines import ClickHouseServer, run_kafka
from tests.namespaces import fill, small_disk, why_no_namespaces
from tests.runbook import assert_shown, status_text
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(bool(why_no_namespaces("mount", "umount")), reason=why_no_namespaces("mount", "umount"))

DISK_MEGABYTES = 256


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
            with Line(kafka, clickhouse, slack, disk / "line", BLOCKS.settings(tmp_path)) as line:
                supervisor = line.supervise(**STALL_AFTER)
                environment = line.environment("a", {})  # it writes files: not on a full disk
                line.until(lambda: line.held() > BLOCKS.first + 300, "the line works")
                before = {service: line.said(service)["pid"] for service in SERVICES}
                printed = stay_full(disk, disk / "line" / "a", environment)
                assert_shown("The disk of ClickHouse is full", printed)
                assert_shown("The disk of the state directory is full", printed)
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


def stay_full(disk: Path, state_dir: Path, environment: dict[str, Any]) -> str:
    """Keep the disk full for longer than the limits of an outage, whatever the engine frees; what status printed while it waited."""
    printed: list[str] = []

    def is_shown() -> bool:
        with suppress(OSError):  # full already
            fill(disk)
        printed.append(status_text(state_dir, environment))
        return (
            "243" in printed[-1] or "No space left on device" in printed[-1].partition("streams")[2].partition("\n")[0]
        )

    wait_for(is_shown, "streams waits for space", lambda: printed[-1])
    until = time.monotonic() + OUTAGE_SECONDS
    while time.monotonic() < until:
        is_shown()
        time.sleep(0.2)
    (disk / "zeros").unlink()
    return printed[-1]
