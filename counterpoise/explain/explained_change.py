"""The change of a metric between two windows as parts that sum to it: by pool, and by changes of attribution and of the entity map.

The change of g(Σ contributions) is the change of the sum times the secant slope of g, so each pool's part is the change of its
contribution times that slope. A pool that enters or leaves the leaders has the whole of its contribution as its part.

Each part is labelled by the change of its pool's share: `within chance` where 1.96 standard errors of block luck hold it, `within
drift` where luck and the usual drift of hashrate together do, `beyond` otherwise. Blocks that both windows have move nothing: only
the d blocks that each has alone count, d = min(window, distance).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from counterpoise.estimates.drift import TOP1_DRIFT
from counterpoise.estimates.share_intervals import Z_95
from counterpoise.explain.contributions import ADDITIVE, Additive, Blocks

Label = Literal["within chance", "within drift", "beyond"]

_TYPICAL: Final = 0.3 * 0.7
"""p(1 − p) of the largest pool, whose drift was fitted: drift is taken in proportion to p(1 − p)."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window for an explanation: blocks by pool or entity, unknown ones apart, and its last height."""

    blocks: Blocks
    unknown: int
    height: int

    @property
    def n(self) -> int:
        """All blocks."""
        return sum(self.blocks.values()) + self.unknown


@dataclass(frozen=True, slots=True)
class PoolPart:
    """One pool's part of the change. Shares are of all blocks of a window."""

    pool: str
    share_before: float
    share_after: float
    change: float
    label: Label


@dataclass(frozen=True, slots=True)
class Explanation:
    """`after − before` is `attribution + entity_map + Σ parts`, within rounding. Parts are ordered by size, largest first."""

    metric: str
    before: float
    after: float
    attribution: float
    entity_map: float
    parts: tuple[PoolPart, ...]

    @property
    def change(self) -> float:
        """after − before."""
        return self.after - self.before


def explain(
    metric: str, before: Window, after: Window, *, reattributed: Window | None = None, remapped: Window | None = None
) -> Explanation:
    """The change of `metric` from `before` to `after`.

    `reattributed` is the first window with the pools that the second's attribution names, still under the first's entity map.
    `remapped` is that under the second's entity map. Each is the step before it where it is not given. KeyError for a metric that has
    no parts; ValueError for a window without attributed blocks.
    """
    additive = ADDITIVE[metric]
    same_registry = reattributed or before
    start = remapped or same_registry
    steps = [_value(additive, window) for window in (before, same_registry, start, after)]
    return Explanation(
        metric, steps[0], steps[3], steps[1] - steps[0], steps[2] - steps[1], _parts(additive, start, after)
    )


def _value(additive: Additive, window: Window) -> float:
    if not any(window.blocks.values()):
        raise ValueError(f"the window at height {window.height} has no attributed block")
    return additive.value(math.fsum(additive.contributions(window.blocks, window.unknown).values()))


def _parts(additive: Additive, start: Window, end: Window) -> tuple[PoolPart, ...]:
    one, other = (additive.contributions(window.blocks, window.unknown) for window in (start, end))
    sums = math.fsum(one.values()), math.fsum(other.values())
    moved = sums[1] - sums[0]
    slope = (additive.value(sums[1]) - additive.value(sums[0])) / moved if moved else additive.slope(sums[0])
    pools = sorted({*(p for p, c in start.blocks.items() if c), *(p for p, c in end.blocks.items() if c)})
    parts = []
    for pool in pools:
        change = (other.get(pool, 0.0) - one.get(pool, 0.0)) * slope
        counts = start.blocks.get(pool, 0), end.blocks.get(pool, 0)
        label = share_label(counts[0] / start.n, counts[1] / end.n, end.n, abs(end.height - start.height))
        parts.append(PoolPart(pool, counts[0] / start.n, counts[1] / end.n, change, label))
    return tuple(sorted(parts, key=lambda part: (-abs(part.change), part.pool)))


def share_label(before: float, after: float, window: int, distance: int) -> Label:
    """How surprising the change of one share is, between windows of this length whose ends are `distance` blocks apart.

    >>> share_label(0.30, 0.32, 1_008, 1_008), share_label(0.30, 0.35, 1_008, 20_000), share_label(0.30, 0.45, 1_008, 1_008)
    ('within chance', 'within drift', 'beyond')
    """
    alone, gap = min(window, distance), abs(window - distance)
    if not alone:
        return "within chance"
    p = (before + after) / 2.0
    p = (p * 2 * window + 0.5) / (2 * window + 1.0)
    part = alone / window
    luck = part * part * 2.0 * p * (1.0 - p) / alone
    drift = part * part * TOP1_DRIFT * p * (1.0 - p) / _TYPICAL * (2.0 * alone / 3.0 + gap)
    # Half a block less, because blocks are whole: one block of a small pool is no surprise.
    change = max(abs(after - before) - 0.5 / window, 0.0)
    if change <= Z_95 * math.sqrt(luck):
        return "within chance"
    return "within drift" if change <= Z_95 * math.sqrt(luck + drift) else "beyond"
