"""Real blocks through the real line: what is counted, and every metric computed again by other means."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import yaml

from tests.integration.streams.blocks import HARD_BITS, branch, mainnet, mainnet_blocks
from tests.integration.streams.independent import assert_recomputes, heights_of_interest
from tests.integration.streams.line import ROOT, Engines, Line, line_on
from tests.integration.streams.tables import assert_consistent

SEED = 20_211_101

# Within the attribution outage (2021-06 … 2022-06): November 2021, and the longest window before its first blocks.
OUTAGE = (703_000, 712_100)
OUTAGE_NOVEMBER = range(707_634, 712_011)  # heights of 2021-11 in the reference file
# The end of the outage and the first date of the entity map (2022-07-01). `make soak` reads the whole file, with what lies between.
MAP = (737_500, 744_200)
MONTHS = {"june-2024": (845_900, 850_250), "april-2025": (890_250, 894_750)}
FORK_DEPTH = 5


@pytest.fixture(scope="module")
def mainnet_line(engines: Engines) -> Iterator[Line]:
    """Four stretches of the reference file as four chains; that of the entity map ends in a reorganisation."""
    with line_on(engines, "mainnet") as line:
        worker = line.start(settings={"COUNTERPOISE_STREAMS__TAKE_MESSAGES": "8"})
        line.send(mainnet_blocks(*OUTAGE), events_per_message=500)
        blocks = mainnet_blocks(*MAP, chain="map")
        line.send(blocks, events_per_message=500)
        for chain, (first, last) in MONTHS.items():
            line.send(mainnet_blocks(first, last, chain=chain), events_per_message=500)
        line.send(branch(FORK_DEPTH - 2, blocks[-1 - FORK_DEPTH], chain="map", bits=HARD_BITS, salt="heavier"))
        line.drain()
        assert_consistent(line)
        yield line
        assert worker.stop() == 0, worker.tail()


def slug_of_label() -> dict[str, str]:
    """The file's slugs in the registry's words, read from the registry's own file."""
    document = yaml.safe_load((ROOT / "counterpoise/pools/data/registry.yaml").read_text(encoding="utf-8"))
    found = {"unknown": "unknown"}
    for pool in document["pools"]:
        for name in (pool["slug"], pool["name"], *pool.get("aliases", ())):
            found.setdefault(name.lower(), pool["slug"])
    return found


def month_of(seconds: int) -> int:
    day = datetime.fromtimestamp(seconds, UTC)
    return day.year * 100 + day.month


def assert_counts_equal_the_files(line: Line, chain: str, first: int, last: int) -> None:
    heights, labels, times = mainnet()
    at = slice(first - heights[0], last - heights[0] + 1)
    slugs = slug_of_label()
    expected = Counter((month_of(t), slugs[label]) for label, t in zip(labels[at], times[at], strict=True))
    found = line.ch.query(
        "SELECT toYYYYMM(time) AS month, pool, count() FROM blocks "
        "WHERE chain = {chain:String} AND height BETWEEN {first:UInt32} AND {last:UInt32} GROUP BY month, pool",
        {"chain": chain, "first": first, "last": last},
    )
    assert {(month, pool): count for month, pool, count in found} == dict(expected)


def test_counts_per_month_and_pool_equal_the_files(mainnet_line: Line) -> None:
    assert_counts_equal_the_files(mainnet_line, "bitcoin", *OUTAGE)
    first, last = MAP
    assert_counts_equal_the_files(mainnet_line, "map", first, last - FORK_DEPTH)
    for chain, (low, high) in MONTHS.items():
        assert_counts_equal_the_files(mainnet_line, chain, low, high)


@pytest.mark.parametrize(
    ("month", "percent", "order"),
    [
        ("june-2024", 78.68, ("foundry-usa", "antpool", "viabtc", "f2pool")),
        ("april-2025", 74.15, ("foundry-usa", "antpool", "viabtc", "f2pool", "mara-pool")),
    ],
)
def test_top_four_of_a_month_by_sql(mainnet_line: Line, month: str, percent: float, order: tuple[str, ...]) -> None:
    """FACTS: computed from the same file by others' means; April 2025 is the founding article's month."""
    yyyymm = {"june-2024": 202_406, "april-2025": 202_504}[month]
    rows = mainnet_line.ch.query(
        "SELECT pool, count() AS blocks, blocks / sum(blocks) OVER () AS share FROM blocks "
        "WHERE chain = {chain:String} AND toYYYYMM(time) = {month:UInt32} GROUP BY pool ORDER BY blocks DESC",
        {"chain": month, "month": yyyymm},
    )
    ranked = [row for row in rows if row[0] != "unknown"]
    assert round(100 * sum(row[2] for row in ranked[:4]), 2) == percent
    if month == "april-2025":
        assert tuple(row[0] for row in ranked[:5]) == order


def test_every_column_recomputes(mainnet_line: Line) -> None:
    """At the edges of every window, and at heights drawn at random: 60 here, 300 in test_stored_figures, and of the
    whole file in `make soak`."""
    print(f"seed {SEED}")
    draw = random.Random(SEED)
    november = draw.sample(OUTAGE_NOVEMBER, 10)
    tip = MAP[1] - 2
    for chain, first, last, more in (
        ("bitcoin", *OUTAGE, november),
        ("map", MAP[0], tip, [tip - 2, tip - 3, tip - 4]),
    ):
        heights = heights_of_interest(draw.sample, first, last, *more, total=30)
        assert len(heights) == 30
        assert assert_recomputes(mainnet_line, chain, heights) == 30 * 8


def test_the_outage_is_unknown_and_no_pool(mainnet_line: Line) -> None:
    """FACTS: 5–21 % of each month 2021-06 … 2022-06 is unknown; it is in n, in no pool, and widens the bounds."""
    rows = mainnet_line.ch.query(
        "SELECT avg(unknown / n), min(top4_share_upper - top4_share - unknown / n), "
        "max(top4_share_upper - top4_share - unknown / n), "
        "countIf(arrayExists(leader -> leader.1 = 'unknown', leaders)) "
        "FROM concentration WHERE chain = 'bitcoin' AND view = 'raw' AND window_blocks = 4320 AND height = 712010"
    )
    [(unknown, lowest, highest, ranked)] = rows
    assert 5 <= round(100 * unknown) <= 21
    assert abs(lowest) < 1e-12 and abs(highest) < 1e-12
    assert ranked == 0


def test_entities_part_from_pools_on_the_first_day_of_the_map(mainnet_line: Line) -> None:
    """AntPool & friends begin on 2022-07-01 in the shipped map: before it nobody is in the group, after it someone is."""
    rows = dict(
        mainnet_line.ch.query(
            "SELECT time >= '2022-07-01 00:00:00', countIf(has(leaders.pool, 'antpool-and-friends')) FROM concentration "
            "WHERE chain = 'map' AND view = 'entity' AND window_blocks = 1008 GROUP BY 1"
        )
    )
    assert rows[0] == 0
    assert rows[1] > 1_000


@pytest.mark.soak
def test_the_whole_file(line: Line) -> None:
    heights = mainnet()[0]
    worker = line.start()
    line.send(mainnet_blocks(heights[0], heights[-1]), events_per_message=500)
    line.drain()
    assert_consistent(line)
    assert_counts_equal_the_files(line, "bitcoin", heights[0], heights[-1])
    for month, percent in ((202_406, 78.68), (202_504, 74.15)):
        rows = line.ch.query(
            "SELECT count() AS blocks, blocks / sum(blocks) OVER () AS share, pool FROM blocks WHERE toYYYYMM(time) = {month:UInt32} "
            "GROUP BY pool ORDER BY blocks DESC",
            {"month": month},
        )
        assert round(100 * sum(row[1] for row in [row for row in rows if row[2] != "unknown"][:4]), 2) == percent
    print(f"seed {SEED}")
    draw = random.Random(SEED)
    chosen = heights_of_interest(draw.sample, heights[0], heights[-1], *draw.sample(OUTAGE_NOVEMBER, 60))
    assert assert_recomputes(line, "bitcoin", chosen) == 300 * 8
    assert worker.stop() == 0, worker.tail()
