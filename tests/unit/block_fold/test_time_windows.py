"""Windows of time against a direct count, whatever the batches, restarts, reorganisations and header times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from math import isnan
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from counterpoise.chain.work import work_from_bits
from counterpoise.windows import SPANS_DAYS
from streams.blocks.fold.time_windows import BlockSlice, TimeWindows, TimeWindowTable

HOUR, DAY, YEAR = 3_600, 86_400, 365 * 86_400
FIRST = 800_000
START = 1_700_000_000
BITS = (0x1D00FFFF, 0x17053894, 0x1703A30C, 0x207FFFFF)

Block = tuple[int, int, int]
"""Pool code, header time, target."""
Row = dict[str, Any]
Key = tuple[int, int, int]
"""Height, view, span."""


@dataclass(frozen=True)
class Owners:
    """Pool 2 is of pool 1 from the boundary on, pool 5 of an owner of both views' last code."""

    boundaries: np.ndarray[Any, np.dtype[np.int64]]
    codes: np.ndarray[Any, np.dtype[np.uint16]]


OWNERS = Owners(
    np.array([START + 40 * DAY], np.int64), np.array([[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 1, 3, 4, 7, 6, 7]], np.uint16)
)


def counted(blocks: Sequence[Block]) -> dict[Key, Row]:
    """Every row of a chain, block by block, in exact fractions."""
    found: dict[Key, Row] = {}
    clock = [max(time for _, time, _ in blocks[: at + 1]) for at in range(len(blocks))]
    for at in range(1, len(blocks)):
        if clock[at] // HOUR == clock[at - 1] // HOUR:
            continue
        for view in (0, 1):
            owners = OWNERS.codes[int(blocks[at][1] >= OWNERS.boundaries[0])] if view else np.arange(8)
            for span in SPANS_DAYS:
                places = [back for back in range(at + 1) if clock[at] - span * DAY < clock[back]]
                inside = [(int(owners[blocks[place][0]]), blocks[place][2]) for place in places]
                found[FIRST + at, view, span] = row_of(inside, span) | {
                    "from_height": FIRST + places[0],
                    "window_full": places[0] > 0,
                }
    return found


def row_of(inside: Sequence[tuple[int, int]], span: int) -> Row:
    counts = Counter(code for code, _ in inside)
    unknown, n = counts.pop(0, 0), len(inside)
    leaders = sorted(counts, key=lambda code: (-counts[code], code))
    held = [sum(counts[code] for code in leaders[:k]) for k in range(1, len(leaders) + 1)]
    total = sum(work_from_bits(bits) for _, bits in inside)
    row: Row = {"n": n, "unknown": unknown, "pools_seen": len(leaders), "s2": sum(c * c for c in counts.values())}
    row["nakamoto_one_third"] = next((k for k, h in enumerate(held, 1) if 3 * h > n), 0)
    row["nakamoto_half"] = next((k for k, h in enumerate(held, 1) if 2 * h > n), 0)
    for rank in range(6):
        code = leaders[rank] if rank < len(leaders) else 0
        row[f"l{rank + 1}"], row[f"c{rank + 1}"] = code, counts[code] if code else 0
        work = sum(work_from_bits(bits) for owner, bits in inside if code and owner == code)
        row[f"work{rank + 1}"] = float(Fraction(work, total)) if span == 365 else None
    return row


def rows_of(table: TimeWindowTable) -> dict[Key, Row]:
    columns = {name: column.tolist() for name, column in table.columns.items()}
    keys = list(zip(columns.pop("height"), columns.pop("view_code"), columns.pop("span_days"), strict=True))
    assert len(set(keys)) == len(keys)
    return {
        key: {
            name: None if isinstance(column[at], float) and isnan(column[at]) else column[at]
            for name, column in columns.items()
        }
        for at, key in enumerate(keys)
    }


def first_reached(blocks: Sequence[Block], root: int) -> int:
    """As `older_blocks` asks: the first block later than a year before the clock of the root."""
    clock = max(time for _, time, _ in blocks[: root + 1])
    return next(at for at, block in enumerate(blocks) if block[1] > clock - YEAR)


class Worker:
    """A fold and the rows that it has written; the tables outlive it."""

    def __init__(self) -> None:
        self.fold, self.rows, self.chain = TimeWindows(), dict[Key, Row](), list[Block]()
        self.root = 0

    def switch(self, steps: Iterable[tuple[int, Sequence[Block]]]) -> None:
        """One batch: undo so many blocks and connect others, any number of times."""
        fork, highest = len(self.chain), len(self.chain)
        for depth, branch in steps:
            keep = len(self.chain) - min(depth, len(self.chain) - self.root - 1) if self.chain else 0
            fork = min(fork, keep)
            self.fold.follow(FIRST + keep - 1, branch)
            self.chain[keep:] = branch
            self._written_by_another(fork)
            highest = max(highest, len(self.chain))
        table = self.fold.score(FIRST + fork, FIRST + highest - 1, FIRST, OWNERS)
        undone = {*table.undone_heights, *range(FIRST + len(self.chain), FIRST + highest)}
        found = rows_of(table)
        assert not {key[0] for key in found} & undone
        self.rows = {key: row for key, row in self.rows.items() if key[0] not in undone} | found
        self.root = max(self.root, len(self.chain) - 6)
        self.fold.trim(FIRST + self.root)

    def _written_by_another(self, fork: int) -> None:
        """A worker that batches otherwise, and was replaced, may have left rows of any branch."""
        clock = list(accumulate((time for _, time, _ in self.chain), max))
        for at in range(max(fork, 1), len(clock)):
            if clock[at] // HOUR > clock[at - 1] // HOUR:
                self.rows[FIRST + at, 0, 1] = {}

    def restart(self, at: int) -> None:
        """A new fold from the tables, whose rows reach back as far as a loader reads, or further by `at` blocks."""
        base = max(0, first_reached(self.chain, self.root) - at)
        codes, times, bits = zip(*self.chain[base:], strict=True)
        self.fold = TimeWindows()
        self.fold.start(FIRST + base, BlockSlice(codes, times, bits))
        self.fold.note_stored({key[0] for key in self.rows if key[0] > FIRST + self.root})


@st.composite
def branches(draw: st.DrawFn, start: int, most: int = 12) -> list[Block]:
    """Blocks with header times of all kinds: minutes, hours, months apart, back and forth, on the hour."""
    steps = st.one_of(
        st.integers(0, 900), st.integers(-7_200, 7_200), st.integers(0, 2 * DAY), st.integers(0, 200 * DAY)
    )
    found: list[Block] = []
    time = start
    for _ in range(draw(st.integers(1, most))):
        time = max(0, time + draw(steps))
        if draw(st.integers(0, 3)) == 0:
            time -= time % HOUR
        found.append((draw(st.integers(0, 7)), time, draw(st.sampled_from(BITS))))
    return found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_batches_restarts_and_reorganisations_give_the_rows_of_a_direct_count(data: st.DataObject) -> None:
    worker = Worker()
    worker.switch([(0, data.draw(branches(START)))])
    for _ in range(data.draw(st.integers(1, 6))):
        steps, chain = [], worker.chain
        for _ in range(data.draw(st.integers(1, 3))):
            depth = data.draw(st.integers(0, 5))
            steps.append((depth, data.draw(branches(chain[-1][1], 5 + depth))))
        if data.draw(st.booleans()):
            worker.restart(data.draw(st.integers(0, 3)))
        worker.switch(steps)
        assert worker.rows == counted(worker.chain)


def test_an_hour_is_passed_once_and_an_earlier_time_changes_nothing() -> None:
    at = START - START % HOUR
    times = [at + 10, at + HOUR - 1, at + HOUR, at + 600, at + HOUR + 5, at + 5 * HOUR, at + 2 * HOUR]
    fold = TimeWindows()
    fold.follow(FIRST - 1, [(1 + place % 3, time, BITS[1]) for place, time in enumerate(times)])
    rows = rows_of(fold.score(FIRST, FIRST + 6, FIRST, OWNERS))
    assert sorted({key[0] - FIRST for key in rows}) == [2, 5]
    assert (rows[FIRST + 5, 0, 1]["n"], rows[FIRST + 5, 0, 1]["window_full"]) == (6, False)


def test_the_start_of_a_window_is_outside_it() -> None:
    at = START - START % HOUR
    blocks = [(1, at, BITS[1]), (2, at + 1, BITS[1]), (3, at + DAY, BITS[1]), (4, at + DAY + HOUR, BITS[1])]
    fold = TimeWindows()
    fold.follow(FIRST - 1, blocks)
    rows = rows_of(fold.score(FIRST, FIRST + 3, FIRST, OWNERS))
    assert [(rows[FIRST + 2, 0, 1][name]) for name in ("n", "from_height", "window_full")] == [2, FIRST + 1, True]
    assert [(rows[FIRST + 2, 0, 7][name]) for name in ("n", "from_height", "window_full")] == [3, FIRST, False]


def test_the_state_is_a_year_however_long_the_history() -> None:
    fold = TimeWindows()
    for start in range(0, 6_000, 500):
        fold.follow(FIRST + start - 1, [(1, START + 6 * HOUR * (start + at), BITS[1]) for at in range(500)])
        fold.score(FIRST + start, FIRST + start + 499, FIRST, OWNERS)
        fold.trim(FIRST + start + 490)
    assert len(fold._clock) < 4 * 365 + 2 * 512


def test_codes_times_and_targets_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 codes, 1 times, 2 targets"):
        TimeWindows().start(FIRST, BlockSlice((1, 2), (3,), (4, 5)))
