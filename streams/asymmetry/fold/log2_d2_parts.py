"""An exact additive account of a change of log₂ D₂, owner by owner.

With shares p, S = Σp² and D₂ = 1/S, and L(a, b) = (a − b)/ln(a/b) the logarithmic mean,

    ln D₂(now) − ln D₂(then) = −(S₁ − S₀)/L(S₁, S₀) = Σᵢ [2·Δpᵢ − Δ(pᵢ²)/L(S₁, S₀)]

because Σ Δpᵢ = 0. It is the logarithmic mean Divisia decomposition of shares: exact, without a remainder, the same backwards, and
it takes owners that come or go. For small changes a term is 2·Δpᵢ·(1 − pᵢ/S): an owner smaller than the effective share S that gains
share disperses, a larger one concentrates.

Reference: B. W. Ang, "Decomposition analysis for policymaking in energy", Energy Policy 32 (2004).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

LN_2 = math.log(2.0)


def logarithmic_mean(a: float, b: float) -> float:
    """(a − b)/ln(a/b) of two positive numbers, a where they are equal; between them, and symmetric. ValueError otherwise."""
    if not (a > 0 and b > 0):
        raise ValueError(f"a logarithmic mean is of positive numbers, got {a} and {b}")
    if a == b:
        return a
    return (a - b) / math.log1p((a - b) / b)


def log2_d2_parts(then: Mapping[str, float], now: Mapping[str, float], pieces: Mapping[str, int]) -> dict[str, float]:
    """Each owner's part of log₂ D₂(now) − log₂ D₂(then), in doublings; the parts add up to it.

    Values are amounts, not shares, and not negative. `pieces` says into how many equal owners an entry is cut (1 where absent), which
    is how a residual bucket is spread. ValueError where either side is all zero.
    """
    totals = math.fsum(then.values()), math.fsum(now.values())
    if not min(totals) > 0:
        raise ValueError("a change of dispersion needs something on both sides")
    owners = sorted({*then, *now})
    before = {owner: then.get(owner, 0.0) / totals[0] for owner in owners}
    after = {owner: now.get(owner, 0.0) / totals[1] for owner in owners}
    squares = [
        math.fsum(share * share / pieces.get(owner, 1) for owner, share in shares.items()) for shares in (before, after)
    ]
    mean = logarithmic_mean(squares[1], squares[0])
    return {
        owner: (
            2.0 * (after[owner] - before[owner])
            - (after[owner] ** 2 - before[owner] ** 2) / pieces.get(owner, 1) / mean
        )
        / LN_2
        for owner in owners
    }


def log2_d2_of(values: Mapping[str, float], pieces: Mapping[str, int]) -> float:
    """log₂ D₂ of amounts, entries cut as in `log2_d2_parts`. ValueError where all are zero."""
    total = math.fsum(values.values())
    if not total > 0:
        raise ValueError("dispersion needs a value above zero")
    return -math.log2(math.fsum((value / total) ** 2 / pieces.get(owner, 1) for owner, value in values.items()))
