"""Scales, ticks and labels, by hand."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.plots.scale import Scale, rounded_out, spread, ticks, time_ticks


def test_known_values_lie_at_known_places() -> None:
    scale = Scale(0.5, 0.9, 300.0, 100.0)
    assert [scale(value) for value in (0.5, 0.6, 0.7, 0.9)] == pytest.approx([300, 250, 200, 100])
    assert Scale(3, 3, 10, 30)(3) == 20


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_a_larger_value_never_lies_before_a_smaller_one(a: float, b: float, low: float, span: float) -> None:
    scale = Scale(low, low + span, 0.0, 100.0)
    if a <= b:
        assert scale(a) <= scale(b)


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0.47, 0.83, 5, [0.5, 0.6, 0.7, 0.8]),
        (0.0, 1.0, 4, [0.0, 0.5, 1.0]),
        (-0.52, 0.9, 5, [-0.5, 0.0, 0.5]),
        (0.3, 0.3, 5, [0.3]),
        (4, 8, 5, [4, 5, 6, 7, 8]),
    ],
)
def test_ticks(low: float, high: float, most: int, expected: list[float]) -> None:
    assert ticks(low, high, most) == expected


def test_a_range_is_rounded_outwards() -> None:
    assert rounded_out(0.47, 0.83, 5) == (0.4, 0.9)
    assert rounded_out(0.5, 0.9, 5) == (0.5, 0.9)
    low, high = rounded_out(2.0, 2.0, 5)
    assert low < 2.0 < high


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("low", "high", "most", "labels"),
    [
        (at(2021, 1, 7), at(2026, 4, 22), 8, ["2022", "2023", "2024", "2025", "2026"]),
        (at(2024, 9, 3), at(2025, 4, 22), 8, ["Oct 2024", "Nov", "Dec", "Jan 2025", "Feb", "Mar", "Apr"]),
        (at(2025, 1, 1), at(2025, 12, 31), 4, ["Jan 2025", "Apr", "Jul", "Oct"]),
        (at(2025, 1, 1, 5), at(2025, 1, 2, 5), 5, ["06:00", "12:00", "18:00", "2 Jan 2025"]),
        (at(2025, 1, 30), at(2025, 2, 2), 8, ["30 Jan 2025", "12:00", "31 Jan", "12:00", "1 Feb", "12:00", "2 Feb"]),
    ],
)
def test_time_ticks_are_whole_hours_days_months_or_years(
    low: datetime, high: datetime, most: int, labels: list[str]
) -> None:
    found = time_ticks(low, high, most)
    assert [words for _, words in found] == labels
    assert all(low <= moment <= high for moment, _ in found)


@given(st.integers(0, 2_000_000_000), st.integers(1, 600_000_000), st.integers(2, 12))
def test_time_ticks_are_few_and_in_order(start: int, seconds: int, most: int) -> None:
    low = datetime.fromtimestamp(start, UTC)
    found = [moment for moment, _ in time_ticks(low, low + timedelta(seconds=seconds), most)]
    assert found == sorted(set(found))
    assert len(found) <= most + 1


def test_labels_that_touch_move_apart_and_others_stay() -> None:
    assert spread([10, 12, 40], 10, 0, 100) == [6, 16, 40]
    assert spread([40, 12, 10], 10, 0, 100) == [40, 16, 6]
    assert spread([1, 2], 10, 0, 100) == [0, 10]
    assert spread([99, 100], 10, 0, 100) == [90, 100]
    assert spread([], 10, 0, 100) == []


@given(st.lists(st.floats(0, 100), max_size=9))
def test_labels_never_lie_on_each_other(places: list[float]) -> None:
    moved = spread(places, 12, 0, 100)
    assert all(-1e-6 <= place <= 100 + 1e-6 for place in moved)
    gap = min(12, 100 / max(1, len(places) - 1))
    assert all(b - a >= gap - 1e-6 for a, b in itertools.pairwise(sorted(moved)))
    order = sorted(range(len(places)), key=places.__getitem__)
    assert [moved[index] for index in order] == sorted(moved)
