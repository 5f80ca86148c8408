"""What a desk asks all day reads a bounded number of rows, however long the history and however many the metrics."""

from __future__ import annotations

from counterpoise.clickhouse.client import ClickHouse
from testkit.generated_history import CHAIN, more_specs, put_in_place, questions, rows_read, write_history

LIMIT = 20_000


def test_rows_read_do_not_grow_with_the_history(empty: ClickHouse) -> None:
    specs = more_specs(30)
    put_in_place(empty, specs)
    write_history(empty, 30_000, specs)
    short = {name: rows_read(empty, sql) for name, sql in questions(30_000).items()}
    write_history(empty, 150_000, specs, after=30_000)
    long = {name: rows_read(empty, sql) for name, sql in questions(150_000).items()}
    print(short, long)
    assert max(long.values()) <= LIMIT, long
    # Five times the blocks: at most the granules of the parts that they came in.
    assert all(long[name] <= max(2 * short[name], 5_000) for name in long), (short, long)


def test_the_latest_blocks_are_144_a_chain(empty: ClickHouse) -> None:
    write_history(empty, 500, more_specs(0))
    assert empty.query("SELECT chain, min(height), max(height), count() FROM latest_blocks GROUP BY chain") == [
        (CHAIN, 356, 499, 144)
    ]


def test_the_latest_blocks_are_those_of_blocks(sample: ClickHouse) -> None:
    found = sample.query("SELECT * FROM latest_blocks ORDER BY chain, height DESC")
    assert found == sample.query("SELECT * FROM blocks ORDER BY chain, height DESC LIMIT 144 BY chain")
    assert {row[0] for row in found} == {CHAIN, "signet"}
