"""Rules that take turns on several windows read each long stretch once, and what is kept is bounded."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import cast

from alerts.evaluated import SharedSeries
from alerts.shared_reads import KEPT_HEIGHTS, MANY_HEIGHTS, SharedReads
from alerts.signals.window_counts import WindowCounts
from alerts.store.concentration_log import ConcentrationLog


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
