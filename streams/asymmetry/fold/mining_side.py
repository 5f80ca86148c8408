"""The mining side of a pair: a window of blocks, as the asymmetry reads it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property

import numpy as np

from counterpoise.metrics.effective_number import d2

MINING_LAYER = "operation"
"""What pools are: operators of block production, not owners of machines."""


@dataclass(frozen=True)
class MiningSide:
    """A window of blocks: how many each pool made, those of nobody known apart.

    `tip_time_ms` is the header time of its last block. `counts` are (pool, blocks), by pool, each above zero and at least one.
    """

    chain: str
    view: str
    window_blocks: int
    tip_height: int
    tip_hash: str
    tip_time_ms: int
    attribution_id: str
    counts: tuple[tuple[str, int], ...]
    unknown: int

    def __post_init__(self) -> None:
        if not self.counts or min(count for _, count in self.counts) < 1 or self.unknown < 0:
            raise ValueError(f"window ending at {self.tip_height}: needs a pool, and counts above zero")
        if list(self.counts) != sorted(self.counts):
            raise ValueError(f"window ending at {self.tip_height}: counts must be in the order of their pools")

    @property
    def known(self) -> int:
        """Blocks with a pool."""
        return sum(count for _, count in self.counts)

    @cached_property
    def log2_d2(self) -> float:
        """log₂ of the effective number of pools, unknown blocks left out."""
        return float(np.log2(d2([count for _, count in self.counts])))

    @property
    def identity(self) -> tuple[str | int, ...]:
        """What names the window and seeds its draws."""
        return self.chain, self.view, self.window_blocks, self.tip_height, self.tip_hash, self.attribution_id

    @property
    def day(self) -> date:
        """The UTC day of its last block."""
        return datetime.fromtimestamp(self.tip_time_ms / 1000, UTC).date()
