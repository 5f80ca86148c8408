"""A chain of any length straight into the tables, by the engine itself: what a benchmark or a test of reading needs, without a fold.

Counts are plausible and of no pool in particular; every table that a reader of blocks and concentration meets has its rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.concentration_sql import fill_latest, generated_files, newest_columns
from counterpoise.clickhouse.sql_files import split_statements
from counterpoise.metrics.spec import GROUPS, MetricSpec
from counterpoise.metrics.specs.metric_registry import SPECS, register
from counterpoise.windows import VIEWS, WINDOWS_BLOCKS

SET: Final = "r-generated"
CHAIN: Final = "bitcoin"
POOLS: Final = 40
PARTS: Final = 12
"""Inserts that the history comes in, so that it lies in parts as that of a worker does."""

_TIME: Final = "fromUnixTimestamp64Milli(toInt64(1231006505 + height * 595) * 1000, 'UTC')"

_BLOCKS: Final = f"""
INSERT INTO blocks_log (chain, height, hash, prev_hash, time, bits, coinbase_script, payout_addresses, label, source, status, seen_at, version)
SELECT '{CHAIN}', toUInt32(number) AS height, SHA256(toString(height)), SHA256(toString(height - 1)), {_TIME} AS at, 386089497,
    substring(SHA256(toString(height)), 1, 24), ['bc1qgenerated'], '', 'replay', 'canonical', at, 1
FROM numbers({{low:UInt64}}, {{rows:UInt64}})
"""
_ATTRIBUTIONS: Final = f"""
INSERT INTO attributions_log (attribution_id, chain, height, hash, pool_code, method, matched, matched_offset, version)
SELECT '{SET}', '{CHAIN}', toUInt32(number) AS height, SHA256(toString(height)), cityHash64(height) % {POOLS}, 'tag', '/generated/', 4, 1
FROM numbers({{low:UInt64}}, {{rows:UInt64}})
"""
_CONCENTRATION: Final = f"""
INSERT INTO concentration_log (attribution_id, chain, view, window_blocks, height, tip_hash, time, n, unknown, window_full, pools_seen,
    c1, c2, c3, c4, c5, c6, l1, l2, l3, l4, l5, l6, s2, s3, s4, gini_num, sum_c_ln_c, nakamoto_one_third, nakamoto_half,
    top1_lo, top1_hi, top4_lo, top4_hi, p_top4_above_75, version, is_deleted)
SELECT '{SET}', '{CHAIN}', view, window_blocks, toUInt32(number) AS height, SHA256(toString(height)), {_TIME}, window_blocks AS n,
    toUInt16(cityHash64(height, 1) % (intDiv(n, 50) + 1)), true, toUInt16(15),
    toUInt16(n * (0.27 + 0.05 * sin(height / 5000))) AS a, toUInt16(n * 0.2) AS b, toUInt16(n * 0.13) AS c, toUInt16(n * 0.09) AS d,
    toUInt16(n * 0.07) AS e, toUInt16(n * 0.05) AS f, 1, 2, 3, 4, 5, 6,
    toUInt64(a * a + b * b + c * c + d * d + e * e + f * f) AS s2, s2 * b, s2 * b * b, toInt64(n) * 5, n * log(n) * 0.7, 2, 3,
    a / n - 0.01, a / n + 0.01, (a + b + c + d) / n - 0.01, (a + b + c + d) / n + 0.01, 0.5, 1, 0
FROM numbers({{low:UInt64}}, {{rows:UInt64}})
ARRAY JOIN {list(VIEWS)} AS view
ARRAY JOIN {list(WINDOWS_BLOCKS)} AS window_blocks
"""


def more_specs(count: int) -> dict[str, MetricSpec]:
    """The shipped metrics and `count` generated ones, over all groups in turn."""
    like = SPECS["hhi"]
    generated = [
        replace(
            like,
            name=f"generated_{number:03d}",
            order=1_000 + number,
            group=GROUPS[number % len(GROUPS)],
            sql=f"(s2 + {number} * known) / (n * n)",
            interval=None,
        )
        for number in range(count)
    ]
    return dict(register([*SPECS.values(), *generated]))


def put_in_place(ch: ClickHouse, specs: dict[str, MetricSpec]) -> None:
    """Columns and views of these metrics, as `migrate` of a version that has them would make them."""
    there = {name for name, _, _ in newest_columns()}
    for name, kind, comment in newest_columns(specs):
        if name not in there:
            ch.execute(f"ALTER TABLE concentration_latest_log ADD COLUMN {name} {kind} COMMENT '{comment}'")
    for path, text in generated_files(specs).items():
        if path.startswith("views/"):
            for statement in split_statements(text):
                ch.execute(statement)


def write_history(ch: ClickHouse, blocks: int, specs: dict[str, MetricSpec], *, after: int = 0) -> None:
    """Heights `after` … `blocks` − 1 of one chain, its newest rows and its names; the set is the current one."""
    edges = [after + (blocks - after) * part // PARTS for part in range(PARTS + 1)]
    for low, high in pairwise(edges):
        for statement in (_BLOCKS, _ATTRIBUTIONS, _CONCENTRATION):
            ch.execute(statement, {"low": low, "rows": high - low})
    ch.execute(
        f"INSERT INTO pool_names_log SELECT '{SET}', view, number, 'pool-' || toString(number), 'Pool ' || toString(number), 1 "
        f"FROM numbers({POOLS}) ARRAY JOIN {list(VIEWS)} AS view"
    )
    ch.insert("attribution_pointer_log", {"chain": [CHAIN], "attribution_id": [SET], "flipped_at": [0], "version": [1]})
    ch.execute(fill_latest(specs))


def questions(blocks: int, *, first_height: int = 0) -> dict[str, str]:
    """What a desk asks all day of a chain with so many blocks from `first_height` on, by what it is."""
    middle, end = first_height + blocks // 2, first_height + blocks
    series = f"chain = '{CHAIN}' AND view = 'raw' AND window_blocks = 1008"
    named = "height, time, n, unknown, top1_share, top4_share, top4_share_low, top4_share_high, hhi, effective_pools_d2, nakamoto_half, leaders"
    return {
        "newest row of every series, 12 columns": f"SELECT {named} FROM latest_concentration",
        "newest row of one series, as in README": (
            "SELECT height, top4_share, top4_share_low, top4_share_high FROM latest_concentration WHERE view = 'raw'"
        ),
        "newest shares of every series": "SELECT height, top1_share, top4_share, top4_share_upper FROM latest_shares",
        "newest row of every series, all columns of the table": "SELECT * FROM concentration_latest_log FINAL",
        "newest row of every series, all columns of the view": "SELECT * FROM latest_concentration",
        "largest pools now": "SELECT pool, blocks, share FROM top_pools(view = 'raw', window = 1008)",
        "tip of blocks": f"SELECT height, hash, time, pool FROM latest_blocks WHERE chain = '{CHAIN}' ORDER BY height DESC LIMIT 1",
        "last 10 blocks": f"SELECT height, hash, time, pool FROM latest_blocks WHERE chain = '{CHAIN}' ORDER BY height DESC LIMIT 10",
        "one height of blocks": f"SELECT height, hash, time, pool FROM blocks WHERE chain = '{CHAIN}' AND height = {middle}",
        "one height of concentration": f"SELECT height, top4_share, hhi FROM concentration WHERE {series} AND height = {middle}",
        "one height, its dispersion": f"SELECT height, hhi, gini FROM concentration_dispersion WHERE {series} AND height = {middle}",
        "last 144 heights of one series": (
            f"SELECT height, top4_share FROM concentration_shares WHERE {series} AND height > {end - 145} ORDER BY height"
        ),
    }


def rows_read(ch: ClickHouse, sql: str, given: Mapping[str, object] | None = None) -> int:
    """Rows that the engine reads for a question, its subqueries included. Nothing else may ask the server meanwhile."""
    counter = "SELECT value FROM system.events WHERE event = 'SelectedRows'"
    ch.query(sql, given)
    before, again = (int(ch.query(counter)[0][0]) for _ in range(2))
    ch.query(sql, given)
    after = int(ch.query(counter)[0][0])
    return after - again - (again - before)
