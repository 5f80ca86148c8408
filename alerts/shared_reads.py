"""What one evaluation reads from ClickHouse: each stretch of a series once, for all rules that share it.

Rules that follow more than KEPT_HEIGHTS of history again, one after another, read it each: it is not kept for the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from alerts.evaluated import SharedSeries
from alerts.machine.path import Path
from alerts.signals.window_counts import WindowCounts
from alerts.store.concentration_log import ConcentrationLog

MANY_HEIGHTS: Final = 2_000
KEPT_HEIGHTS: Final = 100_000
"""Of stretches longer than `MANY_HEIGHTS`, the last ones read are kept, up to this many heights in all: 25 MB. Histories do not
fit into memory side by side."""

Made = TypeVar("Made")
_Stretch = tuple[SharedSeries, str, int, int]


class SharedReads:
    """Lives as long as one evaluation: what ClickHouse has may be different at the next one."""

    def __init__(self, concentration: ConcentrationLog) -> None:
        self._concentration = concentration
        self._short: dict[_Stretch, WindowCounts] = {}
        self._long: dict[_Stretch, WindowCounts] = {}
        self._lowest: dict[tuple[str, str], int | None] = {}
        self._made: dict[tuple[str, int, int], tuple[object, object, Any]] = {}
        """What was made of two objects, by their identities; the objects are kept so that these stay theirs."""

    def series(self, of: SharedSeries, attribution_id: str, *, low: int, high: int) -> WindowCounts:
        """The heights from `low` to `high`, as `ConcentrationLog.series_of`."""
        key = (of, attribution_id, max(0, low), high)
        found = self._short.get(key)
        if found is None:
            found = self._long.get(key)
        if found is None:
            found = self._within(key)
            if found is not None:
                self._short[key] = found
        if found is None:
            found = self._concentration.series_of(of, attribution_id, low=low, high=high)
            if len(found) > MANY_HEIGHTS:
                self._keep(key, found)
            else:
                self._short[key] = found
        return found

    def _within(self, key: _Stretch) -> WindowCounts | None:
        """A stretch as part of one that was read; None where that does not reach so far, or has a gap before it."""
        of, attribution_id, low, high = key
        for (its, its_id, its_low, its_high), found in (*self._short.items(), *self._long.items()):
            if its is of and its_id == attribution_id and its_low <= low and high <= its_high:
                if not len(found):
                    return found
                first, last = int(found.height[0]), int(found.height[-1])
                if low <= last:
                    return found.part(slice(max(0, low - first), max(0, high - first + 1)))
        return None

    def _keep(self, key: _Stretch, found: WindowCounts) -> None:
        """Keep a long stretch in place of the oldest ones, and of what was made of them."""
        room = KEPT_HEIGHTS - len(found)
        while self._long and sum(map(len, self._long.values())) > room:
            self._long.pop(next(iter(self._long)))
            self._made.clear()
        self._long[key] = found

    def lowest(self, chain: str, attribution_id: str) -> int | None:
        """The lowest scored height."""
        if (chain, attribution_id) not in self._lowest:
            self._lowest[chain, attribution_id] = self._concentration.lowest(chain, attribution_id)
        return self._lowest[chain, attribution_id]

    def fork(self, path: Path, series: WindowCounts) -> int | None:
        """The highest height on which a path and a series agree."""

        def find() -> int | None:
            return path.fork(dict(zip(series.height.tolist(), series.tip_hash, strict=True)))

        return self._once("fork", path, series, find)

    def above(self, series: WindowCounts, height: int) -> WindowCounts:
        """The part of a series above a height, which is in it or just below it; an empty series has none."""

        def cut() -> WindowCounts:
            return series.part(slice(height + 1 - int(series.height[0]), None)) if len(series) else series

        return self._once(f"above {height}", series, None, cut)

    def joined(
        self, before: WindowCounts | None, series: WindowCounts, read: Callable[[], WindowCounts]
    ) -> WindowCounts:
        """A series after the heights before it, which are read where they are not in memory."""
        return self._once("joined", before, series, lambda: (read() if before is None else before).then(series))

    def _once(self, what: str, one: object, other: object, make: Callable[[], Made]) -> Made:
        key = (what, id(one), id(other))
        if key not in self._made:
            self._made[key] = (one, other, make())
        found: Made = self._made[key][2]
        return found
