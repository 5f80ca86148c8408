"""How often the 95 % interval of the mining side holds the truth: simulated windows of known hashrate.

    python scripts/mining_interval_coverage.py

The truths are the shares of blocks in four months of the packaged figures. Of each, 10,000 windows are drawn for every window length,
and the interval of D₂ is computed as everywhere else. Fixed seed: every run prints the same table.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from counterpoise.metrics.hhi_interval import d2_interval
from counterpoise.windows import WINDOWS_BLOCKS
from ingest.blocks.sources.simulated import read_figures

MONTHS = ("2021-11", "2022-12", "2024-06", "2025-12")
SIMULATIONS = 10_000
SEED = 20_260_501


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
