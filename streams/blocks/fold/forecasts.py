"""Each day's forecast of the four leaders' share of the next 1,008 blocks, and what came of an earlier one. Pure.

A row stands at every height divisible by 144 with a full window of 1,008 blocks. It is a function of the 4,320 blocks up to there, of
the attribution set and of the drift rows, so equal blocks give equal rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from counterpoise.estimates.discounted import share_of_hits
from counterpoise.estimates.forecast import FORECAST_BLOCKS, FORECAST_EVERY, FORECAST_LINE
from counterpoise.windows import HISTORY_BLOCKS, VIEWS
from streams.blocks.fold.drift_history import EntityEpochs

_LEADERS: Final = 4

DriftAt = Callable[[int, int], float]
"""(view code, height) → σ² a block of the four leaders' share, as fitted last at or below that height."""


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """One view at one height.

    `low`, `high`: 95 % interval of the leaders' share of the next blocks; `above_75`: the chance that it is above 75 %. `outcome`:
    the share that the leaders of 1,008 blocks ago have had since; NaN where no forecast was made then.
    """

    view_code: int
    height: int
    leaders: tuple[int, ...]
    drift: float
    share: float
    low: float
    high: float
    above_75: float
    outcome: float


def forecast_rows(
    codes: NDArray[np.uint16],
    base_height: int,
    heights: range,
    maps: EntityEpochs,
    drift_at: DriftAt,
    *,
    first_height: int,
) -> list[ForecastRow]:
    """The rows of `heights`. `codes` are canonical blocks from `base_height` on, and reach 4,320 below each of these."""
    found = []
    for height in range(-(-heights.start // FORECAST_EVERY) * FORECAST_EVERY, heights.stop, FORECAST_EVERY):
        if height - FORECAST_BLOCKS + 1 < first_height:
            continue
        place = height + 1 - base_height
        for view in range(len(VIEWS)):
            history = maps.pools_at(height)[codes[max(0, place - HISTORY_BLOCKS) : place], view]
            leaders = _leaders(history[-FORECAST_BLOCKS:])
            hits = _made_by(leaders, history)
            drift = drift_at(view, height)
            weighed = share_of_hits(hits, float(hits[-FORECAST_BLOCKS:].mean()), drift)
            following = weighed.of_next(FORECAST_BLOCKS, drift)
            low, high = following.interval
            outcome, earlier = np.nan, height - FORECAST_BLOCKS
            if earlier - FORECAST_BLOCKS + 1 >= first_height:
                # By the map of then: what was forecast is the share of those entities as they were.
                both = maps.pools_at(earlier)[codes[place - 2 * FORECAST_BLOCKS : place], view]
                outcome = float(_made_by(_leaders(both[:FORECAST_BLOCKS]), both[FORECAST_BLOCKS:]).mean())
            row = ForecastRow(
                view, height, leaders, drift, weighed.share, low, high, following.above(FORECAST_LINE), outcome
            )
            found.append(row)
    return found


def _leaders(pools: NDArray[np.int64]) -> tuple[int, ...]:
    blocks = np.bincount(pools)
    blocks[0] = 0
    found = np.flatnonzero(blocks)
    return tuple(int(pool) for pool in found[np.lexsort((found, -blocks[found]))][:_LEADERS])


def _made_by(leaders: tuple[int, ...], pools: NDArray[np.int64]) -> NDArray[np.bool_]:
    member = np.zeros(int(pools.max()) + 1, np.bool_)
    member[[pool for pool in leaders if pool < len(member)]] = True
    return member[pools]
