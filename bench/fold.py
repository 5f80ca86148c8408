"""How fast blocks become concentration rows, against one window at a time: `python -m bench.fold [--blocks FILE] [--batch N]`.

FILE is a Parquet of height, pool_slug and date; without one, blocks are drawn from a fixed seed. Attribution set and entity map are
those that ship. Times are of one process; set OMP_NUM_THREADS or use taskset to see that it uses one core.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench import plain_fold
from bench.plain_fold import PlainRow
from bench.side_by_side import add_against, chosen_options, compared
from counterpoise.metrics.beta_table import top_share_posterior
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.windows import WINDOWS_BLOCKS
from streams.blocks.fold import concentration
from streams.blocks.fold.concentration import ConcentrationTable, TableCache, score_blocks

HISTORY_BLOCKS = max(WINDOWS_BLOCKS) - 1
REAL_BLOCKS = Path(__file__).resolve().parents[2] / "shared" / "data" / "blocks" / "mainnet_664063_946236.parquet"
NAIVE_BLOCKS = 300
PLAIN_BLOCKS = 20_000
"""Enough for most intervals of the plain form to be kept ones, as in the fold."""

Chain = tuple[NDArray[np.uint16], NDArray[np.int64]]


def load(path: Path | None, attribution: AttributionSet) -> Chain:
    """Pool codes and header times, from a file or from a seed."""
    if path is not None:
        table = pq.read_table(path)
        slugs = table.column("pool_slug").to_pylist()
        pools = {slug: attribution.registry.find(slug) for slug in set(slugs)}
        code_of = {slug: 0 if pool is None else pool.code for slug, pool in pools.items()}
        times = table.column("date").cast("timestamp[s]").cast("int64").to_numpy()
        return np.array([code_of[slug] for slug in slugs], np.uint16), times
    random = np.random.default_rng(2021)
    share = random.dirichlet(1.0 / np.arange(1, 31))
    codes = random.choice(np.arange(30), size=100_000, p=share).astype(np.uint16)
    return codes, 1_609_459_200 + 593 * np.arange(len(codes), dtype=np.int64)


def batches(chain: Chain, batch: int, attribution: AttributionSet, cache: TableCache) -> Iterator[ConcentrationTable]:
    """Score everything as the worker does: a batch of new blocks and the history that its windows need."""
    codes, times = chain
    for first in range(0, len(codes), batch):
        low = max(0, first - HISTORY_BLOCKS)
        high = first + batch
        yield score_blocks(codes[low:high], times[low:high], first - low, attribution.entity_table, table_cache=cache)


def naive_rows_per_second(chain: Chain, attribution: AttributionSet) -> float:
    """The same rows with one bincount, one sort and two inverse beta functions a window."""
    codes, times = chain
    table = attribution.entity_table
    first = len(codes) // 2
    start = time.perf_counter()
    for tip in range(first, first + NAIVE_BLOCKS):
        for view in range(2):
            mapping = table.codes[table.epoch(int(times[tip]))]
            for window in WINDOWS_BLOCKS:
                blocks = codes[max(0, tip + 1 - window) : tip + 1]
                counts = np.bincount(mapping[blocks] if view else blocks)[1:]
                ordered = np.sort(counts[counts > 0])[::-1].astype(np.float64)
                for k in (1, 4):
                    top_share_posterior(len(blocks), ordered[:k].sum(), len(ordered), k, 0.75)
                _ = [(ordered**power).sum() for power in (2, 3, 4)], (ordered * np.log(ordered)).sum()
                held = np.cumsum(ordered)
                _ = np.argmax(2 * held > len(blocks)), np.argmax(3 * held > len(blocks))
    return NAIVE_BLOCKS * 2 * len(WINDOWS_BLOCKS) / (time.perf_counter() - start)


def plain_rows_per_second(chain: Chain, attribution: AttributionSet) -> float:
    """The same rows in plain Python (`bench.plain_fold`), the second half of them timed. They must equal those of the fold."""
    codes, times = (values[-(PLAIN_BLOCKS + HISTORY_BLOCKS) :] for values in chain)
    table = attribution.entity_table
    lists = [epoch.tolist() for epoch in table.codes]
    mappings = [lists[int(table.epoch(int(time)))] for time in times]
    first = len(codes) - PLAIN_BLOCKS
    each = 2 * len(WINDOWS_BLOCKS)
    produced = plain_fold.rows(codes.tolist(), mappings, WINDOWS_BLOCKS, first)
    warm = [next(produced) for _ in range(PLAIN_BLOCKS // 2 * each)]
    start = time.perf_counter()
    timed = list(produced)
    seconds = time.perf_counter() - start
    check_equal(warm + timed, score_blocks(codes, times, first, table), each)
    return len(timed) / seconds


def check_equal(plain: Sequence[PlainRow], fold: ConcentrationTable, each: int) -> None:
    """SystemExit where a figure of a plain row (by block, view, window) is not that of the fold (by view, window, block)."""
    blocks = len(plain) // each

    def compare(name: str, ours: Sequence[float], tolerance: float = 0.0) -> None:
        theirs = np.asarray(getattr(fold, name), np.float64).reshape(each, blocks).T.reshape(-1)
        if not np.allclose(np.asarray(ours, np.float64), theirs, rtol=0.0, atol=tolerance):
            raise SystemExit(f"the plain form and the fold differ in {name}")

    for name in ("n", "pools_seen", "s2", "s3", "s4", "gini_num", "nakamoto_one_third", "nakamoto_half"):
        compare(name, [getattr(row, name) for row in plain])
    for rank in range(6):
        compare(f"c{rank + 1}", [row.top[rank] if rank < len(row.top) else 0 for row in plain])
    compare("sum_c_ln_c", [row.sum_c_ln_c for row in plain], 1e-6)
    for end, name in enumerate(("lo", "hi")):
        compare(f"top1_{name}", [row.top1[end] for row in plain], 1e-9)
        compare(f"top4_{name}", [row.top4[end] for row in plain], 1e-9)
    compare("p_top4_above_75", [row.p_top4_above_75 for row in plain], 1e-9)


def stage_seconds(run: Callable[[], object]) -> dict[str, float]:
    """Seconds inside the fold's stages during `run`."""
    spent: dict[str, float] = {}

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent[name] = spent.get(name, 0.0) + time.perf_counter() - start

        return wrapper

    stages = [
        ("running counts", concentration._Chunk, "__init__"),
        ("window counts", concentration._Chunk, "counts"),
        ("entities merged", concentration, "_merge"),
        ("integers", concentration, "window_integers"),
        ("intervals", concentration, "_add_intervals"),
    ]
    originals = [(owner, attribute, getattr(owner, attribute)) for _, owner, attribute in stages]
    for (name, owner, attribute), (_, _, original) in zip(stages, originals, strict=True):
        setattr(owner, attribute, timed(name, original))
    start = time.perf_counter()
    try:
        run()
    finally:
        for owner, attribute, original in originals:
            setattr(owner, attribute, original)
    spent["copies and the rest"] = time.perf_counter() - start - sum(spent.values())
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=Path, default=REAL_BLOCKS if REAL_BLOCKS.exists() else None)
    parser.add_argument("--batch", type=int, default=5_000, help="new blocks a call")
    add_against(parser)
    options = parser.parse_args()
    options.blocks = options.blocks and options.blocks.resolve()
    if compared("fold", options, chosen_options(options, "blocks", "batch")):
        return
    attribution = AttributionSet.default()
    chain = load(options.blocks, attribution)
    blocks = len(chain[0])

    cache = TableCache()
    start = time.perf_counter()
    rows = sum(len(table) for table in batches(chain, options.batch, attribution, cache))
    seconds = time.perf_counter() - start
    print(f"{blocks:,} blocks, {rows:,} rows in {seconds:.2f} s, batches of {options.batch:,}")
    print(f"posteriors computed: {len(cache.top1):,} top-1, {len(cache.top4):,} top-4\n")
    print(f"| figure | measured | the fold by it |\n|---|---|---|\n| the fold | {rows / seconds:,.0f} rows/s | 1 |")
    slow = naive_rows_per_second(chain, attribution)
    print(f"| one window at a time | {slow:,.0f} rows/s | {rows / seconds / slow:.0f} |")

    plain = plain_rows_per_second(chain, attribution)
    print(f"| plain Python | {plain:,.0f} rows/s | {rows / seconds / plain:.0f} |")

    print("\n| stage | measured |\n|---|---|")
    for name, spent in stage_seconds(
        lambda: [None for _ in batches(chain, options.batch, attribution, TableCache())]
    ).items():
        print(f"| {name} | {spent:.2f} s |")

    codes, times = chain
    tip = blocks - 200
    start = time.perf_counter()
    for last in range(tip, tip + 200):
        low = last - HISTORY_BLOCKS
        score_blocks(
            codes[low : last + 1], times[low : last + 1], HISTORY_BLOCKS, attribution.entity_table, table_cache=cache
        )
    print(f"| one new block | {(time.perf_counter() - start) / 200 * 1e3:.2f} ms |")

    tracemalloc.start()
    cut = min(blocks, 30_000)
    for _ in batches((codes[-cut:], times[-cut:]), options.batch, attribution, TableCache()):
        pass
    print(f"| peak of the fold's own arrays | {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB |")


if __name__ == "__main__":
    main()
