"""The stored metrics and intervals of every window in plain Python: `math`, dicts and one pass over each window's pools.

No numpy and no scipy. Counts move with the window, a window's pools are sorted once, and intervals are kept as the fold keeps them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

LINE = 0.75
TAILS = (0.025, 0.975)


class PlainRow(NamedTuple):
    """One window: its leaders' counts, sums of powers, and intervals of the largest and of the four largest."""

    n: int
    pools_seen: int
    top: tuple[int, ...]
    s2: int
    s3: int
    s4: int
    gini_num: int
    sum_c_ln_c: float
    nakamoto_one_third: int
    nakamoto_half: int
    top1: tuple[float, float]
    top4: tuple[float, float]
    p_top4_above_75: float


def rows(
    codes: Sequence[int], mappings: Sequence[Sequence[int]], windows: Sequence[int], first: int
) -> Iterator[PlainRow]:
    """A row for each block from `first` on, view and window, in that order. `mappings` has each block's entity of every pool code."""
    counts: list[dict[int, int]] = [{} for _ in windows]
    for tip, code in enumerate(codes):
        for window, held in zip(windows, counts, strict=True):
            held[code] = held.get(code, 0) + 1
            if tip >= window:
                held[codes[tip - window]] -= 1
        if tip < first:
            continue
        mapping = mappings[tip]
        merged: list[dict[int, int]] = []
        for held in counts:
            entities: dict[int, int] = {}
            for pool, blocks in held.items():
                entities[mapping[pool]] = entities.get(mapping[pool], 0) + blocks
            merged.append(entities)
        for view in (counts, merged):
            for window, held in zip(windows, view, strict=True):
                yield row(held, min(window, tip + 1))


def row(held: dict[int, int], n: int) -> PlainRow:
    """The figures of one window of `n` blocks, from its blocks by pool; code 0 is unknown."""
    ordered = sorted((blocks for pool, blocks in held.items() if pool and blocks), reverse=True)
    seen = len(ordered)
    s2 = s3 = s4 = reached = ranked = third = half = 0
    log_sum = 0.0
    for rank, blocks in enumerate(ordered):
        square = blocks * blocks
        s2, s3, s4 = s2 + square, s3 + square * blocks, s4 + square * square
        log_sum += blocks * math.log(blocks)
        ranked += blocks * (seen - rank)
        reached += blocks
        if not third and 3 * reached > n:
            third = rank + 1
        if not half and 2 * reached > n:
            half = rank + 1
    four = sum(ordered[:4])
    low1, high1, _ = posterior(n, ordered[0] if ordered else 0, seen, 1)
    low4, high4, above = posterior(n, four, seen, 4)
    gini = 2 * ranked - (seen + 1) * reached
    return PlainRow(
        n, seen, tuple(ordered[:6]), s2, s3, s4, gini, log_sum, third, half, (low1, high1), (low4, high4), above
    )


@cache
def posterior(n: int, count: int, seen: int, k: int) -> tuple[float, float, float]:
    """Ends of the 95 % interval of the share of the k largest, and P(share > 75 %): docs/methodology.md."""
    if not seen:
        return 0.0, 0.0, 0.0
    inside = min(k, seen)
    a, b = count + inside / seen, n - count + (seen - inside) / seen
    if b <= 0.0:
        return TAILS[0] ** (1 / n), 1.0, 1.0 - LINE**n
    return quantile(a, b, TAILS[0]), quantile(a, b, TAILS[1]), 1.0 - beta_cdf(a, b, LINE)


def quantile(a: float, b: float, probability: float) -> float:
    """The share below which a Beta(a, b) lies with a probability, by halving."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if beta_cdf(a, b, middle) < probability else (low, middle)
    return (low + high) / 2


def beta_cdf(a: float, b: float, x: float) -> float:
    """P(Beta(a, b) ≤ x), by Lentz's continued fraction (Numerical Recipes, 6.4)."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - beta_cdf(b, a, 1.0 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 10_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / (1.0 + step * d)
            c = 1.0 + step / c
            fraction *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return front * fraction
