"""The functions of the consensus-decentralization project (University of Edinburgh, MIT licence) from a folder that has it.

Its own windows are of whole days. Here its functions answer for the same windows as ours: the counts are given to them, ordered, and
making the counts is not in their time.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.peers.rates import Rate
from bench.peers.window_answers import UNKNOWN, WINDOWS

PACKAGE: Final = "consensus_decentralization"
Function = Callable[..., float]


@contextmanager
def functions(folder: Path) -> Iterator[tuple[Function, Function, Function]]:
    """Concentration ratio, Herfindahl-Hirschman index and Nakamoto coefficient; SystemExit where the folder lacks them."""
    if not (folder / PACKAGE / "metrics").is_dir():
        raise SystemExit(f"{folder} has no folder {PACKAGE}/metrics: give the top folder of the project")
    sys.path.insert(0, str(folder))
    try:
        metrics = f"{PACKAGE}.metrics"
        yield (
            importlib.import_module(f"{metrics}.concentration_ratio").compute_concentration_ratio,
            importlib.import_module(f"{metrics}.herfindahl_hirschman_index").compute_hhi,
            importlib.import_module(f"{metrics}.nakamoto_coefficient").compute_nakamoto_coefficient,
        )
    finally:
        sys.path.remove(str(folder))


def distributions(pools: Sequence[int], window: int) -> Iterator[list[int]]:
    """Counts of the known pools in the window that ends in each block, largest first."""
    counts: dict[int, int] = {}
    for place, pool in enumerate(pools):
        counts[pool] = counts.get(pool, 0) + 1
        if place >= window:
            counts[pools[place - window]] -= 1
        yield sorted((count for code, count in counts.items() if count and code != UNKNOWN), reverse=True)


def folded(folder: Path, pools: Sequence[int]) -> tuple[Rate, dict[int, tuple[int, int]]]:
    """Its rate, and the sums of top 4 and squares by window. Its Nakamoto number is another: of known blocks, and a half counts."""
    seconds, totals = 0.0, {}
    with functions(folder) as (ratio, hhi, nakamoto):
        for window in WINDOWS:
            given = list(distributions(pools, window))
            began = time.process_time()
            found = [(ratio(counts, 4), hhi(counts), nakamoto(counts)) for counts in given]
            seconds += time.process_time() - began
            known = [sum(counts) for counts in given]
            totals[window] = (
                sum(round(share * n) for (share, _, _), n in zip(found, known, strict=True)),
                sum(round((index or 0.0) / 1e4 * n * n) for (_, index, _), n in zip(found, known, strict=True)),
            )
    return Rate("consensus-decentralization, its functions", len(pools), seconds), totals
