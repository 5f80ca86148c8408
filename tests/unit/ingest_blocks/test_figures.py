"""The packaged figures: the counts are the real ones, everything else follows from a seed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise

import pyarrow.parquet as pq
import pytest

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.runtime.clock import ManualClock
from ingest.blocks.sources.simulated import FiguresSource, parse_figures, read_figures
from tests.shared import shared_data

SMALL = """\
# made by hand
# first_height 10
# first_time 2024-01-31T23:00:00Z
# last_time 2024-02-29T11:59:59Z
month,pool,blocks
2024-01,antpool,2
2024-02,antpool,1
2024-02,unknown,2
2024-02,viabtc,1
"""


def small_events() -> list[BlockEvent]:
    source = FiguresSource("bitcoin", ManualClock(), parse_figures(SMALL))
    return [event for batch in source.blocks(0, 10**9) for event in batch.events]


def test_small_table_by_hand() -> None:
    events = small_events()
    assert [e.height for e in events] == [10, 11, 12, 13, 14, 15]
    # January counts from 23:00 on the 31st: two blocks in 3,600 s stand at 900 and 2,700 s. February runs to 12:00 on the 29th:
    # 28.5 days = 2,462,400 s, four blocks at 1/8, 3/8, 5/8 and 7/8 of it.
    january, february = 1_706_742_000, 1_706_745_600
    assert [e.time for e in events] == [
        january + 900,
        january + 2_700,
        february + 307_800,
        february + 923_400,
        february + 1_539_000,
        february + 2_154_600,
    ]
    assert [e.label for e in events[:2]] == ["antpool", "antpool"]
    assert Counter(e.label for e in events[2:]) == {"antpool": 1, "viabtc": 1, None: 2}
    assert all(e.synthetic and e.source == "figures" for e in events)


def test_every_run_gives_the_same_blocks() -> None:
    assert small_events() == small_events()


def test_a_part_has_the_hashes_of_the_whole() -> None:
    source = FiguresSource("bitcoin", ManualClock(), parse_figures(SMALL))
    whole = small_events()
    part = [event for batch in source.blocks(11, 13) for event in batch.events]
    assert part == whole[1:4]
    assert [event for batch in source.blocks(15, 99) for event in batch.events] == whole[5:]


@pytest.mark.parametrize("damage", ["month,pool,blocks\n2024-01,a,1\n", SMALL.replace(",2\n", "\n"), SMALL + "x\n"])
def test_a_damaged_table_is_refused(damage: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        parse_figures(damage)


def test_the_packaged_table_is_that_of_the_real_blocks() -> None:
    figures = read_figures()
    table = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet"), columns=["pool_slug", "date"])
    months = [f"{date:%Y-%m}" for date in table["date"].to_pylist()]
    real = Counter(zip(months, table["pool_slug"].to_pylist(), strict=True))
    packaged = {(month.name, pool): blocks for month in figures.months for pool, blocks in month.blocks_by_pool.items()}
    assert packaged == real


def test_the_packaged_figures_make_a_chain_from_2021_to_2026() -> None:
    source = FiguresSource("bitcoin", ManualClock())
    tip = source.tip()
    assert (tip.lowest_height, tip.height) == (664_063, 946_236)
    events = [event for batch in source.blocks(940_000, 946_236) for event in batch.events]
    assert len(events) == 6_237
    assert all(a.hash == b.prev_hash and a.height + 1 == b.height and a.time < b.time for a, b in pairwise(events))
    assert datetime.fromtimestamp(events[-1].time, UTC).strftime("%Y-%m-%d") == "2026-04-22"


def test_june_2024_has_its_top_four() -> None:
    # 78.68 % in June 2024, from the real blocks.
    month = next(m for m in read_figures().months if m.name == "2024-06")
    ranked = sorted((blocks for pool, blocks in month.blocks_by_pool.items() if pool != "unknown"), reverse=True)
    assert round(100 * sum(ranked[:4]) / month.blocks, 2) == 78.68
