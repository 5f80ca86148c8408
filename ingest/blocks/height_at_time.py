"""Find the height at which a time was reached."""

from __future__ import annotations

from counterpoise.errors import StaleSourceError
from ingest.blocks.sources.block_source import BlockSource

_BACK_BLOCKS = 12
"""Header times go back by up to two hours: start a little before."""


def first_height_since(source: BlockSource, time: int) -> int:
    """A height just before the first block with a header time of `time` (seconds) or later; the tip's where there is none.

    Searched by halves, so about twenty blocks are fetched. Raises StaleSourceError.
    """
    tip = source.tip()
    low, high = tip.lowest_height, tip.height
    while low < high:
        middle = (low + high) // 2
        if _time_at(source, middle) >= time:
            high = middle
        else:
            low = middle + 1
    return max(tip.lowest_height, low - _BACK_BLOCKS)


def _time_at(source: BlockSource, height: int) -> int:
    for batch in source.blocks(height, height):
        for event in batch.events:
            return event.time
    raise StaleSourceError(f"{source.name} gave no usable block at height {height}: its time cannot be read")
