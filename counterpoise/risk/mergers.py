"""What if some pools were one: concentration of a window after a merger, and the table of all pairs.

The index is judged by the bands of the U.S. DOJ and FTC, Merger Guidelines (2023), guideline 1: a market is highly concentrated above
1,800 points, and a merger there that adds more than 100 points is presumed harmful. The 2010 guidelines had 2,500 and 200.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Final

from counterpoise.risk.double_spend import confirmations_needed

_HALF: Final = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Bands:
    """Lines in points of the HHI: moderately and highly concentrated, and the change that counts in the latter."""

    moderate: float
    high: float
    change: float
    source: str


DOJ_FTC_2023: Final = Bands(1_000.0, 1_800.0, 100.0, "U.S. DOJ and FTC, Merger Guidelines (2023)")
DOJ_FTC_2010: Final = Bands(1_500.0, 2_500.0, 200.0, "U.S. DOJ and FTC, Horizontal Merger Guidelines (2010)")


@dataclass(frozen=True, slots=True)
class Concentration:
    """What a few could do in one window; unknown blocks are in the denominator and belong to no pool.

    `nakamoto_half` is 0 where the known pools do not hold more than half; `confirmations` is inf where no number suffices.
    """

    largest: str
    largest_share: float
    top4_share: float
    hhi_points: float
    nakamoto_half: int
    confirmations: float


@dataclass(frozen=True, slots=True)
class Merger:
    """The window after `members` became one, beside what it was."""

    members: tuple[str, ...]
    share: float
    before: Concentration
    after: Concentration

    @property
    def hhi_change(self) -> float:
        """Points that the merger adds: 10,000 · 2·Σ_{i<j} sᵢsⱼ over its members."""
        return self.after.hhi_points - self.before.hhi_points

    def verdict(self, bands: Bands = DOJ_FTC_2023) -> str:
        """`presumed harmful`, `highly concentrated`, `moderately concentrated` or `unconcentrated`, of the market after it."""
        points = self.after.hhi_points
        if points > bands.high:
            return "presumed harmful" if self.hhi_change > bands.change else "highly concentrated"
        return "moderately concentrated" if points > bands.moderate else "unconcentrated"


def concentration(blocks: Mapping[str, int], unknown: int = 0, *, risk: float = 0.001) -> Concentration:
    """The figures of one window from blocks by pool. ValueError without blocks.

    >>> concentration({"a": 5, "b": 3, "c": 2}).nakamoto_half
    2
    """
    n = sum(blocks.values()) + unknown
    if n <= 0 or unknown < 0 or any(count < 0 for count in blocks.values()):
        raise ValueError(f"a window has blocks, got {n}")
    ranked = sorted(blocks.items(), key=lambda item: (-item[1], item[0]))
    nakamoto, held = 0, 0
    for rank, (_, count) in enumerate(ranked, start=1):
        held += count
        if held > n * _HALF:
            nakamoto = rank
            break
    share = ranked[0][1] / n if ranked else 0.0
    return Concentration(
        largest=ranked[0][0] if ranked else "",
        largest_share=share,
        top4_share=sum(count for _, count in ranked[:4]) / n,
        hhi_points=math.fsum((100.0 * count / n) ** 2 for count in blocks.values()),
        nakamoto_half=nakamoto,
        confirmations=float(confirmations_needed(share, risk)),
    )


def merge(blocks: Mapping[str, int], members: Iterable[str], unknown: int = 0, *, risk: float = 0.001) -> Merger:
    """The window with `members` as one pool, named by them. ValueError for one that made no block, or fewer than two."""
    return _merger(blocks, members, unknown, concentration(blocks, unknown, risk=risk), risk)


def _merger(
    blocks: Mapping[str, int], members: Iterable[str], unknown: int, before: Concentration, risk: float
) -> Merger:
    together = tuple(dict.fromkeys(members))
    absent = [name for name in together if not blocks.get(name)]
    if absent:
        raise ValueError(f"{absent[0]!r} made no block of the window")
    if len(together) < 2:
        raise ValueError("a merger has at least two members")
    joined = sum(blocks[name] for name in together)
    merged = {name: count for name, count in blocks.items() if name not in together} | {"+".join(together): joined}
    after = concentration(merged, unknown, risk=risk)
    return Merger(together, joined / (sum(blocks.values()) + unknown), before, after)


def pairwise_mergers(
    blocks: Mapping[str, int], unknown: int = 0, *, largest: int = 12, risk: float = 0.001
) -> list[Merger]:
    """Every merger of two among the `largest` pools, by the points that it adds, most first."""
    ranked = sorted((name for name in blocks if blocks[name]), key=lambda name: (-blocks[name], name))[:largest]
    before = concentration(blocks, unknown, risk=risk)
    found = [_merger(blocks, pair, unknown, before, risk) for pair in combinations(ranked, 2)]
    return sorted(found, key=lambda merger: (-merger.hhi_change, merger.members))
