"""The drift rows of a chain: one for each view and metric family at every height divisible by 2,016. Pure.

A row is a function of the canonical blocks up to its height and of the attribution set. It needs the leaders of an earlier row and
the squared changes of fifty, so these are kept, stored with the rows, and read back on assignment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from counterpoise.estimates.drift import (
    DRIFT_HISTORY_BLOCKS,
    DRIFT_WINDOW_BLOCKS,
    FAMILIES,
    HHI_FAMILY,
    PAIRS,
    SHIPPED_DRIFT,
    drift_of,
    squared_change,
)
from counterpoise.metrics.hhi_interval import pair_moments
from counterpoise.windows import VIEWS

_STEP: Final = DRIFT_WINDOW_BLOCKS
KEPT_BLOCKS: Final = (PAIRS + 4) * _STEP
"""Rows this far below the tip are needed again, a reorganisation of the deepest kind included."""


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One view and family at one height. `change` and `chance` of the last pair of windows are NaN where there is none.

    `from_height`: the first block of the history; `pairs`: how many pairs the drift rests on, 0 for the shipped constant;
    `leaders`: codes of the family's pools in the window that ends here, largest first.
    """

    view_code: int
    family: str
    height: int
    from_height: int
    pairs: int
    drift: float
    change: float
    chance: float
    leaders: tuple[int, ...]


@dataclass
class DriftHistory:
    """The rows of a chain that later rows rest on, by height, then (view, family)."""

    rows: dict[int, dict[tuple[int, str], DriftRow]] = field(default_factory=dict)

    def add(self, found: Sequence[DriftRow]) -> None:
        """Keep these, and let go of what no later row needs."""
        for row in found:
            self.rows.setdefault(row.height, {})[row.view_code, row.family] = row
        if self.rows:
            lowest = max(self.rows) - KEPT_BLOCKS
            for height in [height for height in self.rows if height < lowest]:
                del self.rows[height]

    def at(self, view_code: int, family: str, height: int) -> float:
        """σ² a block as fitted last at or below `height`; the shipped constant where no row is known."""
        row = self.rows.get(height // _STEP * _STEP, {}).get((view_code, family))
        return SHIPPED_DRIFT[family] if row is None else row.drift

    def undo_from(self, height: int) -> None:
        """Forget the rows of this height and above."""
        for gone in [found for found in self.rows if found >= height]:
            del self.rows[gone]

    def score(
        self, codes: NDArray[np.uint16], base_height: int, heights: range, epochs_of: EntityEpochs, first_height: int
    ) -> list[DriftRow]:
        """The rows of `heights`, in order. `codes` are canonical blocks from `base_height` on and reach two windows below the first.

        Rows of these heights and above that stood here are replaced.
        """
        self.undo_from(heights.start)
        found: list[DriftRow] = []
        for height in range(-(-heights.start // _STEP) * _STEP, heights.stop, _STEP):
            if height - _STEP + 1 < first_height:
                continue
            place = height + 1 - base_height
            pools = epochs_of.pools_at(height)
            windows = [pools[codes[max(0, place - back) : place - back + _STEP]] for back in (2 * _STEP, _STEP)]
            new = [
                self._row(view_code, family, height, first_height, counted)
                for view_code in range(len(VIEWS))
                for counted in [_counted([window[:, view_code] for window in windows])]
                for family in FAMILIES
            ]
            self.add(new)
            found += new
        return found

    def _row(
        self, view_code: int, family: str, height: int, first_height: int, counted: tuple[Mapping[int, int], ...]
    ) -> DriftRow:
        before, after = counted
        key = (view_code, family)
        change, chance = np.nan, np.nan
        fixed = self.rows.get(height - 2 * _STEP, {}).get(key)
        # The sets are those of the window before both; the index needs no set, and keeps to the same pairs.
        if fixed is not None:
            change, chance = _pair(family, fixed.leaders, before, after)
        stored = height - first_height + 1
        drift, pairs = SHIPPED_DRIFT[family], 0
        if stored >= DRIFT_HISTORY_BLOCKS:
            earlier = [self.rows.get(height - back * _STEP, {}).get(key) for back in range(PAIRS - 1, 0, -1)]
            known = [(row.change, row.chance) for row in earlier if row is not None] + [(change, chance)]
            whole = [pair for pair in known if not np.isnan(pair[0])]
            if whole:
                pairs, drift = len(whole), drift_of(family, [one for one, _ in whole], [one for _, one in whole])
        return DriftRow(
            view_code,
            family,
            height,
            max(first_height, height - DRIFT_HISTORY_BLOCKS + 1),
            pairs,
            drift,
            float(change),
            float(chance),
            _largest(after, 0 if family == HHI_FAMILY else int(family.removeprefix("top"))),
        )


class EntityEpochs:
    """Which pool of each view a pool code is, at a height."""

    def __init__(self, codes: NDArray[np.uint16], epochs: NDArray[np.intp], base_height: int) -> None:
        """`codes` as `DatedEntities.codes`; `epochs`: the row of it for each height from `base_height` on."""
        self._codes, self._epochs, self._base = codes, epochs, base_height

    def pools_at(self, height: int) -> NDArray[np.int64]:
        """(pool codes, views): the code in each view, by the map at the header time of the block at `height`."""
        owners = self._codes[self._epochs[height - self._base]].astype(np.int64)
        return np.stack([np.arange(len(owners)), owners], axis=1)


def _counted(windows: Sequence[NDArray[np.int64]]) -> tuple[Mapping[int, int], ...]:
    found = []
    for window in windows:
        pools, blocks = np.unique(window, return_counts=True)
        found.append({int(pool): int(count) for pool, count in zip(pools, blocks, strict=True) if pool})
    return tuple(found)


def _largest(counts: Mapping[int, int], k: int) -> tuple[int, ...]:
    return tuple(sorted(counts, key=lambda pool: (-counts[pool], pool))[:k])


def _pair(
    family: str, leaders: tuple[int, ...], before: Mapping[int, int], after: Mapping[int, int]
) -> tuple[float, float]:
    if family != HHI_FAMILY:
        shares = [sum(counts.get(pool, 0) for pool in leaders) / _STEP for counts in (before, after)]
        return squared_change(shares[0], shares[1])
    moments = []
    for counts in (before, after):
        c = np.array(list(counts.values()), np.float64)
        moments.append(pair_moments((c**2).sum(), (c**3).sum(), c.sum(), float(_STEP)))
    (q1, v1), (q2, v2) = moments
    return float((q2 - q1) ** 2), float(v1 + v2)
