"""Two writers of one chain: a worker that was replaced without knowing it loses, and what it left behind is cleared up."""

from __future__ import annotations

import os
import signal
import time

import pytest

from counterpoise.clickhouse.epochs import claim_epoch
from counterpoise.clickhouse.rows.block_rows import block_columns
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.topics import SCORES
from counterpoise.kafka.clients import make_consumer
from counterpoise.settings.sections.engine_sections import KafkaSettings
from tests.integration.streams.blocks import HARD_BITS, branch
from tests.integration.streams.line import LONG_SESSION, SMALL_BATCHES, Engines, Line, line_on
from tests.integration.streams.script import Part, send
from tests.integration.streams.tables import assert_same, wait_until_consistent
from tests.integration.streams.test_reorgs import assert_chain
from tests.waiting import wait_for


# Long: a frozen process; the rows that it would leave are healed by the tests below, which stay.
@pytest.mark.long
@pytest.mark.kafka
def test_a_worker_that_sleeps_through_its_replacement_loses(
    engines: Engines, parts: list[Part], undisturbed: Line
) -> None:
    """Two workers share the partitions. The one that has the longer chain is stopped (SIGSTOP) mid-work for longer than its session,
    the other takes over and finishes, and then the first wakes up with a batch in hand."""
    with line_on(engines, "zombie") as line:
        workers = [line.start(name=name, settings=SMALL_BATCHES) for name in ("w0", "w1")]
        for worker in workers:
            wait_for(lambda w=worker: w.status().get("state") == "working", "both to work", worker.tail)  # type: ignore[misc]
        send(line, parts)
        wait_for(
            lambda: line.ch.query("SELECT count() FROM blocks_log FINAL")[0][0] > 500, "work", line.workers[0].tail
        )
        busy = max(workers, key=lambda worker: worker.status().get("counters", {}).get("events", 0))
        claimed = epochs(line)
        os.kill(busy.pid, signal.SIGSTOP)
        try:
            assert line.lag() > 10, "there is nothing left to take over"
            line.drain()  # by the other one alone
            assert epochs(line) > claimed, "nobody took over"
        finally:
            os.kill(busy.pid, signal.SIGCONT)
        time.sleep(3.0)  # the sleeper wakes, writes what it had in hand, and learns that its session is over
        line.drain()
        assert [worker.is_alive() for worker in workers] == [True, True]
        wait_until_consistent(line)
        assert_same(line, undisturbed)
        for worker in workers:
            assert worker.stop() == 0, worker.tail()


def test_a_worker_goes_on_above_a_writer_that_claimed_a_later_epoch(line: Line) -> None:
    """A replaced worker that meets a new chain, or a re-attribution of the current set, leaves rows above the owner's versions."""
    common = branch(150)
    loser, winner = branch(2, common[-1], salt="loser"), branch(3, common[-1], salt="winner")
    worker = line.start(settings=LONG_SESSION)
    line.send([*common, *loser, *winner])
    line.drain()
    before = epochs(line)
    version = Versions(before + 1).next()
    line.ch.insert("blocks_log", block_columns(loser, ["canonical"] * 2, version))
    assert claim_epoch(line.ch, "streams:bitcoin") == before + 1  # the worker acts on this alone
    line.wait_for("SELECT max(epoch) FROM epochs_log WHERE role = 'streams:bitcoin'", before + 2)
    more = branch(2, winner[-1], salt="more")
    line.send(more)
    line.drain()
    assert_chain(line, [*common, *winner, *more], stale=loser)
    time.sleep(3.0)
    assert epochs(line) == before + 2, "the worker goes on claiming"
    assert worker.stop() == 0, worker.tail()


def test_a_start_clears_up_what_two_writers_left(line: Line) -> None:
    """Two canonical blocks at a height, one whose parent lost, concentration above the tip, none below it: the start heals all."""
    common = branch(150)
    loser, winner = branch(4, common[-1], salt="loser"), branch(2, common[-1], salt="winner", bits=HARD_BITS)
    line.send([*common, *loser, *winner])
    first = line.start()
    line.drain()
    assert first.stop() == 0, first.tail()

    versions = Versions(claim_epoch(line.ch, "streams:bitcoin"))
    low = versions.next()
    line.ch.insert("blocks_log", block_columns([*loser[:1], *loser[2:]], ["canonical"] * 3, low))
    line.ch.execute(
        "INSERT INTO concentration_log SELECT * REPLACE (toUInt32(height + 3) AS height, {v:UInt64} AS version) "
        "FROM concentration_log FINAL WHERE height > {low:UInt32}",
        {"v": low, "low": winner[-1].height - 2},
    )
    line.ch.execute(
        "INSERT INTO concentration_log SELECT * REPLACE (toUInt8(1) AS is_deleted, {v:UInt64} AS version) "
        "FROM concentration_log FINAL WHERE height = {low:UInt32}",
        {"v": low, "low": common[70].height},
    )
    second = line.start()
    wait_for(lambda: second.status().get("info", {}).get("last_height") is not None, "the load", second.tail)
    assert_chain(line, [*common, *winner], stale=loser)
    more = branch(2, winner[-1], salt="more")
    line.send(more)
    line.drain()
    assert_chain(line, [*common, *winner, *more], stale=loser)
    assert second.stop() == 0, second.tail()


def test_a_start_tells_the_tip_again(line: Line) -> None:
    """A worker that died between ClickHouse and the score message would otherwise leave the alerter a block behind."""
    blocks = branch(20)
    line.send(blocks)
    dying = line.start(crash="streams-after-concentration:1")
    assert dying.wait() == -signal.SIGKILL
    assert line.ch.query("SELECT max(height) FROM concentration") == [(blocks[-1].height,)]
    second = line.start()
    line.drain()
    consumer = make_consumer(
        line.engines.kafka.target,
        (SCORES.full_name(line.dataset),),
        client_id="test",
        group_id=None,
        kafka=KafkaSettings(),
    )
    try:
        told: list[bytes] = []

        def read() -> bool:
            told.extend(record.value for records in consumer.poll(timeout_ms=200).values() for record in records)
            return any(blocks[-1].hash.encode() in value for value in told)

        wait_for(read, "the score of the tip", lambda: str(told))
    finally:
        consumer.close()
    assert second.stop() == 0, second.tail()


def epochs(line: Line) -> int:
    """The newest epoch claimed for the longer chain."""
    [(epoch,)] = line.ch.query("SELECT max(epoch) FROM epochs_log WHERE role = 'streams:bitcoin'")
    return int(epoch)
