"""σ² a block of each metric family: how fast the true value walks, fitted from pairs of adjoining windows. Pure.

The blocks up to a height H divisible by 2,016 are cut into windows of 2,016. For each window and the one before it a family has a
*squared change* and the part of it that *chance* explains; a random walk adds 2σ²n/3 on average. With P pairs

    fit = mean(squared change − chance)·3/(2n)         0 where chance explains all
    σ²  = (P·fit + 25·shipped)/(P + 25)

Fifty pairs leave a fit with a standard error of about 60 %, so the shipped constant counts as 25 pairs more. A pair needs sets that
were fixed before both of its windows: the leaders of the window before them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

TOP4_DRIFT: Final = 7.9e-8
"""σ² a block of the share of the four largest pools, fitted on mainnet from 2022-07 to 2024-06 by another fit than the worker's.
docs/studies.md has the worker's on 21 grids of windows: 2.8e-8 to 1.5e-7, on average 8.1e-8."""
TOP1_DRIFT: Final = 5.0e-8
"""The same of the largest pool."""
HHI_DRIFT: Final = 2.0e-8
"""The same of HHI: the mean of the fits on 21 grids of windows, which are 9.3e-9 to 3.6e-8."""

DRIFT_WINDOW_BLOCKS: Final = 2_016
"""Blocks of a window, and of a step from one fit to the next."""
DRIFT_HISTORY_BLOCKS: Final = 105_120
"""A fit is made from this many blocks, two years of them; the shipped constant stands where fewer are stored."""
PAIRS: Final = DRIFT_HISTORY_BLOCKS // DRIFT_WINDOW_BLOCKS - 2
"""Pairs of adjoining windows with a window before them in that history."""
SHIPPED_WEIGHT: Final = 25
"""Pairs that the shipped constant counts as."""

HHI_FAMILY: Final = "hhi"
SHIPPED_DRIFT: Final[Mapping[str, float]] = MappingProxyType(
    {"top1": TOP1_DRIFT, **{f"top{k}": TOP4_DRIFT for k in range(2, 7)}, HHI_FAMILY: HHI_DRIFT}
)
"""σ² a block by family, of mainnet's blocks 743,200 to 850,000 (July 2022 to June 2024). Two to six pools take the constant of four:
their fits, as means over grids of windows, are 6.6e-8 to 1.1e-7, and one grid may be half or twice that (docs/studies.md)."""
FAMILIES: Final = tuple(SHIPPED_DRIFT)


def squared_change(before: float, after: float, window: int = DRIFT_WINDOW_BLOCKS) -> tuple[float, float]:
    """(squared change, part of chance) of a share in two adjoining windows; their sum of blocks estimates its chance.

    >>> [round(1e6 * part, 1) for part in squared_change(0.70, 0.72)]
    [400.0, 204.3]
    """
    mean = (before + after) / 2.0
    # 2·p̂(1 − p̂)/n with p̂ from 2n blocks is too small by its own sampling noise: n − ½ corrects it.
    return (after - before) ** 2, 2.0 * mean * (1.0 - mean) / (window - 0.5)


def drift_of(
    family: str, changes: Sequence[float], chances: Sequence[float], window: int = DRIFT_WINDOW_BLOCKS
) -> float:
    """σ² a block from the pairs' squared changes and the parts of chance; the order of pairs has no influence on any bit.

    Without a pair it is the shipped constant. ValueError for a family that is not one, or parts of another number.
    """
    if family not in SHIPPED_DRIFT or len(changes) != len(chances):
        raise ValueError(f"{family!r} with {len(changes)} changes and {len(chances)} parts of chance")
    if not changes:
        return SHIPPED_DRIFT[family]
    excess = math.fsum(changes) - math.fsum(chances)
    fit = max(0.0, excess / len(changes) * 3.0 / (2.0 * window))
    return (len(changes) * fit + SHIPPED_WEIGHT * SHIPPED_DRIFT[family]) / (len(changes) + SHIPPED_WEIGHT)
