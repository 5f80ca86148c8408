"""Marks, by hand: known values to known coordinates, and text that cannot become markup."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.plots import marks as charts
from counterpoise.plots.marks import EndLabel, Frame
from tests.unit.report.made import parsed

FRAME = Frame(width=200, height=100, left=20, right=30, top=10, bottom=20)


def test_a_frame_is_what_its_margins_leave() -> None:
    assert (FRAME.x0, FRAME.x1, FRAME.y1, FRAME.y0) == (20, 170, 10, 80)
    assert FRAME.across(0, 10)(5) == 95
    assert FRAME.upwards(0, 7)(1) == 70


def test_a_line_goes_through_its_points_and_breaks_where_one_is_missing() -> None:
    assert charts.line([(0, 0), (1.25, 2.96), None, (3, 1), (4, 1)], class_="line") == (
        '<path d="M0 0L1.2 3M3 1L4 1" class="line"/>'
    )
    assert charts.line([], class_="line") == ""
    assert charts.line([None], class_="line") == ""


def test_a_band_goes_out_along_its_highs_and_back_along_its_lows() -> None:
    assert charts.band([0, 10, 20], [5, 6, 7], [1, 2, 3], class_="band") == (
        '<path d="M0 1L10 2L20 3L20 7L10 6L0 5Z" class="band"/>'
    )
    assert charts.band([1], [2], [3], class_="band") == ""


def test_a_grid_line_lies_at_its_value() -> None:
    drawn = charts.y_axis(FRAME, FRAME.upwards(0, 7), [(1, "1")])
    assert drawn == (
        '<line x1="20" y1="70" x2="170" y2="70" class="grid"/><text x="12" y="74" class="tick" text-anchor="end">1</text>'
    )


def test_labels_at_the_ends_of_the_axis_stay_inside_the_drawing() -> None:
    drawn = parsed(f"<g>{charts.x_axis(FRAME, [(0, 'January'), (199, 'December')])}</g>")
    for label in drawn.iter("text"):
        half = 3.4 * len(label.text or "")
        assert half <= float(label.get("x", "")) <= 200 - half


def test_end_labels_do_not_touch() -> None:
    labels = [EndLabel(40, "a", "label"), EndLabel(41, "b", "label"), EndLabel(42, "c", "label")]
    drawn = parsed(f"<g>{charts.end_labels(FRAME, labels)}</g>")
    heights = [float(label.get("y", "")) for label in drawn.iter("text")]
    assert heights == [30, 45, 60]  # 41 in the middle, 15 apart, base lines 4 lower


def test_runs_are_stretches_of_equal_neighbours() -> None:
    assert list(charts.runs(["a", "a", "b", "a"])) == [(0, 1, "a"), (2, 2, "b"), (3, 3, "a")]
    assert list(charts.runs([])) == []


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        *((words, words) for words in ("<script>alert(1)</script>", "a & b", "\"'", "]]>")),
        ("\x00\x1b\ufffe\ud800", r"\u0000\u001b\ufffe\ud800"),
    ],
)
def test_text_is_inert_wherever_it_stands(words: str, shown: str) -> None:
    drawn = charts.drawing(
        charts.text(words, 1, 2, class_=words), width=10, height=10, name="n", title=words, description=words
    )
    root = parsed(drawn)
    space = "{http://www.w3.org/2000/svg}"
    assert [element.tag.removeprefix(space) for element in root.iter()] == ["svg", "title", "desc", "text"]
    assert [element.text for element in root] == [shown] * 3


@given(st.text())
def test_any_text_gives_well_formed_xml(words: str) -> None:
    parsed(charts.text(words, 0, 0, class_="name"))


def test_a_drawing_says_what_it_is() -> None:
    root = parsed(charts.drawing("", width=10, height=5, name="n", title="T", description="D"))
    assert (root.get("role"), root.get("viewBox")) == ("img", "0 0 10 5")
    ids = {element.get("id"): element.text for element in root}
    assert ids[root.get("aria-labelledby")] == "T"
    assert ids[root.get("aria-describedby")] == "D"


@pytest.mark.parametrize(("value", "written"), [(12.04, "12"), (-0.04, "0"), (0.05, "0.1"), (-3.25, "-3.2"), (7, "7")])
def test_coordinates_have_a_tenth(value: float, written: str) -> None:
    assert charts.number(value) == written
