"""A server at rest rests, however many tables it has."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.contract.engine_clickhouse.conftest import Server
from tests.waiting import wait_for

TABLES, SECONDS = 40, 3.0


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not count how often a thread of another process wakes")
def test_tables_that_nobody_touches_wake_hardly_a_thread(own_server: Server) -> None:
    """Each looked for something to do twice a second, in three pools: 1,100 wakes, now 70. A busy machine makes it less, not more."""
    client = own_server.client()
    for number in range(TABLES):
        client.execute(f"CREATE TABLE at_rest_{number} (a UInt8) ENGINE = MergeTree ORDER BY a")
    client.execute("INSERT INTO at_rest_0 VALUES", [(1,)])

    def rests() -> bool:
        before = wakes(own_server.process.pid)
        time.sleep(SECONDS)
        return wakes(own_server.process.pid) - before < 2 * TABLES * SECONDS

    wait_for(rests, "a server that rests once it has made its tables")
    client.disconnect()


def test_a_table_that_rests_is_merged_as_soon_as_rows_come(own_server: Server) -> None:
    client = own_server.client()
    client.execute("CREATE TABLE rested (a UInt64) ENGINE = MergeTree ORDER BY a")
    parts = "SELECT count() FROM system.parts WHERE table = 'rested' AND active"
    for number in range(40):
        client.execute("INSERT INTO rested VALUES", [(number,)])
    wait_for(lambda: client.execute(parts)[0][0] < 40, "a merge")
    client.disconnect()


def wakes(pid: int) -> int:
    """How often all threads of a process have gone to sleep of their own will."""
    found = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        found += int(lines["voluntary_ctxt_switches"])
    return found
