"""Several chains: each in its own partition, over as many workers and partitions as the settings say."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from counterpoise.chain.chain_registry import CHAINS
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.contracts.topics import BLOCKS, SCORES
from counterpoise.kafka.clients import make_consumer, make_producer
from counterpoise.kafka.partition import hashed_partition, partition_of
from counterpoise.kafka.topic_setup import delete_topics, ensure_topics
from counterpoise.settings.sections.engine_sections import KafkaSettings
from tests.forked import run_forked, start_forked
from tests.integration.streams.blocks import branch
from tests.integration.streams.line import ROOT, SHARED, SMALL_BATCHES, Engines, Line, line_on
from tests.integration.streams.tables import assert_consistent
from tests.long import long
from tests.runbook import assert_shown
from tests.waiting import PATIENCE_SECONDS, wait_for

# On the embedded broker: Apache Kafka deletes topics later than it answers, and these tests make them anew at once.

HEIGHTS = {"bitcoin": 715_000, "litecoin": 716_200, "testnet4": 717_400, "bitcoin-cash": 718_600, "dogecoin": 719_800}
"""First heights. By hash, four of them share one of four partitions; dogecoin is unknown and still goes by hash."""


def many(count: int, salt: str = "") -> dict[str, list[BlockEvent]]:
    return {
        name: branch(count, first_height=height, chain=name, salt=salt, seed=height) for name, height in HEIGHTS.items()
    }


def send_in_turns(line: Line, chains: dict[str, list[BlockEvent]], size: int = 20) -> None:
    """A message of each chain after the other."""
    longest = max(map(len, chains.values()))
    for at in range(0, longest, size):
        for name, events in chains.items():
            if events[at : at + size]:
                line.send_raw([line.envelope(events[at : at + size])], key=name.encode(), flush=False)
    line.flush()


def assert_chains(line: Line, chains: dict[str, list[BlockEvent]]) -> None:
    rows = line.ch.query("SELECT chain, count(), min(height), max(height) FROM blocks GROUP BY chain ORDER BY chain")
    assert rows == [(name, len(e), e[0].height, e[-1].height) for name, e in sorted(chains.items())]
    scored = line.ch.query(
        "SELECT chain, count(), max(height) FROM concentration WHERE view = 'raw' AND window_blocks = 144 GROUP BY 1 ORDER BY 1"
    )
    assert scored == [(name, len(e), e[-1].height) for name, e in sorted(chains.items())]
    assert line.ch.query("SELECT reason, count() FROM dead_letters GROUP BY 1") == []
    assert_consistent(line)


# Long: three replicas and a death among them; several partitions stay below.
@pytest.mark.long
def test_chains_are_spread_over_three_replicas_with_one_state_directory_and_one_of_them_is_killed(
    engines: Engines,
) -> None:
    """As `docker compose up --scale streams=3` starts them: one volume, and a host name each."""
    assert len({hashed_partition(name.encode(), 4) for name in ("bitcoin", "litecoin", "testnet4", "dogecoin")}) == 1
    chains = many(300)
    with line_on(engines, "chains") as line:
        names = ("7d1f0c2ab1e4", "0e9a5b6c7d8f", "c3b2a1f0e9d8")
        workers = [line.start(name=name, settings=SMALL_BATCHES, replica=True) for name in names]
        for worker in workers:
            wait_for(lambda w=worker: w.status().get("state") == "working", "all to work", worker.tail)  # type: ignore[misc]
        send_in_turns(line, {name: events[:200] for name, events in chains.items()})
        wait_for(lambda: line.ch.query("SELECT count() FROM blocks")[0][0] > 300, "work", workers[0].tail)
        counts = [worker.status().get("counters", {}).get("events", 0) for worker in workers]
        assert sum(count > 0 for count in counts) > 1, f"one of them has all chains: {counts}"
        workers[counts.index(max(counts))].kill()
        send_in_turns(line, {name: events[200:] for name, events in chains.items()})
        line.drain()
        assert_chains(line, chains)
        shown = run_forked(["status", "--json"], line.environment(SHARED), ROOT)
        states = {
            one["instance"]: one["state"] for one in json.loads(shown.stdout)["services"] if one["name"] == "streams"
        }
        killed = names[counts.index(max(counts))]
        assert_shown(
            "A service died",
            " ".join(f"{one['state']} {one['detail']}" for one in json.loads(shown.stdout)["services"]),
        )
        assert states == {name: "died" if name == killed else "working" for name in names}, shown.stderr
        assert [worker.stop() for worker in workers if worker.is_alive()] == [0, 0], workers[0].tail()


@pytest.mark.parametrize("count", [*long(1), 3])  # long: one partition for all, as every other test has it
def test_the_count_of_partitions_is_a_setting(engines: Engines, count: int) -> None:
    chains = many(30)
    with line_on(engines, "counted") as line:
        delete_topics(engines.kafka.target, line.dataset)
        ensure_topics(engines.kafka.target, line.dataset, partitions=count)
        worker = line.start(settings={"COUNTERPOISE_KAFKA__PARTITIONS": str(count)})
        send_in_turns(line, chains)
        line.drain()
        assert_chains(line, chains)
        scores = SCORES.full_name(line.dataset)
        consumer = make_consumer(
            engines.kafka.target, (scores,), client_id="test", group_id=None, kafka=KafkaSettings()
        )
        places: set[tuple[str, int]] = set()

        def read() -> bool:
            found = consumer.poll(timeout_ms=200)
            places.update((record.key.decode(), record.partition) for records in found.values() for record in records)
            return {name for name, _ in places} == set(HEIGHTS)

        try:
            wait_for(read, "a score of each chain", lambda: str(places))
        finally:
            consumer.close()
        assert places == {(name, partition_of(name.encode(), count)) for name in HEIGHTS}
        assert worker.stop() == 0, worker.tail()


def lines_of_refusal(text: str) -> list[str]:
    return [line for line in text.splitlines() if "partition" in line]


def migrate(line: Line, **settings: str) -> subprocess.CompletedProcess[str]:
    return run_forked(["migrate"], line.environment("m") | settings, ROOT)


def test_a_changed_count_is_refused_in_one_line(line: Line) -> None:
    line.send(branch(5))  # a topic with nothing in it may be made anew
    worker = line.start(settings={"COUNTERPOISE_KAFKA__PARTITIONS": "8"})
    assert worker.wait() == 2
    done = migrate(line, COUNTERPOISE_KAFKA__PARTITIONS="8")
    assert done.returncode == 2
    for text in (worker.log(), done.stderr):
        [told] = lines_of_refusal(text)
        assert f"topic {line.dataset}.blocks.v1 has 4 partitions and should have 8: delete it (" in told
        assert_shown("has 4 partitions and should have 8", told)
        assert "COUNTERPOISE_KAFKA__PARTITIONS" in told and "Traceback" not in text


def test_unread_messages_of_the_rule_of_old_are_refused_in_one_line_until_the_topic_is_made_anew(
    line: Line, tmp_path: Path
) -> None:
    """As an upgrade meets them: bitcoin's and litecoin's in one partition, read in part."""
    bitcoin, litecoin = branch(40), branch(40, first_height=720_000, chain="litecoin")
    line.send(bitcoin, events_per_message=10)
    old = hashed_partition(b"litecoin", 4)
    assert partition_of(b"bitcoin", 4) == old != CHAINS["litecoin"].number % 4
    producer = make_producer(line.engines.kafka.target, "test")
    producer.send(BLOCKS.full_name(line.dataset), line.envelope(litecoin), key=b"litecoin", partition=old).get(
        PATIENCE_SECONDS
    )
    producer.close()
    worker = line.start()
    assert worker.wait() == 2
    file = tmp_path / "blocks.csv"
    file.write_text("height,time,pool\n1,1700000000,f2pool\n")
    with (tmp_path / "ingest.log").open("w+b") as log:
        replay = {"COUNTERPOISE_INGEST__SOURCE": "replay", "COUNTERPOISE_INGEST__REPLAY__PATH": str(file)}
        ingest = start_forked(["run", "ingest", "--child"], line.environment("i") | replay, ROOT, log)
        assert ingest.wait(PATIENCE_SECONDS) == 2
        if ingest.stdin is not None:
            ingest.stdin.close()
        log.seek(0)
        said_by_ingest = log.read().decode()
    done = migrate(line)
    assert done.returncode == 2
    for text in (worker.log(), done.stderr, said_by_ingest):
        [told] = lines_of_refusal(text)
        assert f"topic {line.dataset}.blocks.v1 holds unread blocks of litecoin in partition {old}" in told
        assert_shown("holds unread blocks of litecoin", told)
        assert (
            "delete the topic (ClickHouse stores the data, ingest fills it again)" in told and "Traceback" not in text
        )
    delete_topics(line.engines.kafka.target, line.dataset)
    assert migrate(line).returncode == 0
    line.forget_producer()
    send_in_turns(line, {"bitcoin": bitcoin, "litecoin": litecoin})
    again = line.start(name="w1")
    line.drain()
    assert_chains(line, {"bitcoin": bitcoin, "litecoin": litecoin})
    assert again.stop() == 0, again.tail()
