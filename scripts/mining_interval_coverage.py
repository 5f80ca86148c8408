"""How often the posterior interval of the mining side of the asymmetry holds the truth: simulated windows of known hashrate.

    python scripts/mining_interval_coverage.py

The truths are the shares of blocks in four months of the packaged figures. Of each, 10,000 windows are drawn for every window length,
and the interval of D₂ is that of the posterior that the asymmetry draws from, in closed form: a lognormal with the exact mean and
variance of Σp², above the smallest value that it can take. Fixed seed: every run prints the same table.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.metrics.counts import FloatArray
from counterpoise.windows import WINDOWS_BLOCKS
from ingest.blocks.sources.simulated import read_figures

MONTHS = ("2021-11", "2022-12", "2024-06", "2025-12")
SIMULATIONS = 10_000
SEED = 20_260_501
Z_95 = 1.959963984540054
"""The 0.975 quantile of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of SIMULATIONS windows: the share whose interval holds the true D₂, and those that lie wholly below and above it."""

    month: str
    window_blocks: int
    true_d2: float
    holds: float
    below: float
    above: float


def true_shares(month: str) -> NDArray[np.float64]:
    """Shares of the pools of a month, unknown blocks left out."""
    (figures,) = [one for one in read_figures().months if one.name == month]
    counts = np.array([count for pool, count in sorted(figures.blocks_by_pool.items()) if pool != "unknown"], float)
    shares: NDArray[np.float64] = counts[counts > 0] / counts.sum()
    return shares


def coverage(month: str, window_blocks: int, simulations: int = SIMULATIONS) -> Coverage:
    """Draw windows of one truth and count."""
    shares = true_shares(month)
    true_d2 = float(1 / np.square(shares).sum())
    random = np.random.default_rng([SEED, window_blocks, int(month.replace("-", ""))])
    counts = random.multinomial(window_blocks, shares, size=simulations)
    lower, upper = d2_interval(
        (counts**2).sum(axis=1), (counts**3).sum(axis=1), counts.sum(axis=1), (counts > 0).sum(axis=1)
    )
    below, above = float((upper < true_d2).mean()), float((lower > true_d2).mean())
    return Coverage(month, window_blocks, true_d2, 1 - below - above, below, above)


def hhi_moments(
    s2: ArrayLike, s3: ArrayLike, known: ArrayLike, pools: ArrayLike, unknown: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """(mean, variance) of the posterior of Σp² over the pools. (0, 0) where no pool was seen."""
    k_, m, u = (np.asarray(values, np.float64) for values in (pools, known, unknown))
    s2_, s3_ = np.asarray(s2, np.float64), np.asarray(s3, np.float64)
    some = k_ > 0
    k = np.where(some, k_, 1.0)
    a1 = m + 1.0
    a2 = s2_ + (2.0 * m + 1.0) / k
    a3 = s3_ + 3.0 * s2_ / k + (3.0 * m + 1.0) / (k * k)
    total = m + u + 1.0
    r = a1 + a2
    pairs = total * (total + 1.0)
    mean = r / pairs
    variance = (4.0 * a3 + 10.0 * a2 + 6.0 * a1 - r * r * (4.0 * total + 6.0) / pairs) / (
        pairs * (total + 2.0) * (total + 3.0)
    )
    return np.where(some, mean, 0.0), np.where(some, np.maximum(variance, 0.0), 0.0)


def hhi_interval(
    s2: ArrayLike, s3: ArrayLike, known: ArrayLike, pools: ArrayLike, unknown: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """(lower, upper) end of the 95 % interval of `hhi`: the pools' index with unknown blocks in the denominator. In [0, 1].

    One pool and nothing unknown is (1, 1); no pool among some blocks is (0, 0); no blocks are (NaN, NaN).
    """
    mean, variance = hhi_moments(s2, s3, known, pools, unknown)
    k, u = np.asarray(pools, np.float64), np.asarray(unknown, np.float64)
    floor = np.where((u == 0) & (k > 0), 1.0 / np.maximum(k, 1.0), 0.0)
    certain = (k == 0) | ((k == 1) & (u == 0))
    excess = np.where(certain, 1.0, mean - floor)
    spread = np.where(certain, 0.0, variance / (excess * excess))
    middle = excess / np.sqrt(1.0 + spread)
    factor = np.exp(Z_95 * np.sqrt(np.log1p(spread)))
    lower = np.where(certain, floor, floor + middle / factor)
    upper = np.where(certain, floor, np.minimum(floor + middle * factor, 1.0))
    blocks = np.asarray(known, np.float64) + u
    return np.where(blocks > 0, lower, np.nan), np.where(blocks > 0, upper, np.nan)


def d2_interval(s2: ArrayLike, s3: ArrayLike, known: ArrayLike, pools: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """(lower, upper) end of the 95 % interval of D₂, unknown blocks left out, in [1, K]: the reciprocals of those of `hhi_interval`
    over attributed blocks alone (a monotone function maps quantiles to quantiles). NaN without an attributed block."""
    lower, upper = hhi_interval(s2, s3, known, pools, 0)
    return 1.0 / upper, 1.0 / lower


def table() -> str:
    """The table of docs/methodology-ai.md."""
    lines = ["| truth | true D₂ | " + " | ".join(f"{n} blocks" for n in WINDOWS_BLOCKS) + " |", "|---" * 6 + "|"]
    for month in MONTHS:
        cells = [coverage(month, n) for n in WINDOWS_BLOCKS]
        held = " | ".join(f"{100 * cell.holds:.1f} %" for cell in cells)
        lines.append(f"| {month} | {cells[0].true_d2:.3f} | {held} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
