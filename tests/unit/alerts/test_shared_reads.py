"""Rules that take turns on several windows read each long stretch once, and what is kept is bounded."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from alerts.evaluated import SharedSeries
from alerts.shared_reads import KEPT_HEIGHTS, MANY_HEIGHTS, SharedReads
from alerts.signals.window_counts import WindowCounts
from alerts.store.concentration_log import ConcentrationLog
from tests.unit.alerts.chains import a_series


@dataclass
class Asked:
    """ClickHouse as far as it is asked for a series: what is read has a length and nothing else."""

    stretches: list[tuple[int, int, int]] = field(default_factory=list)

    def series_of(self, of: SharedSeries, attribution_id: str, *, low: int, high: int) -> WindowCounts:
        self.stretches.append((of.window_blocks, low, high))
        return cast("WindowCounts", range(low, high + 1))


@cache
def of(window_blocks: int) -> SharedSeries:
    return SharedSeries("bitcoin", "raw", window_blocks, (), (), 0)


def reads_of(asked: Asked) -> SharedReads:
    return SharedReads(cast("ConcentrationLog", asked))


def test_rules_that_take_turns_on_two_windows_read_each_once() -> None:
    asked = Asked()
    reads = reads_of(asked)
    for _rule in range(5):
        for window in (1008, 2016):
            reads.series(of(window), "a", low=1, high=KEPT_HEIGHTS // 2)
    assert asked.stretches == [(1008, 1, KEPT_HEIGHTS // 2), (2016, 1, KEPT_HEIGHTS // 2)]


def test_what_is_kept_is_bounded_and_the_oldest_goes_first() -> None:
    asked = Asked()
    reads = reads_of(asked)
    length = KEPT_HEIGHTS // 3
    stretches = [(1 + at * length, (at + 1) * length) for at in range(5)]
    for low, high in stretches:
        reads.series(of(1008), "a", low=low, high=high)
    for low, high in reversed(stretches):
        reads.series(of(1008), "a", low=low, high=high)
    assert len(asked.stretches) == 5 + 2, "the last three were kept, the first two were read again"


def test_a_stretch_longer_than_all_that_is_kept_is_kept_alone() -> None:
    asked = Asked()
    reads = reads_of(asked)
    reads.series(of(144), "a", low=1, high=MANY_HEIGHTS + 1)
    for _ in range(3):
        reads.series(of(1008), "a", low=1, high=2 * KEPT_HEIGHTS)
    reads.series(of(144), "a", low=1, high=MANY_HEIGHTS + 1)
    assert len(asked.stretches) == 3


@dataclass
class Stored:
    """ClickHouse with rows at some heights."""

    heights: frozenset[int]
    reads: int = 0

    def series_of(self, _of: object, _set: str, *, low: int, high: int) -> WindowCounts:
        self.reads += 1
        there = sorted(height for height in self.heights if low <= height <= high)
        while there and there[-1] - there[0] >= len(there):
            there.pop()
        return a_series([4] * len(there), first=there[0]) if there else a_series([])


@given(
    heights=st.frozensets(st.integers(0, 12)),
    whole=st.tuples(st.integers(-2, 12), st.integers(0, 12)),
    parts=st.lists(st.tuples(st.integers(-2, 12), st.integers(0, 12)), max_size=6),
)
def test_a_part_of_what_was_read_is_as_if_it_were_read(
    heights: frozenset[int], whole: tuple[int, int], parts: list[tuple[int, int]]
) -> None:
    stored = Stored(heights)
    reads = SharedReads(cast("ConcentrationLog", stored))
    for low, high in (whole, *parts):
        found = reads.series(of(1008), "a", low=low, high=high)
        alone = Stored(heights).series_of(None, "a", low=low, high=high)
        assert (found.height.tolist(), found.tip_hash) == (alone.height.tolist(), alone.tip_hash)


def test_a_part_of_what_was_read_needs_no_read() -> None:
    stored = Stored(frozenset(range(5, 40)))
    reads = SharedReads(cast("ConcentrationLog", stored))
    for low, high in ((-3, 50), (0, 50), (10, 20), (20, 50), (4, 4)):
        reads.series(of(1008), "a", low=low, high=high)
    assert stored.reads == 1
