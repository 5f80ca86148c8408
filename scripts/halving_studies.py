"""Concentration in the year of blocks before and after each halving, for docs/studies.md."""

from __future__ import annotations

from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from counterpoise.detectors.tracks import BLOCKS_PER_YEAR

HEADS: Final = ["blocks", "heights", "top 4", "beyond the ten largest", "D₂", "HHI", "for a majority", "unknown"]
HALVING_BLOCKS: Final = 210_000


def halving_rows(first: int, codes: NDArray[np.int64]) -> list[list[str]]:
    """The year before and after each halving whose two years are among these blocks (code 0 is unknown), and the last year."""
    last = first + len(codes) - 1
    spans = []
    for halving in range(-(-first // HALVING_BLOCKS) * HALVING_BLOCKS, last + 1, HALVING_BLOCKS):
        if first <= halving - BLOCKS_PER_YEAR and halving + BLOCKS_PER_YEAR - 1 <= last:
            spans.append((f"year before the halving at {halving:,}", halving - BLOCKS_PER_YEAR))
            spans.append((f"year after the halving at {halving:,}", halving))
    spans.append(("last year", last + 1 - BLOCKS_PER_YEAR))
    return [[name, *_row(low, codes[low - first : low - first + BLOCKS_PER_YEAR])] for name, low in spans]


def _row(low: int, codes: NDArray[np.int64]) -> list[str]:
    counts = np.bincount(codes)
    unknown, n = int(counts[0]), len(codes)
    ranked = np.sort(counts[1:])[::-1].astype(float)
    majority = next((k for k, held in enumerate(accumulate(ranked), 1) if 2 * held > n), 0)
    return [
        f"{low:,} to {low + n - 1:,}",
        f"{100 * ranked[:4].sum() / n:.2f} %",
        f"{100 * ranked[10:].sum() / n:.2f} %",
        f"{ranked.sum() ** 2 / (ranked**2).sum():.2f}",
        f"{10_000 * (ranked**2).sum() / n**2:,.0f}",
        f"{majority}",
        f"{100 * unknown / n:.2f} %",
    ]
