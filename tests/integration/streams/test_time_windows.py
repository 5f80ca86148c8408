"""Stored windows of time against a count by the engine; a restart that reads a year back; what a branch that wins undoes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.versions import Versions
from counterpoise.contracts.blocks import BlockEvent
from counterpoise.contracts.datasets import Dataset
from counterpoise.pools.attribution_set import AttributionSet
from streams.blocks.attribution_store import current_set
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.chain_fold import ChainFold
from streams.blocks.fold.concentration import TableCache
from streams.blocks.loader import canonical_blocks, load_chain, scored_above, stored_chain
from streams.blocks.sinks import BlockSinks
from streams.blocks.state_store import stored_hours
from tests.engines import ClickHouseServer
from tests.integration.sql.sample import block
from tests.template import make_database

FIRST, BLOCKS, LATE = 10_070, 3_300, 40
TIP = FIRST + BLOCKS - 1
LABELS = (
    "AntPool",
    "Foundry USA",
    "F2Pool",
    None,
    "ViaBTC",
    "AntPool",
    "Luxor",
    "SBI Crypto",
    "SpiderPool",
    "Foundry USA",
)


def event(height: int, name: str = "", **more: object) -> BlockEvent:
    """A block every three hours, every seventh one earlier than the one below: 3,300 of them are more than a year."""
    time = 1_600_000_000 + (height - FIRST) * 10_800 - (15_000 if height % 7 == 0 else 0)
    bits = 0x17053894 if height % 4_000 < 2_000 else 0x1703A30C
    more = {"time": time, "bits": bits, "label": LABELS[height * height % 10], "coinbase_script": "", **more}
    return block("signet", height, name).model_copy(update=more)


@pytest.fixture
def ch(clickhouse: ClickHouseServer) -> Iterator[ClickHouse]:
    name = f"hours_{secrets.token_hex(6)}"
    make_database(clickhouse.target, Dataset(name, "simulated"))
    with connect(clickhouse.target, name) as found:
        yield found
        found.execute("DROP DATABASE {name:Identifier} SYNC", {"name": name})


def stored(ch: ClickHouse, versions: Versions) -> tuple[AttributionSet, ChainFold]:
    attribution_set = current_set(ch, "signet", versions.next())
    fold = ChainFold(Attributor(attribution_set))
    result = fold.apply([event(height) for height in range(FIRST, TIP + 1)])
    BlockSinks(ch).write(result, chain="signet", attribution_set=attribution_set, version=versions.next())
    return attribution_set, fold


COUNTED = """
    WITH
        blocks AS
        (
            SELECT b.height AS height, a.pool_code AS pool, max(toUnixTimestamp64Milli(b.time)) OVER (ORDER BY b.height) AS clock
            FROM blocks_log AS b FINAL INNER JOIN attributions_log AS a FINAL ON a.hash = b.hash
            WHERE b.status = 'canonical'
        ),
        (SELECT clock FROM blocks WHERE height = {height:UInt32}) AS tip
    SELECT min(low), sum(made), sumIf(made, pool = 0), arraySlice(arrayReverseSort(groupArrayIf(made, pool > 0)), 1, 6)
    FROM
    (
        SELECT pool, count() AS made, min(height) AS low FROM blocks
        WHERE height <= {height:UInt32} AND clock > tip - {days:Int64} * 86400000 GROUP BY pool
    )
"""


def test_stored_rows_are_what_the_engine_counts(ch: ClickHouse) -> None:
    stored(ch, Versions(1))
    rows = ch.query(
        "SELECT height, span_days, from_height, n, unknown, arrayFilter(c -> c > 0, [c1, c2, c3, c4, c5, c6]), window_full "
        "FROM time_windows_log FINAL WHERE view = 'raw' AND height % 211 = 0 ORDER BY height, span_days"
    )
    assert len(rows) > 40 and {row[6] for row in rows if row[1] == 365} == {True, False}
    for height, days, *found, full in rows:
        [(low, n, unknown, leaders)] = ch.query(COUNTED, {"height": height, "days": days})
        assert found == [low, n, unknown, leaders], (height, days)
        assert full is (low > FIRST)
    hours = ch.query("SELECT uniqExact(height), count() FROM time_windows")
    assert hours[0][1] == 8 * hours[0][0] and BLOCKS * 5 // 7 <= hours[0][0] < BLOCKS


def test_a_restart_reads_a_year_back_and_goes_on_with_equal_rows(ch: ClickHouse) -> None:
    attribution_set, straight = stored(ch, Versions(1))
    history = canonical_blocks(ch, "signet", TIP - 2_400, TIP)
    loaded = stored_chain(ch, "signet", Attributor(attribution_set), history, first_height=FIRST, recent_from=TIP - 50)
    reached = len(loaded.older.codes)
    # 2,920 blocks of three hours are 365 days; the blocks of the first days are not read.
    assert 2_920 - 2_350 - 3 <= reached <= 2_920 - 2_350 + 3 < BLOCKS - len(history)
    late = [event(TIP - LATE, "heavy", bits=0x15053894)]
    for height in range(TIP - LATE + 1, TIP + LATE):
        late.append(event(height, "heavy", prev_hash=late[-1].hash))
    results = [fold.apply(late) for fold in (straight, ChainFold(Attributor(attribution_set), loaded))]
    expected, found = (result.scored.time_windows for result in results if result.scored is not None)
    assert len(found) == len(expected) > 8 * 50
    for name, column in expected.columns.items():
        assert column.tobytes() == found.columns[name].tobytes(), name


def test_a_block_that_passes_no_hour_takes_the_row_of_the_one_that_did(ch: ClickHouse) -> None:
    versions = Versions(1)
    attribution_set, _ = stored(ch, versions)
    fork = next(height for height in range(TIP - 10, TIP) if height % 7 not in (0, 6, 5, 4))
    shown = "SELECT height, count() FROM time_windows WHERE height > {fork:UInt32} GROUP BY height ORDER BY height"
    assert ch.query(shown, {"fork": fork})[0] == (fork + 1, 8)
    heavy = event(fork + 1, "heavy", bits=0x15053894, time=event(fork).time - 60)
    loaded = load_chain(ch, "signet", Attributor(attribution_set), TableCache())
    while loaded.fold_next() is not None:
        pass
    result = loaded.fold.apply([heavy])
    assert result.scored is not None and fork + 1 in result.scored.time_windows.undone_heights
    BlockSinks(ch).write(result, chain="signet", attribution_set=attribution_set, version=versions.next())
    assert ch.query(shown, {"fork": fork}) == []
    assert stored_hours(ch, "signet", attribution_set.attribution_id, fork) == []
    assert scored_above(ch, "signet", attribution_set.attribution_id, fork + 1) == []
