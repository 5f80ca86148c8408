"""The window that ends with each UTC day, and the one at the tip, as blocks come and are undone. Pure."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from counterpoise.pools.attribution_set import AttributionSet
from streams.asymmetry.fold.mining_side import MiningSide
from streams.blocks.fold.concentration import UNKNOWN_CODE

DAY_SECONDS = 86_400

_EPOCH = date(1970, 1, 1)


class MiningDays:
    """The canonical blocks of one chain under one attribution set.

    A day is over once a block says so: one whose header time is in a later day. Its window ends with the last block, by height, whose
    header time is before the day's end. Windows that are not full are left out.

    A block's tag stands for its hash. Whoever extends sees by it that what is here and what comes are one branch.
    """

    def __init__(self, chain: str, attribution_set: AttributionSet, window_blocks: int) -> None:
        self.chain = chain
        self.attribution_set = attribution_set
        self.window_blocks = window_blocks
        self.base_height = 0
        self._times: NDArray[np.int64] = np.empty(0, np.int64)
        self._codes: NDArray[np.uint16] = np.empty(0, np.uint16)
        self._tags: NDArray[np.uint64] = np.empty(0, np.uint64)

    @property
    def tip_height(self) -> int | None:
        """The highest block; None before the first."""
        return self.base_height + len(self._times) - 1 if len(self._times) else None

    def tag(self, height: int) -> int:
        """The tag of the block at a height; ValueError where there is none."""
        if not 0 <= height - self.base_height < len(self._tags):
            raise ValueError(f"no block at {height}")
        return int(self._tags[height - self.base_height])

    def cut(self, from_height: int) -> None:
        """Forget the blocks from a height on."""
        keep = max(from_height - self.base_height, 0)
        self._times, self._codes, self._tags = self._times[:keep], self._codes[:keep], self._tags[:keep]

    def extend(
        self, from_height: int, times: NDArray[np.int64], codes: NDArray[np.uint16], tags: NDArray[np.uint64]
    ) -> None:
        """Put blocks from `from_height` on behind those that are here; ValueError where that leaves a gap."""
        if not len(self._times):
            self.base_height = from_height
        elif from_height != self.base_height + len(self._times):
            raise ValueError(f"blocks from {from_height} on do not follow {self.tip_height}")
        self._times = np.concatenate([self._times, times])
        self._codes = np.concatenate([self._codes, codes])
        self._tags = np.concatenate([self._tags, tags])

    def day_ends(self) -> dict[date, int]:
        """The height at which each day that is over ends, where the window there is full; by day."""
        first = self.window_blocks - 1
        if len(self._times) <= first:
            return {}
        # lowest[i] is the earliest header time from i on: the last block before a moment is the last i whose lowest is before it.
        lowest = np.minimum.accumulate(self._times[::-1])[::-1]
        start = int(lowest[first]) // DAY_SECONDS  # before it, no window is full
        stop = int(self._times.max()) // DAY_SECONDS
        ends = np.arange(start + 1, stop + 1, dtype=np.int64) * DAY_SECONDS
        places = np.searchsorted(lowest, ends, side="left") - 1
        return {
            _EPOCH + timedelta(days=start + step): self.base_height + int(place)
            for step, place in enumerate(places)
            if place >= first
        }

    def side(self, view: str, height: int, tip_hash: str) -> MiningSide | None:
        """The full window that ends at a height, under a view; None where no block of it has a known pool."""
        place = height - self.base_height
        if not self.window_blocks - 1 <= place < len(self._times):
            raise ValueError(f"no full window ends at {height}")
        codes = self._codes[place + 1 - self.window_blocks : place + 1]
        seconds = int(self._times[place])
        table = self.attribution_set.entity_table
        if view == "entity":  # membership at the window's end decides for all of it
            codes = table.codes[int(np.searchsorted(table.boundaries, seconds, side="right")), codes]
        blocks = np.bincount(codes)
        counts = sorted((table.names[int(code)][0], int(blocks[code])) for code in np.flatnonzero(blocks) if code)
        if not counts:
            return None
        return MiningSide(
            chain=self.chain,
            view=view,
            window_blocks=self.window_blocks,
            tip_height=height,
            tip_hash=tip_hash,
            tip_time_ms=seconds * 1000,
            attribution_id=self.attribution_set.attribution_id,
            counts=tuple(counts),
            unknown=int(blocks[UNKNOWN_CODE]),
        )
