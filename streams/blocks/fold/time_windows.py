"""Windows of time: what the last day, week, month and year of blocks held, at the first block after each full hour. Pure.

Header times go back and forth, so the time of a block is here the largest header time up to it: the chain's clock. A block with an
earlier time moves it by nothing, and a window is then a stretch of consecutive heights. A row stands at each block that moves the
clock past a full UTC hour. It is a function of the blocks whose clock lies in the year before, and of the attribution set.

The state is that year: a code, a clock and a target a block. Where it begins changes no row, as long as it begins at or below the
first block whose clock is later than the start of the longest window.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from counterpoise.chain.work import work_from_bits
from counterpoise.metrics.nakamoto import HALF, ONE_THIRD, nakamoto_of_ordered
from counterpoise.windows import LEADERS, SPANS_DAYS, VIEWS, YEAR_DAYS
from streams.blocks.fold.concentration import DatedEntities

HOUR_SECONDS: Final = 3_600
DAY_SECONDS: Final = 86_400
YEAR_SECONDS: Final = YEAR_DAYS * DAY_SECONDS

_TRIM_BLOCKS: Final = 512
"""Heights are let go of in portions; it shows nowhere."""

_HOURS_AT_ONCE: Final = 512
"""Rows are computed in portions, so that a whole history in one batch needs no more memory than a week."""

_LIMB_BITS: Final = 32
"""Work is summed in parts of so many bits: a float64 holds the sums of two million such numbers exactly."""

_CODE_LIMIT: Final = 0xFFFF

Columns = dict[str, NDArray[Any]]

DTYPES: Final[Mapping[str, type]] = {
    "view_code": np.int8,
    "span_days": np.uint16,
    "height": np.uint32,
    "from_height": np.uint32,
    "n": np.uint32,
    "unknown": np.uint32,
    "window_full": np.bool_,
    "pools_seen": np.uint16,
    **{f"c{rank}": np.uint32 for rank in range(1, LEADERS + 1)},
    **{f"l{rank}": np.uint16 for rank in range(1, LEADERS + 1)},
    "s2": np.uint64,
    "nakamoto_one_third": np.uint16,
    "nakamoto_half": np.uint16,
    **{f"work{rank}": np.float64 for rank in range(1, LEADERS + 1)},
}
"""Columns of a row. `from_height`: the first block of the window; `window_full`: a block before it is known; c1…c6 and l1…l6: counts
and codes of the leaders; `s2`: Σ count²; work1…work6: shares of these leaders of the work of all blocks, NaN but for the year."""


@dataclass(frozen=True, slots=True)
class BlockSlice:
    """Consecutive canonical blocks: pool code, header time (unix seconds) and compact target of each."""

    codes: Sequence[int] = ()
    times: Sequence[int] = ()
    bits: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class TimeWindowTable:
    """`columns` as `DTYPES`, a row for each height, view and span; `undone_heights`: where a row may stand and none does now."""

    columns: Columns
    undone_heights: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.columns["height"])


class TimeWindows:
    """The year of blocks behind the tip, and the heights at which a row may be stored. One thread at a time."""

    def __init__(self) -> None:
        self._base_height = 0
        self._codes, self._clock, self._bits = array("H"), array("q"), array("I")
        self._stored: set[int] = set()

    def start(self, base_height: int, blocks: BlockSlice) -> None:
        """Begin with these blocks, the lowest at `base_height`."""
        if not len(blocks.codes) == len(blocks.times) == len(blocks.bits):
            raise ValueError(f"{len(blocks.codes)} codes, {len(blocks.times)} times, {len(blocks.bits)} targets")
        self._base_height = base_height
        self._codes, self._bits = array("H", blocks.codes), array("I", blocks.bits)
        self._clock = array("q", np.maximum.accumulate(np.array(blocks.times, np.int64)).tolist())

    def note_stored(self, heights: Iterable[int]) -> None:
        """Rows of these heights are stored: those that no block of the chain stands for will be undone."""
        self._stored.update(heights)

    def follow(self, fork_height: int, blocks: Iterable[tuple[int, int, int]]) -> None:
        """Undo the heights above the fork and connect blocks: (code, header time, bits) each."""
        if not self._codes:
            self._base_height = fork_height + 1
        keep = fork_height + 1 - self._base_height
        del self._codes[keep:], self._clock[keep:], self._bits[keep:]
        clock = self._clock[-1] if self._clock else None
        for height, (code, time, bits) in enumerate(blocks, start=fork_height + 1):
            if clock is not None and time // HOUR_SECONDS > clock // HOUR_SECONDS:
                # Also what is undone within the batch: a worker that batches otherwise, and was replaced, may have written it.
                self._stored.add(height)
            clock = time if clock is None else max(clock, time)
            self._codes.append(code)
            self._clock.append(clock)
            self._bits.append(bits)

    def score(self, first: int, highest: int, first_height: int, entities: DatedEntities) -> TimeWindowTable:
        """The rows of heights `first` … the tip. Heights up to `highest` were reached, and are undone above the tip.

        `first_height`: the lowest height of the chain, which itself has no row.
        """
        clock = np.array(self._clock, np.int64)
        start = max(first - self._base_height, 1)
        hours = clock[start - 1 :] // HOUR_SECONDS
        places = np.flatnonzero(hours[1:] > hours[:-1]) + start
        heights = {self._base_height + int(place) for place in places}
        undone = {height for height in self._stored if first <= height <= highest} - heights
        self._stored -= undone
        parts = [
            self._rows(places[low : low + _HOURS_AT_ONCE], clock, first_height, entities)
            for low in range(0, len(places), _HOURS_AT_ONCE)
        ] or [{name: np.zeros(0, dtype) for name, dtype in DTYPES.items()}]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in DTYPES}
        return TimeWindowTable(columns, tuple(sorted(undone)))

    def trim(self, root_height: int) -> None:
        """Let go of what no window at or above the root reaches, and of heights that are final."""
        self._stored = {height for height in self._stored if height > root_height}
        root = root_height - self._base_height
        if not 0 <= root < len(self._clock):
            return
        reached = int(np.searchsorted(np.array(self._clock, np.int64), self._clock[root] - YEAR_SECONDS, side="right"))
        if reached >= _TRIM_BLOCKS:
            del self._codes[:reached], self._clock[:reached], self._bits[:reached]
            self._base_height += reached

    def _rows(
        self, places: NDArray[np.intp], clock: NDArray[np.int64], first_height: int, entities: DatedEntities
    ) -> Columns:
        """The rows of the windows that end in the blocks at `places`, by place, view and span."""
        spans = np.array(SPANS_DAYS, np.int64)
        starts = np.searchsorted(clock, clock[places, None] - spans * DAY_SECONDS, side="right")
        low, high = int(starts.min()), int(places[-1]) + 1
        sums = _Sums(
            np.array(self._codes[low:high], np.uint16),
            np.array(self._bits[low:high], np.uint32),
            starts - low,
            places - low,
        )
        out: Columns = {name: np.zeros((len(places), len(VIEWS), len(spans)), dtype) for name, dtype in DTYPES.items()}
        out["view_code"][:] = np.arange(len(VIEWS))[:, None]
        out["span_days"][:] = spans
        out["height"][:] = (self._base_height + places)[:, None, None]
        from_height = self._base_height + starts
        out["from_height"][:] = from_height[:, None]
        out["window_full"][:] = (from_height > first_height)[:, None]
        out["n"][:] = (places[:, None] + 1 - starts)[:, None]
        # A block that moves the clock bears the clock's time: it is the header time of the window's last block.
        epochs = np.searchsorted(entities.boundaries, clock[places], side="right")
        for epoch in np.unique(epochs):
            rows = np.flatnonzero(epochs == epoch)
            for view, owners in enumerate((sums.codes, entities.codes[epoch, sums.codes])):
                _store(out, rows, view, sums, owners.astype(np.int64))
        return {name: column.reshape(-1) for name, column in out.items()}


class _Sums:
    """Counts of every pool in every window, and the work of every pool in the longest ones."""

    def __init__(
        self,
        codes: NDArray[np.uint16],
        bits: NDArray[np.uint32],
        starts: NDArray[np.intp],
        ends: NDArray[np.intp],
    ) -> None:
        """`starts` (hours, spans) and `ends` (hours,): places of the first and last block of each window among `codes`."""
        self.codes = np.flatnonzero(np.bincount(codes))
        column_of = np.zeros(int(codes.max()) + 1, np.intp)
        column_of[self.codes] = np.arange(len(self.codes))
        # What lies between two ends of windows is counted once; a window is the difference of two running sums.
        edges = np.unique(np.concatenate([starts.reshape(-1), ends + 1]))
        stretch = np.searchsorted(edges, np.arange(len(codes)), side="right")
        cell = stretch * len(self.codes) + column_of[codes]
        shape = len(edges) + 1, len(self.codes)
        first, last = np.searchsorted(edges, starts), np.searchsorted(edges, ends + 1)
        year = SPANS_DAYS.index(YEAR_DAYS)

        def running(weights: NDArray[np.float64] | None) -> NDArray[np.int64]:
            cells = np.bincount(cell, weights, minlength=shape[0] * shape[1]).reshape(shape)
            return np.cumsum(cells, axis=0).astype(np.int64)

        counted = running(None)
        self.counts = counted[last][:, None] - counted[first]
        """(hours, spans, pools)"""
        targets, target_of = np.unique(bits, return_inverse=True)
        limbs = _limbs([work_from_bits(int(target)) for target in targets])
        weighed = [running(limb[target_of]) for limb in limbs]
        self.work = np.stack([limb[last] - limb[first[:, year]] for limb in weighed])
        """(limbs, hours, pools): the work of a year in units of 2^(32 i)"""


def _limbs(works: Sequence[int]) -> list[NDArray[np.float64]]:
    width = max(work.bit_length() for work in works)
    mask = (1 << _LIMB_BITS) - 1
    return [
        np.array([work >> shift & mask for work in works], np.float64) for shift in range(0, max(width, 1), _LIMB_BITS)
    ]


def _store(out: Columns, rows: NDArray[np.intp], view: int, sums: _Sums, owners: NDArray[np.int64]) -> None:
    """Write the rows of one view; `owners`: whose each pool of `sums` is in it."""
    merged, column_of = np.unique(owners, return_inverse=True)
    counts, work = (_merged(sums.counts[rows], column_of), _merged(sums.work[:, rows], column_of))
    n = out["n"][rows, view].astype(np.int64)
    held = counts
    if merged[0] == 0:
        out["unknown"][rows, view] = counts[..., 0]
        held, merged = counts[..., 1:], merged[1:]
    # Count and code in one number sort together: by count, and of equal counts the smaller code ranks higher.
    keys = np.zeros((*held.shape[:2], max(held.shape[2], LEADERS)), np.int64)
    keys[..., : held.shape[2]] = held << 16 | (_CODE_LIMIT - merged)
    keys = -np.sort(-keys, axis=-1)
    ordered = keys >> 16
    codes = np.where(ordered > 0, _CODE_LIMIT - (keys & _CODE_LIMIT), 0)[..., :LEADERS]
    for rank in range(LEADERS):
        out[f"c{rank + 1}"][rows, view] = ordered[..., rank]
        out[f"l{rank + 1}"][rows, view] = codes[..., rank]
    out["pools_seen"][rows, view] = np.count_nonzero(held, axis=-1)
    out["s2"][rows, view] = (held * held).sum(axis=-1)
    out["nakamoto_one_third"][rows, view] = nakamoto_of_ordered(ordered, n, ONE_THIRD)
    out["nakamoto_half"][rows, view] = nakamoto_of_ordered(ordered, n, HALF)
    year = SPANS_DAYS.index(YEAR_DAYS)
    places = np.searchsorted(np.unique(owners), codes[:, year])
    shares = _work_shares(work, places)
    for rank in range(LEADERS):
        out[f"work{rank + 1}"][rows, view] = np.nan
        out[f"work{rank + 1}"][rows, view, year] = np.where(codes[:, year, rank] > 0, shares[:, rank], 0.0)


def _merged(values: NDArray[np.int64], column_of: NDArray[np.intp]) -> NDArray[np.int64]:
    """Add up the columns that belong to one owner."""
    merged = np.zeros((*values.shape[:-1], int(column_of.max()) + 1), np.int64)
    for pool, column in enumerate(column_of):
        merged[..., column] += values[..., pool]
    return merged


def _work_shares(work: NDArray[np.int64], places: NDArray[np.intp]) -> NDArray[np.float64]:
    """For each hour the parts of the year's work that the pools at `places` did: whole numbers, divided once.

    `work` is by limb, hour and pool; `places` and the answer are by hour and rank.
    """
    whole = _whole(np.take_along_axis(work, np.broadcast_to(places, (len(work), *places.shape)), axis=-1))
    return np.asarray(whole / _whole(work.sum(axis=-1))[:, None], np.float64)


def _whole(limbs: NDArray[np.int64]) -> NDArray[np.object_]:
    """Numbers of any size from their limbs, which are the first axis."""
    found: NDArray[np.object_] = limbs[-1].astype(object)
    for limb in limbs[-2::-1]:
        found = (found << _LIMB_BITS) + limb.astype(object)
    return found
