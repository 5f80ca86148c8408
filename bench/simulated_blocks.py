"""Blocks of the packaged figures, for a benchmark that needs them in memory."""

from __future__ import annotations

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.runtime.clock import SystemClock
from ingest.blocks.sources.simulated import FiguresSource


def simulated(blocks: int) -> list[BlockEvent]:
    """The first blocks of the packaged figures: so many, or all there are."""
    source = FiguresSource("bitcoin", SystemClock())
    lowest, highest = source.tip().lowest_height, source.tip().height
    last = min(highest, lowest + blocks - 1)
    return [event for batch in source.blocks(lowest, last) for event in batch.events]
