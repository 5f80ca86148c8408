"""Functions of one count and the window's length, looked up where whole columns have few lengths: full windows all have the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from counterpoise.metrics.counts import IntArray

Function = Callable[[IntArray, IntArray], NDArray[np.uint16]]
"""(counts, blocks) of equal length to values, each row by itself."""

_FEW_LENGTHS: Final = 4
_WORTH_BLOCKS: Final = 4
"""A table has as many entries as the window has blocks, and pays where the column has some part of that."""


def looked_up(function: Function) -> Function:
    """The same function, by tables of all counts of a length. Counts are at most the blocks of their row.

    Tables are kept for the lengths used last. The values are those of the function, whatever else is asked for.
    """

    @lru_cache(maxsize=32)
    def table(blocks: int) -> NDArray[np.uint16]:
        counts = np.arange(blocks + 1, dtype=np.int64)
        return function(counts, np.full(blocks + 1, blocks, np.int64))

    def of_rows(counts: IntArray, blocks: IntArray) -> NDArray[np.uint16]:
        if not len(blocks):
            return np.zeros(0, np.uint16)
        lowest, highest = int(blocks.min()), int(blocks.max())
        if lowest == highest:
            return table(lowest)[counts] if _WORTH_BLOCKS * len(blocks) >= lowest else function(counts, blocks)
        lengths = np.flatnonzero(np.bincount(blocks))
        if len(lengths) > _FEW_LENGTHS or _WORTH_BLOCKS * len(blocks) < highest:
            return function(counts, blocks)
        values = np.zeros(len(blocks), np.uint16)
        for length in lengths.tolist():
            rows = blocks == length
            values[rows] = table(length)[counts[rows]]
        return values

    return of_rows
