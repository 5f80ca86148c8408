"""False alarms of the stored detectors in simulated years, and their fires and clears on real blocks.

Part of scripts/studies.py, which writes docs/studies.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from counterpoise.detectors.tracks import (
    BLOCKS_PER_YEAR,
    DETECTORS,
    HHI_GROUP_BLOCKS,
    LEADERS_WINDOW_BLOCKS,
    PROMISES_YEARS,
    TRACKS,
    Observed,
    TrackState,
    advance,
)
from counterpoise.windows import DAILY_BUCKET_BLOCKS, VIEWS
from streams.blocks.fold.concentration import score_blocks
from streams.blocks.fold.detectors import BlocksSeen, DetectorHistory

SEED = 20_261_128
UNKNOWN = 0.2
BELOW_EVERY_LINE = (0.332, 0.215, 0.110, 0.092)
"""Just below the lines of the top four (74.9 %), of one pool above a third, and of HHI (0.178 with the rest in fifty pools)."""
BELOW_HALF = (0.499, 0.100, 0.080, 0.070)
STRETCH_BLOCKS = 4_096


def simulated_fires(leaders: tuple[float, ...], years: int, unknown: float, seed: int = SEED) -> NDArray[np.int64]:
    """(TRACKS,) fires in `years` for each of two chains of constant shares, the chains being the views.

    The rest of the hashrate is fifty equal pools; a block's producer is unknown with a chance of `unknown`. A state starts anew
    after a fire.
    """
    rest = (1.0 - sum(leaders)) / 50
    shares = np.array([*leaders, *[rest] * 50])
    rng = np.random.default_rng([seed, round(1e4 * leaders[0]), round(100 * unknown)])
    fires, state = np.zeros(TRACKS, np.int64), TrackState.start()
    blocks, g = DAILY_BUCKET_BLOCKS, HHI_GROUP_BLOCKS
    for _ in range(-(-years * BLOCKS_PER_YEAR // blocks)):
        pools = rng.choice(len(shares), (len(VIEWS), blocks), p=shares) + 1
        pools[rng.random(pools.shape) < unknown] = 0
        rank = np.where(pools == 0, -1, np.where(pools <= len(leaders), pools, 0)).astype(np.int8)
        groups = pools.reshape(len(VIEWS), -1, g)
        same = (groups[..., :, None] == groups[..., None, :]) & (groups > 0)[..., :, None]
        pairs = np.full((len(VIEWS), blocks), np.nan)
        pairs[:, g - 1 :: g] = (same.sum(axis=(2, 3)) - (groups > 0).sum(axis=2)) / (g * (g - 1))
        _, firing, state = advance(state, Observed(rank, pairs, pairs))
        fired = firing.any(axis=0)
        if fired.any():
            fires += fired
            state = TrackState(np.where(fired[:, None], 0.0, state.weights), np.zeros(TRACKS, np.bool_))
    return fires


def false_alarm_rows(years: int) -> list[list[str]]:
    """Fires of each detector just below its line in twice `years`, and with a fifth of the blocks unknown, beside the promise."""
    runs = {
        (leaders, unknown): simulated_fires(leaders, years, unknown)
        for leaders in (BELOW_EVERY_LINE, BELOW_HALF)
        for unknown in (0.0, UNKNOWN)
    }
    each, rows = len(PROMISES_YEARS), []
    for d, detector in enumerate(DETECTORS):
        leaders = BELOW_HALF if detector.line == 0.5 else BELOW_EVERY_LINE
        for p, promise in enumerate(PROMISES_YEARS):
            of_views = [view * len(DETECTORS) * each + d * each + p for view in range(len(VIEWS))]
            counts = [int(runs[leaders, unknown][of_views].sum()) for unknown in (0.0, UNKNOWN)]
            allowed = len(VIEWS) * years / promise
            rows.append(
                [f"`{detector.name}`", str(promise), str(len(VIEWS) * years), *map(str, counts), f"{allowed:.0f}"]
            )
    return rows


@dataclass(frozen=True)
class _NoEntities:
    boundaries: NDArray[np.int64]
    codes: NDArray[np.uint16]


def real_event_rows(first: int, pools: NDArray[np.uint16]) -> list[list[str]]:
    """Fires and clears of each detector on real blocks, by promise, as heights."""
    maps = _NoEntities(np.zeros(0, np.int64), np.arange(int(pools.max()) + 1, dtype=np.uint16)[None])
    history, found, stop = DetectorHistory(), [], first + len(pools)
    for begin in [first, *range((first // STRETCH_BLOCKS + 1) * STRETCH_BLOCKS, stop, STRETCH_BLOCKS)]:
        end = min((begin // STRETCH_BLOCKS + 1) * STRETCH_BLOCKS, stop)
        low = max(0, begin - first - 2 * LEADERS_WINDOW_BLOCKS)
        part = pools[low : end - first]
        nothing = np.zeros(len(part), np.int64)
        table = score_blocks(part, nothing, begin - first - low, maps, (LEADERS_WINDOW_BLOCKS,))
        leaders = table.leaders(LEADERS_WINDOW_BLOCKS)
        seen = BlocksSeen(
            part, first + low, owners=maps.codes, epochs=nothing.astype(np.intp), leaders_from=begin, leaders=leaders
        )
        found.append(history.score(seen, begin, begin, end, first).firing)
    firing = np.concatenate(found)
    starts, rows = first + LEADERS_WINDOW_BLOCKS, []
    for d, detector in enumerate(DETECTORS):
        for p, promise in enumerate(PROMISES_YEARS):
            track = firing[:, d * len(PROMISES_YEARS) + p]
            changes = np.flatnonzero(np.diff(np.concatenate([[False], track]).astype(np.int8)))
            events = [f"{'fires' if track[place] else 'clears'} {starts + place:,}" for place in changes]
            rows.append([f"`{detector.name}`", str(promise), ", ".join(events) or "none"])
    return rows
