"""The integers of one window under one view, height after height: what rules on concentration look at."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """R heights in a row, ascending by one. Arrays have R entries, `counts` is (R, 6): c1…c6, largest first.

    `tip_hash` is hexadecimal as explorers show it; `time` is the block's, in seconds; `p_top4_above_75` is NaN where unknown.
    `leaders` (R, 6) are places in `names`: who made c1…c6.
    """

    height: IntArray
    tip_hash: tuple[str, ...]
    time: IntArray
    n: IntArray
    unknown: IntArray
    window_full: NDArray[np.bool_]
    pools_seen: IntArray
    counts: IntArray
    p_top4_above_75: NDArray[np.float64]
    leaders: IntArray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.tip_hash)

    def top(self, k: int) -> IntArray:
        """Blocks of the k largest pools, k in 1…6."""
        total: IntArray = self.counts[:, :k].sum(axis=1)
        return total

    def part(self, at: slice) -> WindowCounts:
        """The same columns for some of the heights."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return WindowCounts(**{name: value if name == "names" else value[at] for name, value in columns.items()})

    def row(self, height: int) -> int | None:
        """The place of a height; None where the series does not reach it."""
        at = height - int(self.height[0]) if len(self) else -1
        return at if 0 <= at < len(self) else None

    def named_counts(self, at: int) -> tuple[tuple[str, int], ...]:
        """(pool, blocks) of the leaders at row `at`, largest first."""
        pairs = zip(self.leaders[at].tolist(), self.counts[at].tolist(), strict=True)
        return tuple((self.names[code], count) for code, count in pairs if count)

    @classmethod
    def of(cls, **columns: Any) -> WindowCounts:
        """Build one from anything numpy takes; ValueError where lengths differ or heights do not ascend by one."""
        tip_hash = tuple(columns.pop("tip_hash"))
        full = np.asarray(columns.pop("window_full"), np.bool_)
        p_above = np.asarray(columns.pop("p_top4_above_75"), np.float64)
        names = tuple(columns.pop("names"))
        ints = {name: np.asarray(values, np.int64) for name, values in columns.items()}
        series = cls(tip_hash=tip_hash, window_full=full, p_top4_above_75=p_above, names=names, **ints)
        rows = len(tip_hash)
        if any(len(values) != rows for values in (*ints.values(), full, p_above)) or series.counts.shape != (rows, 6):
            raise ValueError("the columns of a series have different lengths")
        if rows > 1 and not bool(np.all(np.diff(series.height) == 1)):
            raise ValueError("the heights of a series ascend by one")
        return series
