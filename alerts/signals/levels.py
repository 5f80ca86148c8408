"""Where a value stands against a rule's two lines, as one small integer a height: all that the state machine needs to know."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

LevelArray = NDArray[np.int8]


class Level(IntEnum):
    """`CLEAR`: below the clearing line. `BETWEEN`: at or above it, not over the line. `…_POSSIBLE`: the same, and the upper bound is
    over the line. `OVER`: over the line. `BLIND`: no full window, nothing to judge. `HELD`: nothing to judge, and the state stays."""

    CLEAR = 0
    BETWEEN = 1
    CLEAR_POSSIBLE = 2
    BETWEEN_POSSIBLE = 3
    OVER = 4
    BLIND = 5
    HELD = 6


def levels(over: NDArray[Any], possible: NDArray[Any], clear: NDArray[Any], judged: NDArray[Any]) -> LevelArray:
    """One level for each height, from four boolean arrays of equal length."""
    result = np.where(clear, Level.CLEAR, Level.BETWEEN) + np.where(possible, 2, 0)
    result = np.where(over, Level.OVER, result)
    return np.where(judged, result, Level.BLIND).astype(np.int8)
