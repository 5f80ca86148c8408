"""Windows that end with a day, by hand and beside the plain definition."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from counterpoise.pools.attribution_set import AttributionSet
from streams.asymmetry.fold.mining_days import DAY_SECONDS, MiningDays
from tests.plain_mining_side import last_of_day

SET = AttributionSet.default()
FIRST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())


def tags(count: int, first: int = 7) -> NDArray[np.uint64]:
    return np.arange(first, first + count, dtype=np.uint64)


def days_of(times: list[int], codes: list[int] | None = None, window: int = 2) -> MiningDays:
    days = MiningDays("bitcoin", SET, window)
    days.extend(100, np.array(times, np.int64), np.array(codes or [1] * len(times), np.uint16), tags(len(times)))
    return days


def test_a_day_ends_once_a_later_block_says_so() -> None:
    noon = FIRST + DAY_SECONDS // 2
    assert days_of([noon, noon + 600]).day_ends() == {}
    found = days_of([noon, noon + 600, noon + DAY_SECONDS]).day_ends()
    assert found == {date(2026, 1, 1): 101}


def test_header_times_that_go_back_never_cut_a_block_of_the_day_off() -> None:
    # 1 January, the 2nd, back to the 1st, and on: the day ends with the straggler.
    times = [FIRST, FIRST + DAY_SECONDS + 60, FIRST + DAY_SECONDS - 60, FIRST + DAY_SECONDS + 900]
    assert days_of(times).day_ends() == {date(2026, 1, 1): 102}


def test_a_day_without_a_block_ends_where_the_one_before_does() -> None:
    times = [FIRST, FIRST + 600, FIRST + 3 * DAY_SECONDS]
    assert days_of(times).day_ends() == dict.fromkeys((date(2026, 1, day) for day in (1, 2, 3)), 101)


@given(st.lists(st.integers(-7_200, 40_000), min_size=1, max_size=60), st.integers(1, 5))
def test_it_is_the_plain_definition(steps: list[int], window: int) -> None:
    times = (FIRST + np.cumsum(steps)).tolist()
    found = days_of(times, window=window).day_ends()
    expected = {}
    day = datetime.fromtimestamp(min(times), UTC).date()
    while (datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)).timestamp() <= max(times):
        last = last_of_day(np.array(times, np.int64), day)
        if last is not None and last + 1 >= window:
            expected[day] = 100 + last
        day += timedelta(days=1)
    assert found == expected


def test_a_window_counts_its_pools_and_follows_the_dated_map() -> None:
    names = SET.entity_table.names
    pool = next(code for code, (slug, _) in names.items() if slug == "antpool")
    other = next(code for code, (slug, _) in names.items() if slug == "foundry-usa")
    before, after = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2022, 2023))
    days = days_of([before, before + 1, after, after + 1], [pool, other, pool, 0], window=2)
    raw, grouped, early = (
        days.side("raw", 103, "00" * 32),
        days.side("entity", 103, "00" * 32),
        days.side("entity", 101, "00" * 32),
    )
    assert raw is not None and (raw.counts, raw.unknown, raw.tip_height) == ((("antpool", 1),), 1, 103)
    assert grouped is not None and grouped.counts == (("antpool-and-friends", 1),)  # joined in 2022-07
    assert early is not None and early.counts == (("antpool", 1), ("foundry-usa", 1))
    with pytest.raises(ValueError, match="no full window ends at 100"):
        days.side("raw", 100, "00" * 32)


def test_nobody_known_is_no_side() -> None:
    assert days_of([FIRST, FIRST + 1], [0, 0]).side("raw", 101, "00" * 32) is None


def test_blocks_are_cut_and_extended_without_a_gap() -> None:
    days = days_of([FIRST, FIRST + 600, FIRST + 1_200])
    days.cut(101)
    assert days.tip_height == 100
    with pytest.raises(ValueError, match="do not follow 100"):
        days.extend(102, np.array([1], np.int64), np.array([1], np.uint16), tags(1))
    days.extend(101, np.array([FIRST + DAY_SECONDS], np.int64), np.array([1], np.uint16), tags(1, first=70))
    assert days.tip_height == 101
    assert (days.tag(100), days.tag(101)) == (7, 70)
    with pytest.raises(ValueError, match="no block at 102"):
        days.tag(102)
    days.cut(0)
    assert days.tip_height is None
