"""Metrics as sums over pools: value = g(Σ contributions), so that a change has parts by pool.

Each function takes blocks by pool and the number of unknown blocks, and returns the contribution of every pool with a block. Of equal
counts the name that sorts first ranks higher.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

Blocks = Mapping[str, int]
Contributions = dict[str, float]


def _ranked(blocks: Blocks) -> list[tuple[str, int]]:
    return sorted(((pool, c) for pool, c in blocks.items() if c), key=lambda item: (-item[1], item[0]))


def _identity(total: float) -> float:
    return total


def _reciprocal(total: float) -> float:
    return 1.0 / total if total else math.nan


def _minus_reciprocal_square(total: float) -> float:
    return -1.0 / (total * total) if total else math.nan


@dataclass(frozen=True, slots=True)
class Additive:
    """A metric as g(Σ contributions); `slope` is g′, for two windows with one sum."""

    contributions: Callable[[Blocks, int], Contributions]
    value: Callable[[float], float] = _identity
    slope: Callable[[float], float] = lambda _: 1.0


def _top(k: int) -> Callable[[Blocks, int], Contributions]:
    def contributions(blocks: Blocks, unknown: int) -> Contributions:
        n = sum(blocks.values()) + unknown
        return {pool: c / n for pool, c in _ranked(blocks)[:k]}

    return contributions


def _squares(points: float) -> Callable[[Blocks, int], Contributions]:
    def contributions(blocks: Blocks, unknown: int) -> Contributions:
        n = sum(blocks.values()) + unknown
        return {pool: points * (c / n) ** 2 for pool, c in _ranked(blocks)}

    return contributions


def _pairs(blocks: Blocks, unknown: int) -> Contributions:
    n = sum(blocks.values()) + unknown
    return {pool: c * (c - 1) / (n * (n - 1)) if n > 1 else math.nan for pool, c in _ranked(blocks)}


def _attributed_squares(blocks: Blocks, _unknown: int) -> Contributions:
    return _squares(1.0)(blocks, 0)


def _nats(unit: float) -> Callable[[Blocks, int], Contributions]:
    def contributions(blocks: Blocks, _unknown: int) -> Contributions:
        known = sum(blocks.values())
        return {pool: -(c / known) * math.log(c / known) / unit for pool, c in _ranked(blocks)}

    return contributions


def _nakamoto(line: Fraction) -> Callable[[Blocks, int], Contributions]:
    def contributions(blocks: Blocks, unknown: int) -> Contributions:
        n, held, few = sum(blocks.values()) + unknown, 0, {}
        for pool, c in _ranked(blocks):
            held += c
            few[pool] = 1.0
            if held > n * line:
                return few
        return {}

    return contributions


def _gini(blocks: Blocks, _unknown: int) -> Contributions:
    known, ranked = sum(blocks.values()), _ranked(blocks)
    k = len(ranked)
    return {pool: (k + 1 - 2 * place) * c / (k * known) for place, (pool, c) in enumerate(ranked, start=1)}


ADDITIVE: Final[dict[str, Additive]] = {
    **{f"top{k}_share": Additive(_top(k)) for k in range(1, 7)},
    "hhi": Additive(_squares(1.0)),
    "hhi_10000": Additive(_squares(10_000.0)),
    "hhi_unbiased": Additive(_pairs),
    "effective_pools_d2": Additive(_attributed_squares, _reciprocal, _minus_reciprocal_square),
    "effective_pools_d1": Additive(_nats(1.0), math.exp, math.exp),
    "entropy_nats": Additive(_nats(1.0)),
    "entropy_bits": Additive(_nats(math.log(2.0))),
    "gini": Additive(_gini),
    "nakamoto_half": Additive(_nakamoto(Fraction(1, 2))),
    "nakamoto_one_third": Additive(_nakamoto(Fraction(1, 3))),
}
"""Metrics that can be explained, by the names of their columns. Nakamoto coefficients: each pool of the smallest set counts one."""
