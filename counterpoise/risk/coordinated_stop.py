"""What happens to blocks if part of the hashrate stops at once and stays off: intervals, and the time to the next two retargets.

Difficulty does not move before the next height that is a multiple of `retarget_blocks`. It is then multiplied by target / measured
time, within 1/4 … 4; the measured time spans `retarget_blocks` − 1 intervals (Bitcoin Core, `CalculateNextWorkRequired`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.risk.checked_shares import FloatArray, as_shares

MAX_CHANGE = 4.0
"""A retarget changes the difficulty by at most this factor, either way."""


@dataclass(frozen=True)
class Stop:
    """Expected values for each share that stops; every array has the shape of the shares.

    interval_ratio           new over old block interval, ≥ 1
    interval_seconds         until the first retarget
    first_retarget_blocks    blocks until the first that is mined at a new difficulty
    first_retarget_seconds   from now until that block's predecessor stands: the new difficulty is then in force
    interval_after_seconds   block interval after the first retarget
    second_retarget_seconds  from now until the second retarget is in force
    interval_final_seconds   block interval after the second retarget
    """

    interval_ratio: FloatArray
    interval_seconds: FloatArray
    first_retarget_blocks: int
    first_retarget_seconds: FloatArray
    interval_after_seconds: FloatArray
    second_retarget_seconds: FloatArray
    interval_final_seconds: FloatArray


def coordinated_stop(
    stopped_share: ArrayLike,
    height: int,
    *,
    block_seconds: float = 600.0,
    target_seconds: float = 600.0,
    retarget_blocks: int = 2_016,
) -> Stop:
    """The hashrate of `stopped_share` is gone right after the block at `height`.

    `block_seconds` is the mean spacing before the stop. A share of 1 gives inf throughout. ValueError for a share outside [0, 1], a
    negative height, or `retarget_blocks` below 2 (a chain that sets its difficulty anew for each block has another rule).

    >>> float(coordinated_stop(0.5018, 945_503).interval_ratio.round(2))
    2.01
    """
    share = as_shares(stopped_share)
    if height < 0 or retarget_blocks < 2 or not block_seconds > 0.0 or not target_seconds > 0.0:
        raise ValueError(
            f"height {height}, {retarget_blocks} blocks a retarget: expected a height from 0 and at least 2 blocks"
        )
    done = height % retarget_blocks  # intervals of this period that have passed
    left = retarget_blocks - 1 - done
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.asarray(1.0 / (1.0 - share))
        slow = ratio * block_seconds
        first = np.where(left > 0, left * slow, 0.0)
        target = retarget_blocks * target_seconds
        measured = done * block_seconds + first
        after = slow * np.clip(target / measured, 1.0 / MAX_CHANGE, MAX_CHANGE)
        second = first + retarget_blocks * after
        final = after * np.clip(target / ((retarget_blocks - 1) * after), 1.0 / MAX_CHANGE, MAX_CHANGE)
    after, second, final = (np.where(share < 1.0, values, np.inf) for values in (after, second, final))
    return Stop(ratio, slow, left + 1, first, after, second, final)
