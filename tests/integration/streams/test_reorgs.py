"""Branches that lose, orphans that wait, duplicates: what every view shows afterwards. One worker, a chain for each case."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence

import pytest

from counterpoise.contracts.blocks import BlockEvent, BlockRequest
from counterpoise.contracts.topics import BLOCK_REQUESTS, SCORES
from counterpoise.kafka.clients import make_consumer
from counterpoise.settings.sections.engine_sections import KafkaSettings
from tests.integration.streams.blocks import EASY_BITS, HARD_BITS, block, branch
from tests.integration.streams.independent import assert_recomputes
from tests.integration.streams.line import LONG_SESSION, Engines, Line, line_on
from tests.integration.streams.tables import assert_consistent, assert_same, checksums
from tests.long import long
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def running(engines: Engines) -> Iterator[Line]:
    """A line with one worker, for chains of each test's own."""
    with line_on(engines, "reorgs") as line:
        worker = line.start(settings=LONG_SESSION)
        yield line
        assert worker.stop() == 0, worker.tail()


def statuses(line: Line, chain: str) -> dict[str, str]:
    """Status of every block ever seen, by hash."""
    rows = line.ch.query("SELECT hash, status FROM blocks_all WHERE chain = {chain:String}", {"chain": chain})
    assert len(rows) == len(dict(rows)), "a block is shown twice"
    return dict(rows)


def assert_chain(
    line: Line, canonical: Sequence[BlockEvent], *, stale: Sequence[BlockEvent] = (), parked: Sequence[BlockEvent] = ()
) -> None:
    """The views show `canonical` and nothing else; losers are kept and marked; the concentration is that of these blocks."""
    chain = canonical[0].chain
    shown = line.ch.query("SELECT hash FROM blocks WHERE chain = {chain:String} ORDER BY height", {"chain": chain})
    assert [row[0] for row in shown] == [event.hash for event in canonical]
    expected = {event.hash: "canonical" for event in canonical}
    expected |= {event.hash: "stale" for event in stale} | {event.hash: "parked" for event in parked}
    assert statuses(line, chain) == expected
    attributed = line.ch.query(
        "SELECT hash FROM attributions WHERE chain = {chain:String} ORDER BY height", {"chain": chain}
    )
    assert [row[0] for row in attributed] == [event.hash for event in canonical]
    tips = line.ch.query(
        "SELECT height, groupUniqArray(tip_hash), count() FROM concentration WHERE chain = {chain:String} "
        "GROUP BY height ORDER BY height",
        {"chain": chain},
    )
    assert tips == [(event.height, [event.hash], 8) for event in canonical]
    newest = line.ch.query(
        "SELECT DISTINCT tip_hash FROM latest_concentration WHERE chain = {chain:String}", {"chain": chain}
    )
    assert newest == [(canonical[-1].hash,)]
    heights = [event.height for event in canonical]
    assert_recomputes(line, chain, heights if len(heights) <= 20 else [*heights[:2], *heights[-18:]])


# Long: further depths; one in each way of arriving stays.
@pytest.mark.parametrize(
    ("depth", "together"),
    [(2, False), (10, True), *long((1, False), (1, True), (2, True), (10, False))],
)
def test_a_longer_branch_wins(running: Line, depth: int, together: bool) -> None:
    chain = f"depth-{depth}-{together}".lower()
    common = branch(180, chain=chain)
    loser = branch(depth, common[-1], chain=chain, salt="loser")
    winner = branch(depth + 1, common[-1], chain=chain, salt="winner")
    if together:
        running.send([*common, *loser, *winner], events_per_message=500)
    else:
        running.send([*common, *loser])
        running.drain()
        assert_chain(running, [*common, *loser])
        running.send(winner)
    running.drain()
    assert_chain(running, [*common, *winner], stale=loser)


def test_a_shorter_heavier_branch_wins_and_the_heights_above_it_are_gone(running: Line) -> None:
    chain = "heavier"
    common = branch(160, chain=chain)
    long = branch(12, common[-1], chain=chain, salt="long", bits=EASY_BITS)
    heavy = branch(3, common[-1], chain=chain, salt="heavy", bits=HARD_BITS)
    running.send([*common, *long])
    running.drain()
    running.send(heavy)
    running.drain()
    assert_chain(running, [*common, *heavy], stale=long)
    buried = running.ch.query(
        "SELECT count() FROM concentration_log FINAL WHERE chain = 'heavier' AND height > {tip:UInt32}",
        {"tip": heavy[-1].height},
    )
    tombstones = running.ch.query(
        "SELECT uniqExact(height) FROM concentration_log WHERE chain = 'heavier' AND is_deleted AND height > {tip:UInt32}",
        {"tip": heavy[-1].height},
    )
    assert (buried, tombstones) == ([(0,)], [(9,)])
    more = branch(12, heavy[-1], chain=chain, salt="more")
    running.send(more)
    running.drain()
    assert_chain(running, [*common, *heavy, *more], stale=long)


def test_an_equal_branch_does_not_win_and_its_child_does(running: Line) -> None:
    chain = "tie"
    common = branch(20, chain=chain)
    first, second = (branch(2, common[-1], chain=chain, salt=salt) for salt in ("first", "second"))
    running.send([*common, *first, *second])
    running.drain()
    assert_chain(running, [*common, *first], stale=second)
    child = block(second[-1].height + 1, second[-1].hash, chain=chain)
    running.send([child])
    running.drain()
    assert_chain(running, [*common, *second, child], stale=first)


def test_there_and_back_again(running: Line) -> None:
    """The first branch loses, and wins again when it grows."""
    chain = "back"
    common = branch(30, chain=chain)
    one, two = branch(3, common[-1], chain=chain, salt="one"), branch(4, common[-1], chain=chain, salt="two")
    again = branch(3, one[-1], chain=chain, salt="again")
    for part in ([*common, *one], two, again):
        running.send(part)
        running.drain()
    assert_chain(running, [*common, *one, *again], stale=two)


def test_orphans_wait_for_their_parent_which_is_asked_for(running: Line) -> None:
    chain = "orphans"
    common = branch(150, chain=chain)
    missing, later = branch(3, common[-1], chain=chain, salt="m"), []
    later = branch(4, missing[-1], chain=chain, salt="m2")
    running.send([*common, *later])
    running.drain()
    assert_chain(running, common, parked=later)

    requests: list[BlockRequest] = []
    consumer = make_consumer(
        running.engines.kafka.target,
        (BLOCK_REQUESTS.full_name(running.dataset),),
        client_id="test",
        group_id=None,
        kafka=KafkaSettings(),
    )
    try:

        def asked() -> bool:
            for records in consumer.poll(timeout_ms=200).values():
                requests.extend(BlockRequest.model_validate(json.loads(record.value)) for record in records)
            return any(request.chain == chain for request in requests)

        wait_for(asked, "a block request", lambda: str(requests))
    finally:
        consumer.close()
    request = next(request for request in requests if request.chain == chain)
    assert request.hash == missing[-1].hash
    assert (request.from_height, request.to_height) == (missing[0].height, missing[-1].height)

    running.send(list(reversed(missing)))
    running.drain()
    assert_chain(running, [*common, *missing, *later])


def test_an_orphan_branch_that_turns_out_heavier(running: Line) -> None:
    chain = "orphan-branch"
    common = branch(50, chain=chain)
    loser = branch(2, common[-1], chain=chain, salt="loser")
    winner = branch(3, common[-1], chain=chain, salt="winner")
    running.send([*common, *loser, *winner[1:]])
    running.drain()
    assert_chain(running, [*common, *loser], parked=winner[1:])
    running.send(winner[:1])
    running.drain()
    assert_chain(running, [*common, *winner], stale=loser)


def test_the_first_blocks_of_a_chain_with_nobody_known(running: Line) -> None:
    """Windows of one block, of unknown blocks alone, of one pool, of pools with equal counts: every column holds its definition."""
    labels = (
        ["unknown"] * 3 + ["foundryusa"] * 2 + ["unknown", "antpool", "antpool", "f2pool", "viabtc", "viabtc", "f2pool"]
    )
    blocks: list[BlockEvent] = []
    for index, label in enumerate(labels):
        parent = blocks[-1].hash if blocks else "00" * 32
        blocks.append(block(715_000 + index, parent, chain="nobody", label=label))
    running.send(blocks)
    single = [block(715_000, "00" * 32, chain="single", label="f2pool")]
    single.append(block(715_001, single[0].hash, chain="single", label="f2pool"))
    running.send(single)
    running.drain()
    assert_chain(running, blocks)
    assert_chain(running, single)


def test_a_wrong_height_is_a_dead_letter_and_a_row_that_changes_no_other(running: Line) -> None:
    chain = "wrong-height"
    common = branch(10, chain=chain)
    wrong = block(common[-1].height + 2, common[-1].hash, chain=chain, salt="wrong")
    after = block(common[-1].height + 1, common[-1].hash, chain=chain)
    for delivery in ([*common, wrong, after], [wrong]):
        running.send(delivery)
        running.drain()
        assert_chain(running, [*common, after], stale=[wrong])
    letters = running.ch.query(
        "SELECT reason, event_index, JSONExtractString(payload, 'hash') FROM dead_letters WHERE reason = 'wrong-height'"
    )
    assert letters == [("wrong-height", 10, wrong.hash)]


@pytest.mark.kafka
def test_scores_tell_of_each_switch(running: Line) -> None:
    """A score message says from which height on rows were written; the table holds them before the message exists."""
    chain = "scores"
    common = branch(5, chain=chain)
    loser, winner = branch(2, common[-1], chain=chain, salt="l"), branch(3, common[-1], chain=chain, salt="w")
    for part in ([*common, *loser], winner):
        running.send(part)
        running.drain()
    consumer = make_consumer(
        running.engines.kafka.target,
        (SCORES.full_name(running.dataset),),
        client_id="test",
        group_id=None,
        kafka=KafkaSettings(),
    )
    told: list[dict[str, object]] = []
    try:

        def read() -> bool:
            for records in consumer.poll(timeout_ms=200).values():
                told.extend(
                    event
                    for record in records
                    for event in json.loads(record.value)["events"]
                    if event["chain"] == chain
                )
            return len(told) >= 2

        wait_for(read, "two scores", lambda: str(told))
    finally:
        consumer.close()
    assert [(event["from_height"], event["height"], event["tip_hash"]) for event in told] == [
        (common[0].height, loser[-1].height, loser[-1].hash),
        (winner[0].height, winner[-1].height, winner[-1].hash),
    ]
    assert told[0]["version"] < told[1]["version"]  # type: ignore[operator]


def test_two_producers_that_saw_different_branches_first_end_in_equal_tables(engines: Engines) -> None:
    """Ten forks, each seen in another order by each of two producers, interleaved in two ways: one truth in the end."""
    seed = 5_015
    print(f"seed {seed}")
    draw = random.Random(seed)
    trunk = branch(120)
    stretches: list[tuple[list[BlockEvent], list[BlockEvent]]] = []
    for fork in range(10):
        depth = draw.randint(1, 4)
        loser = branch(depth, trunk[-1], salt=f"l{fork}")
        winner = branch(depth + draw.randint(1, 3), trunk[-1], salt=f"w{fork}")
        stretches.append((loser, winner))
        trunk += winner
    start = trunk[:120]
    left = [*start, *(event for loser, winner in stretches for event in (*loser, *winner))]
    right = [*start, *(event for loser, winner in stretches for event in (*winner, *loser))]
    with line_on(engines, "left") as one, line_on(engines, "right") as other:
        workers = [one.start(), other.start()]
        for line, order in ((one, (left, right)), (other, (right, left))):
            events = [list(producer) for producer in order]
            mixed: list[BlockEvent] = []
            while events[0] or events[1]:
                whose = events[0] if events[0] and (not events[1] or draw.random() < 0.5) else events[1]
                count = draw.randint(1, 15)
                mixed += whose[:count]
                del whose[:count]
            line.send(mixed, events_per_message=draw.randint(3, 20))
        for line in (one, other):
            line.drain()
            assert_consistent(line)
            assert_chain(line, trunk, stale=[event for loser, _ in stretches for event in loser])
        assert_same(one, other)
        assert [worker.stop() for worker in workers] == [0, 0]


def test_everything_twice_and_an_older_version_late_changes_no_view(running: Line) -> None:
    """Last in this file: every row of every table of the line is inserted again, as it was and under a lower version."""
    before = checksums(running)
    assert before["blocks_all"][0] > before["blocks"][0] > 500
    tables = running.ch.query(
        "SELECT table, countIf(name = 'version') FROM system.columns WHERE database = currentDatabase() AND table IN "
        "(SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree') GROUP BY table"
    )
    assert {name for name, _ in tables} >= {
        "blocks_log",
        "attributions_log",
        "concentration_log",
        "dead_letters_log",
        "pool_names_log",
    }
    for table, versioned in tables:
        running.ch.execute(f"INSERT INTO {table} SELECT * FROM {table}")
        if versioned:
            # What a replaced writer might still insert: the same keys, other contents, an older version.
            values = {
                "blocks_log": "'stale' AS status",
                "concentration_log": "toUInt8(1) AS is_deleted",
                "attributions_log": "toUInt16(0) AS pool_code",
                "dead_letters_log": "'' AS detail",
                "pool_names_log": "'' AS slug",
            }
            other = f", {values[table]}" if table in values else ""
            running.ch.execute(
                f"INSERT INTO {table} SELECT * REPLACE (toUInt64(0) AS version{other}) FROM {table} FINAL"
            )
    assert checksums(running) == before
    for (table,) in running.ch.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    ):
        running.ch.execute(f"OPTIMIZE TABLE {table} FINAL")
    assert checksums(running) == before
