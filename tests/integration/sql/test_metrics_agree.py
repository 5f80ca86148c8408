"""Every derived column of the view against `counterpoise.metrics`, on windows of all shapes and on real ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.columns import Constant
from counterpoise.metrics.beta_table import top_share_posterior
from counterpoise.metrics.derived import derive
from counterpoise.metrics.stored_integers import STORED_COLUMNS, StoredIntegers
from streams.blocks.fold.concentration import score_blocks
from tests.shared import shared_data

SET = "r-metrics"
INTERVALS = ("window_full", "top1_lo", "top1_hi", "top4_lo", "top4_hi", "p_top4_above_75")


def store(ch: ClickHouse, table: dict[str, npt.NDArray[Any]]) -> None:
    """Write rows of integers, numbered by height in their order, and make their set the current one."""
    rows = len(table["n"])
    ch.insert(
        "concentration_log",
        {
            "attribution_id": Constant(SET, rows),
            "chain": Constant("bitcoin", rows),
            "view": Constant(0, rows),
            "window_blocks": Constant(1008, rows),
            "height": np.arange(rows),
            "tip_hash": np.zeros((rows, 32), np.uint8),
            "time": np.zeros(rows, np.int64),
            **{name: table[name] for name in STORED_COLUMNS},
            "version": Constant(1, rows),
            "is_deleted": Constant(0, rows),
        },
    )
    ch.insert(
        "attribution_pointer_log", {"chain": ["bitcoin"], "attribution_id": [SET], "flipped_at": [0], "version": [1]}
    )


def agree(ch: ClickHouse, table: dict[str, npt.NDArray[Any]]) -> None:
    expected = derive(StoredIntegers(table))
    found = ch.query_columns("SELECT * FROM concentration ORDER BY height")
    assert len(found["n"]) == len(table["n"])
    computed = {name for name, column in found.items() if isinstance(column, np.ndarray) and column.dtype == np.float64}
    assert computed - {"sum_c_ln_c"} <= expected.keys() <= found.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(np.asarray(found[name]), values, rtol=1e-9, atol=1e-12, equal_nan=True, err_msg=name)


def of_counts(counts: npt.NDArray[np.int64], unknown: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    n = counts.sum(axis=1) + unknown
    integers = StoredIntegers.of_counts(counts, unknown=unknown)
    table = {name: integers[name] for name in STORED_COLUMNS if name not in INTERVALS}
    top1 = top_share_posterior(n, integers.top(1), table["pools_seen"], 1, 0.75)
    top4 = top_share_posterior(n, integers.top(4), table["pools_seen"], 4, 0.75)
    return table | {
        "window_full": n == 1008,
        "top1_lo": top1[:, 0],
        "top1_hi": top1[:, 1],
        "top4_lo": top4[:, 0],
        "top4_hi": top4[:, 1],
        "p_top4_above_75": top4[:, 2],
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_windows(empty: ClickHouse, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = rng.dirichlet(np.full(40, 0.15), 2_000)
    blocks = rng.integers(1, 4_321, 2_000)
    counts = np.array([rng.multinomial(n, p) for n, p in zip(blocks, shapes, strict=True)], np.int64)
    unknown = np.where(rng.random(2_000) < 0.5, 0, rng.integers(0, 200, 2_000))
    table = of_counts(counts, unknown)
    store(empty, table)
    agree(empty, table)


def test_the_edges(empty: ClickHouse) -> None:
    counts = np.array(
        [
            [1, 0, 0, 0, 0, 0],  # one block of one pool
            [0, 0, 0, 0, 0, 0],  # nobody is known
            [1008, 0, 0, 0, 0, 0],  # one pool made everything
            [1008, 0, 0, 0, 0, 0],  # … of what is known
            [1, 1, 0, 0, 0, 0],
            [1, 1, 1, 1, 1, 1],
            [168, 168, 168, 168, 168, 168],  # equal pools
            [9736, 1, 1, 1, 1, 1],  # the largest window that the metrics admit
            [0, 0, 0, 0, 0, 0],  # one block, nobody's
        ]
    )
    unknown = np.array([0, 144, 0, 100, 0, 1, 0, 0, 1])
    table = of_counts(counts, unknown)
    store(empty, table)
    agree(empty, table)


def test_a_window_by_hand(empty: ClickHouse) -> None:
    # Shares 40, 30, 15, 15 %: .16 + .09 + .0225 + .0225 = 0.295; two hold more than half, one more than a third.
    table = of_counts(np.array([[8, 6, 3, 3]]), np.array([0]))
    store(empty, table)
    [row] = empty.query(
        "SELECT hhi, hhi_10000, effective_pools_d2, top4_share, nakamoto_half, nakamoto_one_third FROM concentration"
    )
    assert row == pytest.approx((0.295, 2950, 1 / 0.295, 1, 2, 1), rel=1e-12)


class _Owners:
    boundaries = np.zeros(0, np.int64)

    def __init__(self, pools: int) -> None:
        self.codes = np.arange(pools)[None, :]


def test_real_windows(empty: ClickHouse) -> None:
    file = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet"))
    slugs = file.column("pool_slug").to_pylist()[45_000:52_000]  # autumn 2021: the attribution outage
    names = ["unknown", *sorted(set(slugs) - {"unknown"})]
    codes = np.array([names.index(slug) for slug in slugs], np.uint16)
    scored = score_blocks(codes, np.arange(len(codes)), 6_000, _Owners(len(names)), (144, 1008, 4320)).columns()
    table = {name: scored[name] for name in STORED_COLUMNS}
    assert int(table["unknown"].max()) > 100
    store(empty, table)
    agree(empty, table)
