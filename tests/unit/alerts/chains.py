"""Small series made by hand for tests of rules and the state machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from alerts.signals.levels import Level
from alerts.signals.window_counts import WindowCounts

L = Level


def a_hash(branch: str, height: int) -> str:
    return hashlib.sha256(f"{branch}/{height}".encode()).hexdigest()


def a_series(
    tops: Sequence[int],
    *,
    n: int | Sequence[int] = 1008,
    unknown: int | Sequence[int] = 0,
    window: int = 1008,
    first: int = 1,
    branch: str = "a",
    time: int = 1_600_000_000,
) -> WindowCounts:
    """One height for each number of blocks of the top four (all of them in c1)."""
    rows = len(tops)
    counts = np.zeros((rows, 6), np.int64)
    counts[:, 0] = tops
    size = np.broadcast_to(np.asarray(n), rows)
    heights = range(first, first + rows)
    return WindowCounts.of(
        height=list(heights),
        tip_hash=[a_hash(branch, height) for height in heights],
        time=[time + 600 * i for i in range(rows)],
        n=size,
        unknown=np.broadcast_to(np.asarray(unknown), rows),
        window_full=size == window,
        pools_seen=np.full(rows, 20),
        counts=counts,
        p_top4_above_75=np.full(rows, np.nan),
        leaders=np.tile(np.arange(6), (rows, 1)),
        names=("alpha", "beta", "gamma", "delta", "epsilon", "zeta"),
    )
