"""The packaged figures: the counts are the real ones, everything else follows from a seed."""

from __future__ import annotations

import runpy
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from counterpoise.contracts.blocks import BlockEvent
from ingest.blocks.sources.simulated import (
    BIN_BLOCKS,
    SEED,
    TABLE_NAME,
    FiguresSource,
    draw,
    parse_figures,
    read_figures,
)
from testkit.manual_clock import ManualClock
from tests.shared import shared_data

ROOT = Path(__file__).resolve().parents[3]

SMALL = """\
# made by hand
# first_time 2024-01-31T23:00:00Z
height,last_time,antpool,unknown,viabtc
10,2024-01-31T23:40:00Z,2,,
12,2024-02-01T00:06:40Z,1,2,1
16,2024-02-01T00:10:00Z,,,1
"""


def small_events() -> list[BlockEvent]:
    source = FiguresSource("bitcoin", ManualClock(), parse_figures(SMALL))
    return [event for batch in source.blocks(0, 10**9) for event in batch.events]


def test_small_table_by_hand() -> None:
    events = small_events()
    assert [e.height for e in events] == [10, 11, 12, 13, 14, 15, 16]
    # The first bin has 40 minutes for two blocks. The second begins with February, not at 23:40, and has 400 s for four.
    january, february = 1_706_742_000, 1_706_745_600
    assert [e.time - january for e in events[:2]] == [1_200, 2_400]
    assert [e.time - february for e in events[2:]] == [100, 200, 300, 400, 600]
    assert [e.label for e in events[:2]] == ["antpool", "antpool"]
    assert Counter(e.label for e in events[2:6]) == {"antpool": 1, "viabtc": 1, None: 2}
    assert events[6].label == "viabtc"
    assert all(e.synthetic and e.source == "figures" for e in events)


def test_every_run_gives_the_same_blocks() -> None:
    assert small_events() == small_events()


def test_a_part_has_the_hashes_of_the_whole() -> None:
    source = FiguresSource("bitcoin", ManualClock(), parse_figures(SMALL))
    whole = small_events()
    part = [event for batch in source.blocks(11, 13) for event in batch.events]
    assert part == whole[1:4]
    assert [event for batch in source.blocks(15, 99) for event in batch.events] == whole[5:]


@pytest.mark.parametrize(
    ("line", "damaged"),
    [
        ("# first_time 2024-01-31T23:00:00Z\n", ""),
        ("height,last_time,antpool", "height,time,antpool"),
        ("antpool,unknown,viabtc", "antpool,unknown,antpool"),
        ("10,2024-01-31T23:40:00Z,2,,\n", "10,2024-01-31T23:40:00Z,2,\n"),
        (",2,,\n", ",,,\n"),  # an empty bin
        (",2,,\n", ",3,-1,\n"),
        (",2,,\n", ",two,,\n"),
        (",2,,\n", ",3,,\n"),  # the next bin does not follow on it
        ("T00:10:00Z", "T00:06:40Z"),  # no time passes
        ("16,2024-02-01T00:10:00Z,,,1\n", "x\n"),
        (SMALL[SMALL.index("10,") :], ""),
        (SMALL, ""),
    ],
)
def test_a_damaged_table_is_refused(line: str, damaged: str) -> None:
    assert line in SMALL
    with pytest.raises((ValueError, KeyError)):
        parse_figures(SMALL.replace(line, damaged))


@pytest.mark.parametrize("seed", [SEED, 0, 1, 2**32 - 1])
def test_the_draw_changes_the_order_alone(seed: int) -> None:
    bins = [one for month in read_figures().months for one in month.bins]
    for one in bins[::97]:
        assert Counter(draw(one, seed)) == one.blocks_by_pool
    assert draw(bins[0], seed) != draw(bins[0], seed + 1)
    assert draw(bins[0], seed) == draw(bins[0], seed)


def test_the_packaged_table_is_that_of_the_real_blocks() -> None:
    table = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet")).sort_by("height")
    heights, pools, times = (table[name].to_pylist() for name in ("height", "pool_slug", "date"))
    figures = read_figures()
    assert (figures.first_height, figures.last_height) == (heights[0], heights[-1]) == (664_063, 946_236)
    cut = 0
    for month in figures.months:
        for one in month.bins:
            low = one.first_height - heights[0]
            last = low + one.blocks - 1
            assert low % BIN_BLOCKS + one.blocks <= BIN_BLOCKS
            cut += low % BIN_BLOCKS != 0
            assert one.blocks_by_pool == Counter(pools[low : last + 1])
            assert one.end == times[last].timestamp()
            assert {f"{time:%Y-%m}" for time in times[low : last + 1]} == {month.name}
    assert cut == 63  # a bin for each end of a month, and no other cut


def test_the_table_is_what_its_script_makes(tmp_path: Path) -> None:
    made = tmp_path / "made.csv"
    script = runpy.run_path(str(ROOT / "scripts" / "make_blocks_per_pool_144.py"))
    script["main"](
        str(shared_data("blocks/mainnet_664063_946236.parquet")), str(shared_data("blocks/LICENSE")), str(made)
    )
    assert made.read_bytes() == (ROOT / "ingest" / "data" / TABLE_NAME).read_bytes()


@pytest.fixture(scope="module")
def packaged() -> list[BlockEvent]:
    """All blocks of the packaged table."""
    source = FiguresSource("bitcoin", ManualClock())
    return [event for batch in source.blocks(0, 10**9) for event in batch.events]


def test_the_packaged_figures_make_a_chain_from_2021_to_2026(packaged: list[BlockEvent]) -> None:
    tip, events = FiguresSource("bitcoin", ManualClock()).tip(), packaged
    assert (tip.lowest_height, tip.height) == (664_063, 946_236) == (events[0].height, events[-1].height)
    assert len(events) == 282_174
    assert all(a.hash == b.prev_hash and a.height + 1 == b.height and a.time < b.time for a, b in pairwise(events))
    # Header times of real blocks at the ends of bins: the first bin's, a cut one's, the last.
    at = {event.height: datetime.fromtimestamp(event.time, UTC) for event in events}
    assert at[664_206] == datetime(2021, 1, 2, 23, 11, 52, tzinfo=UTC)
    assert at[946_236] == datetime(2026, 4, 22, 21, 50, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "percent", "leaders"),
    [
        ("2024-06", 78.68, ["foundryusa", "antpool", "viabtc", "f2pool"]),
        ("2025-04", 74.15, ["foundryusa", "antpool", "viabtc", "f2pool"]),
    ],
)
def test_the_drawn_blocks_of_a_month_have_its_real_top_four(
    packaged: list[BlockEvent], name: str, percent: float, leaders: list[str]
) -> None:
    # Both from the real blocks. No tolerance: bins are cut where a month ends.
    start = datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC)
    end = start.replace(month=start.month + 1)
    inside = [event.label for event in packaged if start.timestamp() <= event.time < end.timestamp()]
    ranked = Counter(label for label in inside if label is not None).most_common(4)
    assert [pool for pool, _ in ranked] == leaders
    assert round(100 * sum(blocks for _, blocks in ranked) / len(inside), 2) == percent
