"""Where a nominal 95 % interval of the next 2,016 blocks was measured to cover less on mainnet: that coverage is its label.

From docs/studies.md, "Next blocks on real data, by block bootstrap" and "HHI and D₂ of the next real blocks": every window whose
coverage is further from 95 % than two standard errors. A test reads both tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Measured:
    """Coverage and its standard error, both as ratios, on mainnet's blocks from height 850,000 on."""

    coverage: float
    standard_error: float


MEASURED: Final = {("top 1", 2_016): Measured(0.882, 0.027)}
"""By family, as in that table, and window of blocks."""
