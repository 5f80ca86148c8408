"""A disk that is really full, as a service meets it: a small file system of the test's own."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterpoise.clickhouse.client import connect
from counterpoise.errors import EngineError, RetryableError
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.private_files import open_private
from counterpoise.runtime.service_status import ServiceStatus
from engines.clickhouse.engine import KEPT_FREE_BYTES
from engines.kafka import reserve_room
from tests.engines import ClickHouseServer
from tests.namespaces import fill, small_disk, why_no_namespaces
from tests.runbook import assert_shown, status_text
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(bool(why_no_namespaces("mount", "umount")), reason=why_no_namespaces("mount", "umount"))
NOTHING_ANSWERS = {
    "COUNTERPOISE_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "COUNTERPOISE_CLICKHOUSE__HOST": "127.0.0.1",
    "COUNTERPOISE_CLICKHOUSE__PORT": "1",
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """64 MB."""
    with small_disk(tmp_path / "disk", 64) as folder:
        yield folder


def test_a_service_that_cannot_write_its_status_works_and_is_shown_with_the_cause(disk: Path, tmp_path: Path) -> None:
    """It began with space, its file grew old, and it is asked instead."""
    environment = {"COUNTERPOISE_STATE_DIR": str(disk / "state"), "COUNTERPOISE_DATASET": "full_disk"} | NOTHING_ANSWERS
    folder = disk / "state" / "run" / "full_disk"
    with ServiceStatus("alerts", folder, SystemClock()) as status:
        status.serve("127.0.0.1", 0)
        status.working()
        status.flush()
        zeros = fill(disk)
        file = folder / "alerts.json"
        wait_for(lambda: status.snapshot()["file_problem"], "the disk is full for the status, too")
        old = re.sub(r'"updated_at": (\d{10})', lambda found: f'"updated_at": {int(found[1]) - 60}', file.read_text())
        with file.open("r+") as same_size:
            same_size.write(old)
        assert_shown("The disk of the state directory is full", status_text(disk / "state", environment))
        zeros.unlink()
        status.write()
        assert "state directory" not in status_text(disk / "state", environment)


def test_the_embedded_clickhouse_leaves_room_on_its_disk_and_works_on_when_there_is_more(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 128) as disk:
        server = ClickHouseServer(disk / "clickhouse")
        try:
            ballast = fill(disk, leave_bytes=KEPT_FREE_BYTES + 16 * 1024**2)
            with connect(server.target, "default") as ch:
                ch.execute("CREATE TABLE t (at UInt64, text String) ENGINE = MergeTree ORDER BY at")
                stored = 0
                with pytest.raises(RetryableError, match="NOT_ENOUGH_SPACE"):
                    while stored < 2_000:
                        ch.execute(f"INSERT INTO t SELECT {stored} + number, randomString(100000) FROM numbers(10)")
                        stored += 10
                one_insert = 2 * 1024**2  # the last one that finds room may end below the limit
                assert shutil.disk_usage(disk).free > KEPT_FREE_BYTES - one_insert
                assert ch.query("SELECT count(), min(length(text)) FROM t") == [(stored, 100_000)]
                ballast.unlink()
                ch.execute(f"INSERT INTO t SELECT {stored} + number, randomString(100000) FROM numbers(10)")
                assert ch.query("SELECT count() FROM t") == [(stored + 10,)]
        finally:
            server.stop()


def test_what_the_broker_prints_has_room_on_a_disk_that_is_full_later(disk: Path) -> None:
    """The broker ends where it cannot print."""
    log = disk / "kafka.log"
    with open_private(log, "append") as file:
        reserve_room(file, log)
    fill(disk)
    with log.open("ab", buffering=0) as printed:
        assert printed.write(b"x" * 60_000) == 60_000
    assert log.stat().st_size == 60_000
    with (
        open_private(disk / "other.log", "append") as file,
        pytest.raises(EngineError, match="No space left on device"),
    ):
        reserve_room(file, disk / "other.log")
