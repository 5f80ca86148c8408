"""Engines that die under the service: it waits, says so, keeps its process, and loses nothing."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from counterpoise.contracts.topics import BLOCKS
from counterpoise.kafka.lag import read_lag
from counterpoise.kafka.partition import partition_of
from counterpoise.kafka.topic_setup import ensure_topics
from streams.service import EXIT_TOPICS_CHANGED
from tests.engines import kafka_engine
from tests.forked import run_forked
from tests.integration.streams.line import ROOT, SESSION_SECONDS, SMALL_BATCHES, Engines, Line, Worker, line_on
from tests.integration.streams.script import Part, send
from tests.integration.streams.tables import assert_consistent, assert_same
from tests.waiting import wait_for

LONGER_THAN_LIMITS_SECONDS = SESSION_SECONDS + 7.0
"""Over the session and the rebalance limit (6 s) of these tests' groups together."""


def wait_until_mid_work(line: Line, worker: Worker, blocks: int = 410) -> None:
    """Wait for a few of the script's messages: its first two have 400 blocks, the 38 after them a few each."""
    wait_for(lambda: line.ch.query("SELECT count() FROM blocks_log FINAL")[0][0] > blocks, "work", worker.tail)
    assert line.lag() > 10, "there is nothing left to interrupt"


def assert_waits_for(worker: Worker, what: str) -> None:
    waits = f"the status to wait for {what}"
    wait_for(lambda: worker.status().get("waiting_on") == what, waits, worker.tail)
    status = worker.status()
    assert status["state"] == "waiting" and not status["healthy"] and status["wait_reason"]
    assert status["waiting_since"] <= time.time()


def test_clickhouse_killed_mid_stream_and_away_for_longer_than_all_limits(
    own_clickhouse_engines: Engines, parts: list[Part], undisturbed: Line
) -> None:
    with line_on(own_clickhouse_engines, "outage") as line:
        worker = line.start(settings=SMALL_BATCHES)
        send(line, parts[:5])
        line.drain()
        os.kill(own_clickhouse_engines.clickhouse.process.pid, signal.SIGSTOP)  # it stores none of the rest
        send(line, parts[5:])
        own_clickhouse_engines.clickhouse.kill()
        killed_at = time.monotonic()
        assert_waits_for(worker, "clickhouse")
        since = worker.status()["waiting_since"]
        time.sleep(max(0.0, LONGER_THAN_LIMITS_SECONDS - (time.monotonic() - killed_at)))
        assert worker.is_alive(), worker.tail()
        assert (worker.status()["state"], worker.status()["waiting_since"]) == ("waiting", since)
        own_clickhouse_engines.clickhouse.restart()
        line.drain()
        assert worker.is_alive(), worker.tail()
        wait_for(lambda: worker.status()["state"] == "working", "work again")
        assert_consistent(line)
        assert_same(line, undisturbed)
        assert worker.stop() == 0, worker.tail()


def test_an_idle_worker_says_that_clickhouse_is_away(own_clickhouse_engines: Engines) -> None:
    """Nothing was ever sent, so there is nothing to write and nothing to look after: it asks all the same."""
    with line_on(own_clickhouse_engines, "idle") as line:
        worker = line.start()
        wait_for(lambda: worker.status().get("state") == "working", "the start", worker.tail)
        killed_at = time.time()
        own_clickhouse_engines.clickhouse.kill()
        assert_waits_for(worker, "clickhouse")
        assert killed_at < worker.status()["waiting_since"] <= time.time()
        told = run_forked(["status", "--json"], line.environment("w0"), ROOT)
        assert told.returncode == 1, told.stderr
        [streams] = [one for one in json.loads(told.stdout)["services"] if one["name"] == "streams"]
        assert (streams["state"], streams["healthy"], streams["status"]["waiting_on"]) == (
            "waiting",
            False,
            "clickhouse",
        )
        own_clickhouse_engines.clickhouse.restart()
        wait_for(lambda: worker.status()["state"] == "working", "the end of the wait", worker.tail)
        assert worker.stop() == 0, worker.tail()


@pytest.mark.soak
def test_clickhouse_killed_again_and_again(own_engines: Engines, parts: list[Part], undisturbed: Line) -> None:
    with line_on(own_engines, "flapping") as line:
        worker = line.start(settings=SMALL_BATCHES)
        send(line, parts)
        for blocks in (150, 410, 480):
            wait_until_mid_work(line, worker, blocks)
            own_engines.clickhouse.restart()
        line.drain()
        assert_same(line, undisturbed)
        assert worker.stop() == 0, worker.tail()


@pytest.mark.soak
def test_a_rebalance_while_clickhouse_is_away(own_engines: Engines, parts: list[Part], undisturbed: Line) -> None:
    """A second worker joins during the outage: loading waits inside the assignment, and must not cost the group its life."""
    with line_on(own_engines, "joined") as line:
        first = line.start(settings=SMALL_BATCHES)
        send(line, parts)
        wait_until_mid_work(line, first)
        second = line.start(name="w1", settings=SMALL_BATCHES)
        wait_for(lambda: second.status().get("pid") == second.pid, "the second worker to start", second.tail)
        time.sleep(1.0)
        own_engines.clickhouse.kill()
        time.sleep(LONGER_THAN_LIMITS_SECONDS)
        own_engines.clickhouse.restart()
        line.drain()
        assert first.is_alive() and second.is_alive(), first.tail() + second.tail()
        assert_consistent(line)
        assert_same(line, undisturbed)
        assert [first.stop(), second.stop()] == [0, 0]


@pytest.mark.soak
@pytest.mark.parametrize("away_seconds", [pytest.param(0.0, id="at once"), pytest.param(8.0, id="after the session")])
def test_a_broker_that_dies_and_comes_back(
    own_engines: Engines, parts: list[Part], undisturbed: Line, away_seconds: float
) -> None:
    """The embedded broker forgets everything, Apache Kafka nothing. As ingest does, only what may be missing is sent again.

    So the new offsets are all below those that the worker had read: who still compares the two drops everything.
    """
    with line_on(own_engines, "forgotten") as line:
        worker = line.start(settings=SMALL_BATCHES)
        send(line, parts)
        wait_for(lambda: acknowledged(line, parts) > 0.65 * len(parts), "work", worker.tail)
        done = acknowledged(line, parts)
        line.forget_producer()
        own_engines.kafka.kill()
        time.sleep(away_seconds)
        own_engines.kafka.restart()
        ensure_topics(line.engines.kafka.target, line.dataset)
        assert len(parts) / 2 < done < len(parts)
        send(line, parts[done:])
        if kafka_engine() == "embedded":
            # Its offsets mean nothing now. It must not commit them, and starts afresh, as its supervisor has it.
            assert worker.wait() == EXIT_TOPICS_CHANGED, worker.tail()
            assert "topics were made anew" in worker.log()
            worker = line.start(settings=SMALL_BATCHES)
        line.drain()
        assert worker.is_alive(), worker.tail()
        assert_consistent(line)
        # A bad message that came again stood at another offset and is another letter.
        assert_same(line, undisturbed, but=("dead_letters",))
        letters = "SELECT DISTINCT reason, payload FROM dead_letters ORDER BY ALL"
        assert line.ch.query(letters) == undisturbed.ch.query(letters)
        assert worker.stop() == 0, worker.tail()


def acknowledged(line: Line, parts: list[Part]) -> int:
    """How many parts, from the first on, are acknowledged for certain."""
    rows = read_lag(line.engines.kafka.target, line.dataset, ("streams",))
    left = {row.partition: row.committed or 0 for row in rows if row.topic == BLOCKS.full_name(line.dataset)}
    for at, part in enumerate(parts):
        partition = partition_of(part.key, BLOCKS.partitions)
        if left[partition] == 0:
            return at
        left[partition] -= 1
    return len(parts)
