"""An e-detector of "the leaders' share is above the line" (and, mirrored, below it) that reads blocks one by one: an oracle.

It shares no code with the stored detectors of counterpoise/detectors/tracks.py, only their constants.

A block is 1 where its producer is among the leaders of the window *before* it, else 0. The set is then known before the block is
found, so a drift of the leaders cannot break the promise. While the share is at most the line, each likelihood ratio

    L = p₁/line for 1, (1 − p₁)/(1 − line) for 0

has an expectation of at most 1. M ← L·(M + 1) for each alternative p₁, and the alarm is where the mean of M reaches
`blocks_promised`. The expected number of blocks to a false alarm is then at least that. Unknown blocks count against the
signal: 0 above, 1 below.

Reference: J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", arXiv:2203.03532.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from counterpoise.detectors.tracks import ABOVE, BLOCKS_PER_YEAR

LINE: Final = 0.75


@dataclass(frozen=True)
class EDetector:
    """One detector: its line, its alternatives (all on one side), and the expected blocks between false alarms that it promises.

    ValueError for alternatives that are not all on one side of the line, or a promise below one block.
    """

    line: float = LINE
    alternatives: tuple[float, ...] = ABOVE
    blocks_promised: float = 10.0 * BLOCKS_PER_YEAR

    def __post_init__(self) -> None:
        sides = {other > self.line for other in self.alternatives if 0.0 < other < 1.0 and other != self.line}
        whole = all(0.0 < other < 1.0 and other != self.line for other in self.alternatives)
        if not self.alternatives or not whole or len(sides) != 1 or not 0.0 < self.line < 1.0:
            raise ValueError(f"alternatives {self.alternatives}: expected shares on one side of the line {self.line}")
        if not self.blocks_promised >= 1.0:
            raise ValueError(f"a promise of {self.blocks_promised} blocks: expected at least 1")

    @property
    def ratios(self) -> NDArray[np.float64]:
        """(2, alternatives): the likelihood ratios of a 0 and of a 1."""
        p1 = np.array(self.alternatives)
        return np.stack([(1.0 - p1) / (1.0 - self.line), p1 / self.line])

    def start(self) -> NDArray[np.float64]:
        """The state before the first block, and after each alarm."""
        return np.zeros(len(self.alternatives))

    def advance(
        self, state: NDArray[np.float64], hits: Sequence[int] | NDArray[np.int8]
    ) -> tuple[NDArray[np.float64], int]:
        """The state after the blocks, and the place of the block with the alarm, −1 without one. Blocks after it are not read."""
        ratios = self.ratios
        for place, hit in enumerate(hits):
            state = ratios[int(hit)] * (state + 1.0)
            if float(state.mean()) >= self.blocks_promised:
                return state, place
        return state, -1

    def alarms(self, hits: NDArray[np.int8]) -> list[int]:
        """The places of all alarms, the state starting anew after each."""
        found: list[int] = []
        from_place = 0
        while True:
            _, place = self.advance(self.start(), hits[from_place:])
            if place < 0:
                return found
            found.append(from_place + place)
            from_place += place + 1
