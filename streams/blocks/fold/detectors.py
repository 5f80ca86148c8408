"""The detectors' state at every height of a chain: pure, a function of the canonical blocks and of the attribution set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from counterpoise.detectors.tracks import (
    HHI_GROUP_BLOCKS,
    LEADERS_WINDOW_BLOCKS,
    TRACKS,
    Observed,
    TrackState,
    advance,
)
from counterpoise.windows import DAILY_BUCKET_BLOCKS, MAX_REORG_BLOCKS, VIEWS

_RANKED: Final = 4
KEPT_BUCKETS: Final = MAX_REORG_BLOCKS // DAILY_BUCKET_BLOCKS + 3
"""Buckets whose end state may be gone on from: the deepest reorganisation, and one more on each side."""


@dataclass(frozen=True)
class DetectorTable:
    """Evidence (N, TRACKS) in blocks and firing (N, TRACKS) after each of N consecutive blocks from `from_height` on.

    `states`: the whole state at those of the heights at which a bucket ends. Heights before the detectors start have no row.
    """

    from_height: int
    evidence: NDArray[np.float32]
    firing: NDArray[np.bool_]
    states: dict[int, TrackState]

    def __len__(self) -> int:
        return len(self.evidence)

    def masks(self) -> NDArray[np.uint32]:
        """(N,) the firing tracks of each height as bits, track 0 the lowest."""
        return np.asarray((self.firing.astype(np.uint32) << np.arange(TRACKS, dtype=np.uint32)).sum(axis=1), np.uint32)


@dataclass
class DetectorHistory:
    """End states of buckets, by height."""

    states: dict[int, TrackState] = field(default_factory=dict)

    def score(self, seen: BlocksSeen, begin: int, first: int, stop: int, first_height: int) -> DetectorTable:
        """The rows of heights `first` … `stop` − 1; `begin` ≤ `first` is the start of its bucket, or the chain's first height.

        States at `begin` and above that stood here are replaced.
        """
        for gone in [height for height in self.states if height >= begin]:
            del self.states[gone]
        state = self.states.get(begin - 1, TrackState.start())
        starts = first_height + LEADERS_WINDOW_BLOCKS
        evidence, firing, new = [], [], {}
        for low in range(begin // DAILY_BUCKET_BLOCKS * DAILY_BUCKET_BLOCKS, stop, DAILY_BUCKET_BLOCKS):
            heights = range(max(low, begin), min(low + DAILY_BUCKET_BLOCKS, stop))
            value, on, state = advance(state, seen.observed(heights, starts))
            evidence.append(value[max(0, first - heights.start) :])
            firing.append(on[max(0, first - heights.start) :])
            if heights.stop == low + DAILY_BUCKET_BLOCKS and heights.stop > starts:
                self.states[heights.stop - 1] = new[heights.stop - 1] = state
        for gone in [height for height in self.states if height < stop - KEPT_BUCKETS * DAILY_BUCKET_BLOCKS]:
            del self.states[gone]
        skipped = max(0, starts - first)
        return DetectorTable(
            first + skipped,
            np.concatenate(evidence)[skipped:].astype(np.float32),
            np.concatenate(firing)[skipped:],
            {height: found for height, found in new.items() if height >= first},
        )


class BlocksSeen:
    """Canonical blocks from `base_height` on, with the four leaders before each of those from `leaders_from` on."""

    def __init__(
        self,
        codes: NDArray[np.uint16],
        base_height: int,
        *,
        owners: NDArray[Any],
        epochs: NDArray[np.intp],
        leaders_from: int,
        leaders: NDArray[np.uint16],
    ) -> None:
        """`owners` (E, P) as `DatedEntities.codes`; `epochs`: its row for each block of `codes`.

        `leaders` (V, N, ≥ 4): of the window that ends in each block from `leaders_from` on.
        """
        self._codes, self._base, self._owners, self._epochs = codes, base_height, owners, epochs
        self._leaders_from, self._leaders = leaders_from, leaders

    def observed(self, heights: range, starts: int) -> Observed:
        """What these blocks show; nothing before `starts`."""
        places = np.arange(heights.start - self._base, heights.stop - self._base)
        # The map at the header time of the block before: known before the block is found, as the leaders are.
        epochs = self._epochs[np.maximum(places - 1, 0)]
        rank = np.zeros((len(VIEWS), len(places)), np.int8)
        for view in range(len(VIEWS)):
            pools = self._codes[places] if view == 0 else self._owners[epochs, self._codes[places]]
            before = self._before(view, heights, int(epochs[0]))
            for place in range(_RANKED):
                rank[view][pools == before[:, place]] = place + 1
            rank[view][self._codes[places] == 0] = -1
        pairs = self._pairs(heights, starts)
        return Observed(rank, pairs[0], pairs[1], min(max(0, starts - heights.start), len(heights)))

    def _before(self, view: int, heights: range, epoch: int) -> NDArray[np.uint16]:
        """(N, 4) codes of the leaders of the window that ends below each height; 0 where there are fewer."""
        place = heights.start - 1 - self._leaders_from
        if place >= 0:
            return self._leaders[view, place : place + len(heights), :_RANKED]
        end = heights.start - self._base
        window = self._codes[max(0, end - LEADERS_WINDOW_BLOCKS) : end]
        window = window if view == 0 else self._owners[epoch, window].astype(np.uint16)
        pools, blocks = np.unique(window[window != 0], return_counts=True)
        best = pools[np.lexsort((pools, -blocks))][:_RANKED]
        first = np.zeros((1, _RANKED), np.uint16)
        first[0, : len(best)] = best
        return np.concatenate([first, self._leaders[view, : len(heights) - 1, :_RANKED]])

    def _pairs(self, heights: range, starts: int) -> NDArray[np.float64]:
        """(2, V, N): the chance that two blocks of the group that ends here are by one pool, and its upper bound; NaN elsewhere."""
        g = HHI_GROUP_BLOCKS
        found = np.full((2, len(VIEWS), len(heights)), np.nan)
        height = np.arange(heights.start, heights.stop)
        ends = np.flatnonzero(((height + 1) % g == 0) & (height - g + 1 >= starts))
        if not len(ends):
            return found
        places = height[ends] - self._base
        raw = self._codes[places[:, None] + np.arange(1 - g, 1)]
        known = raw != 0
        unknown = g - known.sum(axis=1)
        for view in range(len(VIEWS)):
            pools = raw if view == 0 else self._owners[self._epochs[places - 1][:, None], raw]
            same = (pools[:, :, None] == pools[:, None, :]) & known[:, :, None] & known[:, None, :]
            count = same.sum(axis=2)
            s2, c1, m = count.sum(axis=1), count.max(axis=1), known.sum(axis=1)
            found[0, view, ends] = (s2 - m) / (g * (g - 1))
            found[1, view, ends] = (s2 + (c1 + unknown) ** 2 - c1**2 - g) / (g * (g - 1))
        return found
