"""The mining side of a day, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from streams.asymmetry.fold.mining_side import MiningSide


def mining_side(
    pools: Sequence[str | None],
    *,
    chain: str,
    view: str,
    window_blocks: int,
    tip_height: int,
    tip_hash: str,
    tip_time_ms: int,
    attribution_id: str,
) -> MiningSide:
    """Count the pools of a window's blocks; None is a block of nobody known. ValueError where no block has a pool."""
    counts: dict[str, int] = {}
    for pool in pools:
        if pool is not None:
            counts[pool] = counts.get(pool, 0) + 1
    return MiningSide(
        chain=chain,
        view=view,
        window_blocks=window_blocks,
        tip_height=tip_height,
        tip_hash=tip_hash,
        tip_time_ms=tip_time_ms,
        attribution_id=attribution_id,
        counts=tuple(sorted(counts.items())),
        unknown=len(pools) - sum(counts.values()),
    )


def last_of_day(times_seconds: NDArray[np.int64], day: date) -> int | None:
    """Position of the last block, by height, whose header time is before the end of a UTC day; None where there is none.

    Header times go back and forth, so this is not the last block *on* the day, but it never skips one of the day.
    """
    end = datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1)
    before = np.flatnonzero(times_seconds < int(end.timestamp()))
    return int(before[-1]) if len(before) else None
