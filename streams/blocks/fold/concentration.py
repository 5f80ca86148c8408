"""The fold of blocks into pool concentration: pure, vectorised, a function of the blocks alone.

For every new block, every trailing window and both views of control it yields the integers of the window that ends in that block
(`counterpoise.metrics.integers`), and the credible intervals of the top-1 and top-4 share. How blocks are grouped into calls has no
influence on any bit of the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from counterpoise.metrics.beta_table import BetaTable
from counterpoise.metrics.counts import MAX_BLOCKS
from counterpoise.metrics.integers import WindowIntegers, window_integers
from counterpoise.metrics.stored_integers import COUNTED_COLUMNS
from counterpoise.windows import LEADERS, VIEWS, WINDOWS_BLOCKS

UNKNOWN_CODE = 0
"""The code of a block without a known producer, in both views."""

TOP4_LINE = 0.75
"""The line whose probability is stored: P(top-4 share > 0.75)."""

# Blocks folded at once inside a call: large enough to keep numpy busy, small enough that the temporaries stay in the cache.
_CHUNK_BLOCKS = 2048


class DatedEntities(Protocol):
    """Which entity controls which pool, and when. `boundaries` (E,) int64 unix seconds, ascending; `codes` (E + 1, P):
    row e maps pool code → entity code for the times t with boundaries[e − 1] ≤ t < boundaries[e]. Code 0 maps to 0."""

    @property
    def boundaries(self) -> NDArray[np.int64]: ...

    @property
    def codes(self) -> NDArray[Any]: ...


@dataclass
class TableCache:
    """The posteriors already computed, kept by a caller from one `score_blocks` to the next. One thread at a time."""

    top1: BetaTable = field(default_factory=lambda: BetaTable(1, TOP4_LINE))
    top4: BetaTable = field(default_factory=lambda: BetaTable(4, TOP4_LINE))


@dataclass(frozen=True)
class ConcentrationTable:
    """One row for each (view, window, new block), in that order; every column has length len(VIEWS)·len(windows)·N.

    view_code        index into `VIEWS`
    window_blocks    the window's nominal length; `n` its blocks so far, `window_full` whether they are equal
    index            which new block the window ends in, 0…N − 1
    unknown          blocks of the window without a known producer; in n, in no pool
    pools_seen … nakamoto_half   as in `WindowIntegers`; c1…c6 counts and l1…l6 codes of the leaders
    top1_lo, top1_hi, top4_lo, top4_hi   95 % intervals of the share of *these* leading pools (lower bound: unknown in n)
    p_top4_above_75  posterior probability that these four hold more than 75 %
    """

    view_code: NDArray[np.uint8]
    window_blocks: NDArray[np.uint16]
    index: NDArray[np.uint32]
    n: NDArray[np.uint16]
    unknown: NDArray[np.uint16]
    window_full: NDArray[np.bool_]
    pools_seen: NDArray[np.uint16]
    c1: NDArray[np.uint16]
    c2: NDArray[np.uint16]
    c3: NDArray[np.uint16]
    c4: NDArray[np.uint16]
    c5: NDArray[np.uint16]
    c6: NDArray[np.uint16]
    l1: NDArray[np.uint16]
    l2: NDArray[np.uint16]
    l3: NDArray[np.uint16]
    l4: NDArray[np.uint16]
    l5: NDArray[np.uint16]
    l6: NDArray[np.uint16]
    s2: NDArray[np.uint64]
    s3: NDArray[np.uint64]
    s4: NDArray[np.uint64]
    gini_num: NDArray[np.int64]
    sum_c_ln_c: NDArray[np.float64]
    nakamoto_one_third: NDArray[np.uint16]
    nakamoto_half: NDArray[np.uint16]
    top1_lo: NDArray[np.float64]
    top1_hi: NDArray[np.float64]
    top4_lo: NDArray[np.float64]
    top4_hi: NDArray[np.float64]
    p_top4_above_75: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.index)

    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns by name, in the order above; the arrays themselves, not copies."""
        return {column.name: getattr(self, column.name) for column in fields(self)}

    def leaders(self, window: int) -> NDArray[np.uint16]:
        """(views, new blocks, LEADERS) codes of the leaders of one window, largest first; 0 where there are fewer."""
        places = np.flatnonzero(self.window_blocks == window)
        found = np.stack([getattr(self, f"l{rank}")[places] for rank in range(1, LEADERS + 1)], axis=-1)
        return found.reshape(len(VIEWS), -1, LEADERS)

    def from_index(self, first: int) -> ConcentrationTable:
        """The rows of the new blocks from `first` on, counted from there."""
        if not first:
            return self
        keys = int(np.count_nonzero(self.index == 0))
        kept = {name: column.reshape(keys, -1)[:, first:].reshape(-1) for name, column in self.columns().items()}
        return ConcentrationTable(**{**kept, "index": kept["index"] - np.uint32(first)})


_Columns = dict[str, NDArray[Any]]

_DTYPES: dict[str, type] = {
    "view_code": np.uint8,
    "window_blocks": np.uint16,
    "index": np.uint32,
    "n": np.uint16,
    "unknown": np.uint16,
    "window_full": np.bool_,
    "pools_seen": np.uint16,
    **{f"c{rank}": np.uint16 for rank in range(1, LEADERS + 1)},
    **{f"l{rank}": np.uint16 for rank in range(1, LEADERS + 1)},
    "s2": np.uint64,
    "s3": np.uint64,
    "s4": np.uint64,
    "gini_num": np.int64,
    "sum_c_ln_c": np.float64,
    "nakamoto_one_third": np.uint16,
    "nakamoto_half": np.uint16,
    "top1_lo": np.float64,
    "top1_hi": np.float64,
    "top4_lo": np.float64,
    "top4_hi": np.float64,
    "p_top4_above_75": np.float64,
}


def score_blocks(
    pool_codes: NDArray[np.uint16],
    times: NDArray[np.int64],
    start: int,
    entity_table: DatedEntities,
    windows: Sequence[int] = WINDOWS_BLOCKS,
    *,
    table_cache: TableCache | None = None,
) -> ConcentrationTable:
    """Score every block from position `start` on; the blocks before it are their history.

    `pool_codes` and `times` (header time, unix seconds) are H + N consecutive canonical blocks by height, `start` = H. With at
    least max(windows) − 1 blocks of history every window is complete; with fewer, the data is taken to begin there and the
    windows are part-filled (`window_full` false). Membership of a pool in an entity is decided by the header time of the
    window's last block, for the whole window.

    Raises ValueError for lengths that differ, a `start` outside them, a window outside 1…9741 or a pool that the entity table
    does not map.
    """
    codes = np.asarray(pool_codes, dtype=np.uint16)
    _check(codes, times, start, entity_table, windows)
    new_blocks = len(codes) - start
    shape = (len(VIEWS), len(windows), new_blocks)
    out: _Columns = {name: np.zeros(shape, dtype=dtype) for name, dtype in _DTYPES.items()}
    out["view_code"][:] = np.arange(len(VIEWS), dtype=np.uint8)[:, None, None]
    out["window_blocks"][:] = np.asarray(windows, dtype=np.uint16)[None, :, None]
    out["index"][:] = np.arange(new_blocks, dtype=np.uint32)

    epochs = np.searchsorted(entity_table.boundaries, np.asarray(times, dtype=np.int64)[start:], side="right")
    for first in range(0, new_blocks, _CHUNK_BLOCKS):
        rows = slice(first, min(first + _CHUNK_BLOCKS, new_blocks))
        chunk = _Chunk(codes, start + rows.start, start + rows.stop, max(windows))
        for w, window in enumerate(windows):
            _score_window(_part(out, np.s_[:, w, rows]), chunk, window, epochs[rows], entity_table)

    _add_intervals(out, TableCache() if table_cache is None else table_cache)
    return ConcentrationTable(**{name: column.reshape(-1) for name, column in out.items()})


def _check(
    codes: NDArray[np.uint16], times: NDArray[np.int64], start: int, entities: DatedEntities, windows: Sequence[int]
) -> None:
    if len(codes) != len(times):
        raise ValueError(f"{len(codes)} pool codes but {len(times)} times: need one of each for every block")
    if not 0 <= start <= len(codes):
        raise ValueError(f"start {start} is outside the {len(codes)} blocks given")
    for window in windows:
        if not 1 <= window <= MAX_BLOCKS:
            raise ValueError(f"a window of {window} blocks is outside 1…{MAX_BLOCKS}")
    if len(codes) and int(codes.max()) >= entities.codes.shape[1]:
        raise ValueError(f"pool code {int(codes.max())} is beyond the entity table's {entities.codes.shape[1]} codes")


class _Chunk:
    """Running counts of every pool over the blocks first…stop − 1 and the history that their windows reach into."""

    def __init__(self, codes: NDArray[np.uint16], first: int, stop: int, longest: int) -> None:
        history = min(longest - 1, first)
        reach = codes[first - history : stop]
        self.codes = np.flatnonzero(np.bincount(reach)).astype(np.uint16)
        column_of = np.zeros(int(reach.max()) + 1, dtype=np.intp)
        column_of[self.codes] = np.arange(len(self.codes))
        self.first, self.blocks, self._longest = first, stop - first, longest
        # Row r holds the counts up to and including the block at place r, of which the first new one is at `longest`.
        # What lies before the data is rows of zeros, so a part-filled window needs no case of its own.
        self._running = np.zeros((longest + self.blocks, len(self.codes)), dtype=np.int16)
        self._running[np.arange(longest - history, longest + self.blocks), column_of[reach]] = 1
        np.cumsum(self._running, axis=0, dtype=np.int16, out=self._running)

    def counts(self, window: int) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
        """(blocks, P) counts of the window that ends in each block, and the P codes that occur in any of them."""
        newest = self._running[self._longest :]
        oldest = self._running[self._longest - window : self._longest - window + self.blocks]
        occurs = newest[-1] > oldest[0]
        return newest[:, occurs] - oldest[:, occurs], self.codes[occurs]


def _part(columns: _Columns, where: Any) -> _Columns:
    """The same columns, seen through an index; writing to them writes to the originals."""
    return {name: column[where] for name, column in columns.items()}


def _score_window(out: _Columns, chunk: _Chunk, window: int, epochs: NDArray[np.intp], entities: DatedEntities) -> None:
    """Fill `out`, whose columns are (views, blocks of the chunk), for one window."""
    counts, codes = chunk.counts(window)
    n = np.minimum(window, chunk.first + 1 + np.arange(chunk.blocks)).astype(np.int64)
    out["n"][:] = n
    out["window_full"][:] = n == window
    raw, entity = _part(out, 0), _part(out, 1)
    _store(raw, np.arange(chunk.blocks), counts, codes, n)
    # Header times go back and forth across a boundary, so the blocks of an epoch are a mask and not a stretch.
    for epoch in np.unique(epochs):
        members = np.flatnonzero(epochs == epoch)
        owners = entities.codes[epoch, codes].astype(np.uint16)
        if np.array_equal(owners, codes):
            for name in ("unknown", *COUNTED_COLUMNS):
                entity[name][members] = raw[name][members]
        else:
            _store(entity, members, *_merge(counts[members], owners), n[members])


def _merge(counts: NDArray[np.int16], owners: NDArray[np.uint16]) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Add up the columns that belong to one entity."""
    entity_codes, column_of = np.unique(owners, return_inverse=True)
    merged = np.zeros((len(counts), len(entity_codes)), dtype=np.int16)
    for pool, column in enumerate(column_of):
        merged[:, column] += counts[:, pool]
    return merged, entity_codes


def _store(
    out: _Columns, rows: NDArray[np.intp], counts: NDArray[np.int16], codes: NDArray[np.uint16], n: NDArray[np.int64]
) -> None:
    """Write the integers of one view and window; the unknown column, if any, is the first, because its code is the smallest."""
    if len(codes) and codes[0] == UNKNOWN_CODE:
        out["unknown"][rows] = counts[:, 0]
        counts, codes = counts[:, 1:], codes[1:]
    for name, values in _named(window_integers(counts, codes, n)):
        out[name][rows] = values


def _named(integers: WindowIntegers) -> Iterator[tuple[str, NDArray[Any]]]:
    for column in fields(integers):
        values = getattr(integers, column.name)
        if column.name in ("counts", "leaders"):
            letter = "c" if column.name == "counts" else "l"
            yield from ((f"{letter}{rank + 1}", values[:, rank]) for rank in range(LEADERS))
        else:
            yield column.name, values


def _add_intervals(out: _Columns, cache: TableCache) -> None:
    for view in range(len(VIEWS)):
        for w in range(out["n"].shape[1]):
            cell = _part(out, np.s_[view, w])
            top1 = cache.top1.lookup(cell["n"], cell["c1"], cell["pools_seen"])
            top4_count = cell["c1"] + cell["c2"] + cell["c3"] + cell["c4"]
            top4 = cache.top4.lookup(cell["n"], top4_count, cell["pools_seen"])
            cell["top1_lo"][:], cell["top1_hi"][:] = top1[:, 0], top1[:, 1]
            cell["top4_lo"][:], cell["top4_hi"][:] = top4[:, 0], top4[:, 1]
            cell["p_top4_above_75"][:] = top4[:, 2]
