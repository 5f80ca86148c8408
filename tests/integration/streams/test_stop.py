"""Told to stop: once, and it finishes what is under way; twice, and it leaves at once. Either way nothing is lost."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.engines import ClickHouseServer, RunningKafka
from tests.integration.streams.blocks import branch
from tests.integration.streams.line import LONG_SESSION, SMALL_BATCHES, Engines, Line, line_on
from tests.integration.streams.test_outages import assert_waits_for
from tests.integration.streams.test_reorgs import assert_chain
from tests.waiting import wait_for


def unread_bytes(port: int) -> int:
    """Bytes that were sent to a port of this machine and that its process has not read."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return sum(int(row[4].split(":")[1], 16) for row in rows if int(row[1].split(":")[1], 16) == port)


def test_a_second_signal_ends_a_stop_that_hangs(own_clickhouse_engines: Engines) -> None:
    """ClickHouse freezes in the middle of the work: the stop waits for it, and a person who does not says so again."""
    blocks = branch(300)
    clickhouse = own_clickhouse_engines.clickhouse.process.pid
    with line_on(own_clickhouse_engines, "twice") as line:
        worker = line.start(settings=SMALL_BATCHES)
        line.send(blocks[:40], events_per_message=4)
        line.drain()
        os.kill(clickhouse, signal.SIGSTOP)
        try:
            line.send(blocks[40:], events_per_message=4)
            wait_for(lambda: unread_bytes(line.engines.clickhouse.target.port), "a request that nobody answers")
            os.kill(worker.pid, signal.SIGTERM)
            time.sleep(1.5)
            assert worker.is_alive(), "it did not wait for what was under way"
            os.kill(worker.pid, signal.SIGINT)
            assert worker.wait() == 0, worker.tail()
        finally:
            os.kill(clickhouse, signal.SIGCONT)
        assert "second stop signal" in worker.log()
        assert "Traceback" not in worker.log(), worker.tail()
        assert (worker.status()["state"], worker.status()["pid"]) == ("stopped", worker.pid)
        assert line.lag() > 0, "there was nothing left to interrupt"
        again = line.start()
        line.drain()
        assert_chain(line, blocks)
        for _ in range(2):  # at rest
            os.kill(again.pid, signal.SIGTERM)
        assert again.wait() == 0, again.tail()
        assert "Traceback" not in again.log(), again.tail()
        assert again.status()["state"] == "stopped"


def test_a_worker_that_stops_leaves_its_group(line: Line) -> None:
    """The next one would wait until the broker misses it. The generations of the embedded broker begin at 0, and aiokafka's at 1."""
    for _ in range(2):
        worker = line.start(settings={**LONG_SESSION, "COUNTERPOISE_LOG_LEVEL": "debug"})
        line.send(branch(20))
        line.drain()
        assert worker.stop() == 0, worker.tail()
        assert "LeaveGroup request succeeded" in worker.log()


def test_a_stop_without_a_broker_ends_at_once(
    own_kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    """There is nobody to acknowledge to: what was done is in ClickHouse, and comes again. The wait shows, with nothing to send."""
    with line_on(Engines(own_kafka, clickhouse, tmp_path), "alone") as line:
        worker = line.start()
        line.send(branch(20))
        line.drain()
        line.forget_producer()
        own_kafka.kill()
        assert_waits_for(worker, "kafka")
        os.kill(worker.pid, signal.SIGTERM)
        assert worker.wait() == 0, worker.tail()
        assert "Traceback" not in worker.log(), worker.tail()
        assert worker.status()["state"] == "stopped"


@pytest.mark.soak
def test_a_stop_that_hangs_ends_by_itself(own_clickhouse_engines: Engines) -> None:
    """Within the supervisor's patience of 30 s, and in order."""
    clickhouse = own_clickhouse_engines.clickhouse.process.pid
    with line_on(own_clickhouse_engines, "hangs") as line:
        worker = line.start()
        line.send(branch(20))
        line.drain()
        os.kill(clickhouse, signal.SIGSTOP)
        try:
            time.sleep(2.5)  # a look of every 2 s is under way
            os.kill(worker.pid, signal.SIGTERM)
            assert worker.wait() == 0, worker.tail()
        finally:
            os.kill(clickhouse, signal.SIGCONT)
        assert "Traceback" not in worker.log(), worker.tail()
        assert worker.status()["state"] == "stopped"
