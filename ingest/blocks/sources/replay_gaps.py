"""Heights that a file of blocks lacks: found in the order of its rows, or filled with blocks of unknown producers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from ingest.blocks.sources.block_columns import BlockColumns
from ingest.blocks.sources.replay_faults import FileFaults

MAX_GAP_BLOCKS: Final = 52_560
"""The longest gap that is filled: a year of bitcoin. Behind a longer one lies another history, for a dataset of its own."""

FILL: Final = "Replay with --gaps unknown (or COUNTERPOISE_INGEST__REPLAY__GAPS=unknown) to count them as unknown"
SORT: Final = "Sort the file by height, with one row for each"


class OrderCheck:
    """Of a file without previous hashes: each row is the parent of the next, so heights go up by one."""

    def __init__(self, faults: FileFaults, column: str, *, fills: bool) -> None:
        self._faults, self._column, self._fills = faults, column, fills
        self._before: int | None = None

    def check(self, columns: BlockColumns) -> None:
        """Add a fault for each row that does not follow the one before; a height that could not be read follows any."""
        heights, before = columns.heights, self._before
        first = heights[0] if before is None else before + 1
        if heights != list(range(first, first + len(heights))) or first < 0:
            for index, height in enumerate(heights):
                if height < 0:
                    before = None if before is None else before + 1
                    continue
                if before is not None and height != before + 1:
                    self._add(self._faults.row_of(columns.first_row + index), height, before)
                before = height
            self._before = before
        else:
            self._before = heights[-1]

    def _add(self, row: int, height: int, before: int) -> None:
        where = f"column {self._column!r}, row {row}: height {height} follows {before}, expected {before + 1}"
        if height <= before:
            self._faults.add(row, where, SORT)
        elif not self._fills:
            self._faults.add(row, where, FILL)
        elif height - before - 1 > MAX_GAP_BLOCKS:
            self._faults.add(
                row,
                f"{where}: at most {MAX_GAP_BLOCKS:,} blocks are filled",
                "Split the file at this row, into two datasets",
            )


class ParentCheck:
    """Of a file with previous hashes: each parent is a row of the file, or filled. Rows at the lowest height have none.

    Hashes are compared by their last 64 bits: 8 bytes a row, and no two of a million blocks are likely to share them.
    """

    def __init__(self, faults: FileFaults, column: str, *, fills: bool) -> None:
        self._faults, self._column, self._fills = faults, column, fills
        self._chunks: list[tuple[Any, Any, Any, Any]] = []

    def add(self, columns: BlockColumns) -> None:
        """The rows of a chunk without mistakes; filled ones are among them."""
        if columns.hashes is None or columns.prev_hashes is None:
            return
        rows = np.arange(columns.first_row, columns.first_row + len(columns))
        self._chunks.append((rows, np.array(columns.heights), _tails(columns.hashes), _tails(columns.prev_hashes)))

    def close(self) -> None:
        """Add a fault for each row whose parent is lacking."""
        if not self._chunks or self._faults.count:
            return
        rows, heights, hashes, parents = (np.concatenate(parts) for parts in zip(*self._chunks, strict=True))
        lacking = ~np.isin(parents, np.append(hashes, _NO_TAIL)) & (heights > heights.min())
        for row, height in zip(rows[lacking].tolist(), heights[lacking].tolist(), strict=True):
            advice = "Add the row of that block" if self._fills else FILL
            self._faults.add(
                row, f"column {self._column!r}, row {row}: the block before height {height} is not in the file", advice
            )


_NO_TAIL: Final = np.uint64(0)


def _tails(hashes: Any) -> Any:
    return np.array([0 if one is None else int(one[-16:], 16) for one in hashes], np.uint64)


class _Row(NamedTuple):
    """One row of block columns, in the order of their fields."""

    height: int
    time: int
    label: str | None = None
    script: str | None = None
    addresses: Sequence[str] | None = None
    bits: int | None = None
    hash: str | None = None
    prev_hash: str | None = None
    fees: int | None = None
    transactions: int | None = None
    size: int | None = None
    weight: int | None = None


class GapFiller:
    """Puts a block without a producer at each height that the rows leave out. Its time lies evenly between its neighbours'.

    The filled blocks lead from the highest row before to the row after. Where that row names its parent, the last of them has this
    hash; hashes are left out otherwise, to be derived.
    """

    def __init__(self) -> None:
        self._above: _Row | None = None
        self.filled = 0

    def fill(self, columns: BlockColumns) -> BlockColumns:
        """The chunk with the blocks that it leaves out; its rows keep their order. Gaps beyond MAX_GAP_BLOCKS stay."""
        first = columns.heights[0] if self._above is None else self._above.height + 1
        if columns.heights == list(range(first, first + len(columns))):
            self._above = _row(columns, len(columns) - 1)
            return columns
        rows = list(self._with_filled(columns))
        self.filled += len(rows) - len(columns)
        present = [True, True, *(column is not None for column in _optional(columns))]
        values = [
            list(column) if there else None for column, there in zip(zip(*rows, strict=True), present, strict=True)
        ]
        return BlockColumns(columns.first_row, *values)  # type: ignore[arg-type]  # heights and times are always there

    def _with_filled(self, columns: BlockColumns) -> Iterator[_Row]:
        for index in range(len(columns)):
            row, above = _row(columns, index), self._above
            if above is not None and 1 < row.height - above.height <= MAX_GAP_BLOCKS + 1:
                yield from _between(above, row)
            if above is None or row.height > above.height:
                self._above = row
            yield row


def _between(above: _Row, row: _Row) -> Iterator[_Row]:
    steps = row.height - above.height
    for step in range(1, steps):
        yield _Row(
            height=above.height + step,
            time=above.time + (row.time - above.time) * step // steps,
            bits=above.bits,
            hash=row.prev_hash if step == steps - 1 else None,
            prev_hash=above.hash if step == 1 else None,
        )


def _optional(columns: BlockColumns) -> tuple[Sequence[Any] | None, ...]:
    return (
        columns.labels,
        columns.scripts,
        columns.addresses,
        columns.bits,
        columns.hashes,
        columns.prev_hashes,
        columns.fees,
        columns.transactions,
        columns.sizes,
        columns.weights,
    )


def _row(columns: BlockColumns, index: int) -> _Row:
    rest = (None if column is None else column[index] for column in _optional(columns))
    return _Row(columns.heights[index], columns.times[index], *rest)
