"""The fold on every real block from 2021-01-02 to 2026-04-22: figures that others published or that FACTS were computed from."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from counterpoise.metrics.beta_table import BetaTable
from counterpoise.metrics.derived import derive
from counterpoise.metrics.stored_integers import StoredIntegers
from streams.blocks.fold.concentration import ConcentrationTable, TableCache, score_blocks
from tests.shared import shared_data
from tests.unit.block_fold import naive

FIRST_HEIGHT = 664_063
BATCH_BLOCKS = 5_000
HISTORY_BLOCKS = 4_319


@dataclass(frozen=True)
class Mainnet:
    slugs: list[str]
    codes: NDArray[np.uint16]
    times: NDArray[np.int64]
    names: list[str]


@dataclass(frozen=True)
class Entities:
    boundaries: NDArray[np.int64]
    codes: NDArray[np.uint16]


@cache
def mainnet() -> Mainnet:
    table = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet"))
    assert table.column("height").to_pylist() == list(range(FIRST_HEIGHT, FIRST_HEIGHT + 282_174))
    slugs = table.column("pool_slug").to_pylist()
    names = ["unknown", *sorted(set(slugs) - {"unknown"})]
    code_of = {slug: code for code, slug in enumerate(names)}
    times = table.column("date").cast("timestamp[s]").cast("int64").to_numpy()
    return Mainnet(slugs, np.array([code_of[slug] for slug in slugs], np.uint16), times, names)


def nobody_owns(chain: Mainnet) -> Entities:
    return Entities(np.zeros(0, np.int64), np.arange(len(chain.names), dtype=np.uint16)[None, :])


@cache
def weekly() -> tuple[ConcentrationTable, dict[str, np.ndarray]]:
    """Every block's 1008-block window, raw view."""
    chain = mainnet()
    table = score_blocks(chain.codes, chain.times, 0, nobody_owns(chain), (1008,))
    raw = ConcentrationTable(**{name: column[table.view_code == 0] for name, column in table.columns().items()})
    return raw, derive(StoredIntegers(raw.columns()))


def month(year: int, number: int) -> ConcentrationTable:
    """One window that is exactly the blocks whose header time lies in a month, as a file of its own would be scored."""
    chain = mainnet()
    start = dt.datetime(year, number, 1, tzinfo=dt.UTC)
    end = dt.datetime(year + number // 12, number % 12 + 1, 1, tzinfo=dt.UTC)
    inside = (chain.times >= start.timestamp()) & (chain.times < end.timestamp())
    blocks = int(inside.sum())
    return score_blocks(chain.codes[inside], chain.times[inside], blocks - 1, nobody_owns(chain), (blocks,))


def test_june_2024() -> None:
    table = month(2024, 6)
    assert top4(table)[0] / table.n[0] == pytest.approx(0.7868, abs=5e-5)


def test_april_2025_and_its_order() -> None:
    table = month(2025, 4)
    names = mainnet().names
    assert top4(table)[0] / table.n[0] == pytest.approx(0.7415, abs=5e-5)
    leaders = [names[int(getattr(table, f"l{rank}")[0])] for rank in range(1, 6)]
    assert leaders == ["foundryusa", "antpool", "viabtc", "f2pool", "marapool"]


def top4(table: ConcentrationTable) -> NDArray[np.int64]:
    return table.c1.astype(np.int64) + table.c2 + table.c3 + table.c4


@pytest.mark.parametrize(
    ("day", "value"),
    [
        ("2022-12-31", 5.845),
        ("2023-12-31", 5.155),
        ("2024-12-31", 5.026),
        ("2025-06-30", 6.258),
        ("2025-12-31", 6.167),
    ],
)
def test_effective_number_of_pools_at_year_ends(day: str, value: float) -> None:
    _, metrics = weekly()
    midnight = dt.datetime.fromisoformat(f"{day}T00:00:00+00:00") + dt.timedelta(days=1)
    last = np.flatnonzero(mainnet().times < midnight.timestamp())[-1]
    assert metrics["effective_pools_d2"][last] == pytest.approx(value, abs=5e-4)
    assert metrics["effective_pools_d2_low"][last] < value < metrics["effective_pools_d2_high"][last]


def test_the_default_rule_fires_and_clears_eight_times() -> None:
    # Above 75 % for 36 blocks after the first breach, clear below 73 %, both in integers and on full windows only.
    table, _ = weekly()
    held = top4(table).tolist()
    fired, cleared, breach, firing = [], [], None, False
    for place in np.flatnonzero(table.window_full).tolist():
        height = FIRST_HEIGHT + place
        if firing and held[place] * 100 < 73 * 1008:
            firing, breach = False, None
            cleared.append(height)
        elif not firing:
            breach = (height if breach is None else breach) if held[place] * 100 > 75 * 1008 else None
            if breach is not None and height - breach >= 36:
                firing = True
                fired.append(height)
    assert (len(fired), fired[0], fired[-1]) == (8, 760_903, 892_330)
    assert (len(cleared), cleared[-1]) == (8, 894_647)


def test_plain_crossings() -> None:
    # 247 at 1008 blocks without hold or hysteresis: each time that a window above 75 % follows one that is not.
    table, _ = weekly()
    above = (top4(table) * 100 > 75 * 1008)[table.window_full]
    assert int(np.count_nonzero(above[1:] & ~above[:-1]) + above[0]) == 247


def dated_owners(chain: Mainnet) -> Entities:
    """A made-up but realistic map: four pools are AntPool's from 2022-07-01 on, one of them no longer from 2024-03-01."""
    alone = np.arange(len(chain.names), dtype=np.uint16)
    group = alone.copy()
    group[[chain.names.index(slug) for slug in ("antpool", "poolin", "ultimuspool", "btccom", "braiinspool")]] = len(
        alone
    )
    fewer = group.copy()
    fewer[chain.names.index("poolin")] = chain.names.index("poolin")
    dates = [dt.datetime(2022, 7, 1, tzinfo=dt.UTC), dt.datetime(2024, 3, 1, tzinfo=dt.UTC)]
    return Entities(np.array([date.timestamp() for date in dates], np.int64), np.stack([alone, group, fewer]))


def test_both_views_equal_a_plain_recomputation_at_many_heights() -> None:
    chain, owners = mainnet(), dated_owners(mainnet())
    # The beginning (part-filled), the attribution outage, around both boundaries of the map, and the end.
    around = [int(np.searchsorted(np.maximum.accumulate(chain.times), boundary)) for boundary in owners.boundaries]
    places = [0, 1, 143, 144, 3_000, 709_800 - FIRST_HEIGHT, *(a + d for a in around for d in range(-6, 7)), 282_173]
    windows = (144, 4320)
    for place in places:
        low = max(0, place - HISTORY_BLOCKS)
        codes, times, start = chain.codes[low : place + 1], chain.times[low : place + 1], place - low
        table = score_blocks(codes, times, start, owners, windows)
        expected = naive.score(
            codes.tolist(), times.tolist(), start, owners.boundaries.tolist(), owners.codes.tolist(), windows=windows
        )
        for name, column in table.columns().items():
            if name in expected[0]:
                assert column.tolist() == pytest.approx([row[name] for row in expected], rel=1e-13), (place, name)


def test_batches_of_any_size_and_a_cold_cache_give_the_same_bits() -> None:
    chain, owners = mainnet(), dated_owners(mainnet())
    first, stop = 78_000, 92_000  # across the first boundary of the map
    table = score_blocks(chain.codes[:stop], chain.times[:stop], first, owners)
    cache = TableCache()
    parts = []
    edges = [first, first + 1, first + 2, first + 700, first + 5_000, stop]
    for low, high in pairwise(edges):
        begin = max(0, low - HISTORY_BLOCKS)
        parts.append(
            score_blocks(chain.codes[begin:high], chain.times[begin:high], low - begin, owners, table_cache=cache)
        )
    for name, column in table.columns().items():
        if name == "index":
            continue
        shaped = column.reshape(8, -1)
        joined = np.concatenate([getattr(part, name).reshape(8, -1) for part in parts], axis=1)
        assert shaped.tobytes() == joined.tobytes(), name


def test_probability_of_the_line_matches_the_interval() -> None:
    table, metrics = weekly()
    full = table.window_full
    share, above = metrics["top4_share"][full], table.p_top4_above_75[full]
    assert np.all(above[table.top4_lo[full] > 0.75] >= 0.975)
    assert np.all(above[table.top4_hi[full] < 0.75] <= 0.025)
    assert np.all((table.top4_lo[full] < share) & (share < table.top4_hi[full]))
    once_more = BetaTable(4, 0.75).lookup(table.n[:2000], top4(table)[:2000], table.pools_seen[:2000])
    assert once_more[:, 2].tobytes() == table.p_top4_above_75[:2000].tobytes()
