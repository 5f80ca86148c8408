"""What a desk asks all day reads a bounded number of rows, however long the history and however many the metrics."""

from __future__ import annotations

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.detectors.tracks import DETECTORS, TRACKS
from counterpoise.windows import VIEWS
from desk.named_queries import named_query
from testkit.generated_history import CHAIN, SET, more_specs, put_in_place, questions, rows_read, write_history

LIMIT = 20_000
PAGES = {
    "pool_share_history": ({"points": "10"}, 11 * 2 * (1_008 + 2 * 1_024) + LIMIT),
    "pool_runs": ({"blocks": "5000"}, 2 * (5_000 + 2 * 1_024) + LIMIT),
}
"""Queries of a pool's page, and the rows that they may read: of both tables the blocks that count, and a granule at each end."""


def pages_read(ch: ClickHouse) -> dict[str, int]:
    read = {}
    for name, (given, _) in PAGES.items():
        query = named_query(name)
        read[name] = rows_read(ch, query.sql, query.bind({**given, "pool": "pool-7"}))
    return read


def test_rows_read_do_not_grow_with_the_history(empty: ClickHouse) -> None:
    specs = more_specs(30)
    put_in_place(empty, specs)
    write_history(empty, 12_000, specs)
    short = {name: rows_read(empty, sql) for name, sql in questions(12_000).items()}
    pages = pages_read(empty)
    write_history(empty, 60_000, specs, after=12_000)
    long = {name: rows_read(empty, sql) for name, sql in questions(60_000).items()}
    print(short, long)
    assert max(long.values()) <= LIMIT, long
    # Five times the blocks: at most the granules of the parts that they came in.
    assert all(long[name] <= max(2 * short[name], 5_000) for name in long), (short, long)
    assert {name: read <= PAGES[name][1] for name, read in pages_read(empty).items()} == dict.fromkeys(PAGES, True), (
        pages
    )


def test_a_look_at_the_detectors_reads_no_more_of_a_longer_history(empty: ClickHouse) -> None:
    """Rows of the last changes are those of the blocks that are asked for, and of a granule at each end."""
    where = {"attribution_id": [SET], "chain": [CHAIN]}
    empty.insert("attribution_pointer_log", {**where, "flipped_at": [0], "version": [1]})
    read = {}
    for first, last in ((2_016, 20_000), (20_001, 120_000)):
        empty.execute(
            f"INSERT INTO detectors_log (attribution_id, chain, height, firing, evidence, version) SELECT '{SET}', '{CHAIN}', "
            f"number, intDiv(number, 1000) % 2, arrayWithConstant({TRACKS}, toFloat32(0)), 1 "
            f"FROM numbers({first}, {last - first + 1})"
        )
        empty.execute(
            "INSERT INTO concentration_latest_log (attribution_id, chain, view, window_blocks, height, version) "
            f"VALUES ('{SET}', '{CHAIN}', 'raw', 1008, {last}, {last})"
        )
        empty.execute("OPTIMIZE TABLE detectors_log FINAL")  # each part would add its own granules at the ends
        query = named_query("detectors_now")
        given = query.bind({"blocks": "5000"})
        rows = empty.query(query.sql, given)
        assert {row[0] for row in rows} == {last} and len(rows) == len(VIEWS) * len(DETECTORS)
        read[last] = rows_read(empty, query.sql, given), rows_read(empty, "SELECT * FROM detector_changes")
    print(read)
    (short, all_short), (long, all_long) = read.values()
    assert long <= short + 2 * 1_024 and long <= 5_000 + 8 * 1_024
    assert all_long > 4 * all_short, "what grows is seen"


def test_the_latest_blocks_are_144_a_chain(empty: ClickHouse) -> None:
    write_history(empty, 500, more_specs(0))
    assert empty.query("SELECT chain, min(height), max(height), count() FROM latest_blocks GROUP BY chain") == [
        (CHAIN, 356, 499, 144)
    ]


def test_the_latest_blocks_are_those_of_blocks(sample: ClickHouse) -> None:
    found = sample.query("SELECT * FROM latest_blocks ORDER BY chain, height DESC")
    assert found == sample.query("SELECT * FROM blocks ORDER BY chain, height DESC LIMIT 144 BY chain")
    assert {row[0] for row in found} == {CHAIN, "signet"}
