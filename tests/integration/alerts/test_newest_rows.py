"""The rows that rules judge are those that FINAL gives, whatever was written in whatever order."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from alerts.store.concentration_log import ConcentrationLog
from alerts.store.pool_names_log import PoolNamesLog
from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from counterpoise.windows import VIEWS

WINDOWS, SETS, HEIGHTS = (144, 1008), ("set", "other"), range(0, 9)

_WRITE = """
INSERT INTO concentration_log (attribution_id, chain, view, window_blocks, height, tip_hash, time, n, c1, version, is_deleted)
SELECT {set:String}, 'bitcoin', arrayJoin(['raw', 'entity']), arrayJoin([144, 1008]), {height:UInt32},
    unhex(lower(hex(SHA256({block:String})))), toDateTime64(1600000000 + {height:UInt32}, 3, 'UTC'), {n:UInt16}, {n:UInt16},
    {version:UInt64}, {is_deleted:UInt8}
"""
_FINAL = """
SELECT height, lower(hex(tip_hash)), toUnixTimestamp(time), n, c1 FROM concentration_log FINAL
WHERE attribution_id = {set:String} AND view = {view:String} AND window_blocks = {window_blocks:UInt16}
    AND height BETWEEN {low:UInt32} AND {high:UInt32} ORDER BY height
"""


def write_some(ch: ClickHouse, rng: random.Random, first_version: int, count: int) -> None:
    """Rows of heights, some of them again, and some undone; a newer version may be stored before an older one."""
    versions = list(range(first_version, first_version + count))
    rng.shuffle(versions)
    for version in versions:
        asked = {
            "set": rng.choice(SETS),
            "height": rng.choice(HEIGHTS),
            "block": str(rng.random()),
            "n": rng.randint(1, 144),
            "version": version,
            "is_deleted": int(rng.random() < 0.25),
        }
        for _ in range(rng.choice((1, 1, 2))):  # an insert whose answer was lost is made again
            ch.execute(_WRITE, asked)


def final(ch: ClickHouse, asked: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows by the server's FINAL, up to the first height that is missing."""
    rows = ch.query(_FINAL, asked)
    return [row for at, row in enumerate(rows) if row[0] == rows[0][0] + at]


@pytest.mark.parametrize("seed", range(3))
def test_the_rows_of_a_series_are_those_of_final(migrated: Settings, seed: int) -> None:
    rng = random.Random(seed)
    with connect(clickhouse_target(migrated), migrated.dataset) as ch:
        ch.execute("SYSTEM STOP MERGES concentration_log")
        log = ConcentrationLog(ch, PoolNamesLog(ch))
        seen = 0
        for turn in range(2):
            write_some(ch, rng, 100 * turn + 1, 16)
            for name in SETS:
                for window_blocks in WINDOWS:
                    low, high = sorted(rng.sample(HEIGHTS, 2))
                    both = log.series_by_view("bitcoin", name, VIEWS, window_blocks, low=low, high=high)
                    for view in VIEWS:
                        alone = log.series("bitcoin", name, view, window_blocks, low=low, high=high)
                        asked = {"set": name, "view": view, "window_blocks": window_blocks, "low": low, "high": high}
                        expected = final(ch, asked)
                        for series in (both[view], alone):
                            columns = (series.height.tolist(), series.tip_hash, series.time.tolist(), series.n.tolist())
                            assert list(zip(*columns, series.counts[:, 0].tolist(), strict=True)) == expected
                        seen += len(expected)
        assert seen > 10
