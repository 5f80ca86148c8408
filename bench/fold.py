"""How fast blocks become concentration rows, against one window at a time: `python -m bench.fold [--blocks FILE] [--batch N]`.

FILE is a Parquet of height, pool_slug and date; without one, blocks are drawn from a fixed seed. Attribution set and entity map are
those that ship. Times are of one process; set OMP_NUM_THREADS or use taskset to see that it uses one core.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from counterpoise.metrics.beta_table import top_share_posterior
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.windows import WINDOWS_BLOCKS
from streams.blocks.fold import concentration
from streams.blocks.fold.concentration import ConcentrationTable, TableCache, score_blocks

HISTORY_BLOCKS = max(WINDOWS_BLOCKS) - 1
REAL_BLOCKS = Path(__file__).resolve().parents[2] / "shared" / "data" / "blocks" / "mainnet_664063_946236.parquet"
NAIVE_BLOCKS = 300

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
    options = parser.parse_args()
    attribution = AttributionSet.default()
    chain = load(options.blocks, attribution)
    blocks = len(chain[0])

    cache = TableCache()
    start = time.perf_counter()
    rows = sum(len(table) for table in batches(chain, options.batch, attribution, cache))
    seconds = time.perf_counter() - start
    print(
        f"{blocks:,} blocks, {rows:,} rows in {seconds:.2f} s: {rows / seconds:,.0f} rows/s, batches of {options.batch:,}"
    )
    print(f"posteriors computed: {len(cache.top1):,} top-1, {len(cache.top4):,} top-4")
    slow = naive_rows_per_second(chain, attribution)
    print(f"one window at a time: {slow:,.0f} rows/s; ratio {rows / seconds / slow:.0f}")

    for name, spent in stage_seconds(
        lambda: [None for _ in batches(chain, options.batch, attribution, TableCache())]
    ).items():
        print(f"  {name:20s} {spent:6.2f} s")

    codes, times = chain
    tip = blocks - 200
    start = time.perf_counter()
    for last in range(tip, tip + 200):
        low = last - HISTORY_BLOCKS
        score_blocks(
            codes[low : last + 1], times[low : last + 1], HISTORY_BLOCKS, attribution.entity_table, table_cache=cache
        )
    print(f"one new block: {(time.perf_counter() - start) / 200 * 1e3:.2f} ms")

    tracemalloc.start()
    cut = min(blocks, 30_000)
    for _ in batches((codes[-cut:], times[-cut:]), options.batch, attribution, TableCache()):
        pass
    print(f"peak of the fold's own arrays: {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
