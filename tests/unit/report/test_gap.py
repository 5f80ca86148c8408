"""What is said aloud about the newest row."""

from __future__ import annotations

from datetime import date

import pytest

from desk.report.gap_sentence import sentence, year_ends
from tests.unit.report.made import gap_row

ROWS = [gap_row(date(2023, 12, 31)), gap_row(date(2024, 3, 31)), gap_row(date(2024, 12, 31))]


def test_a_day_inside_a_year_is_said_with_the_age_of_the_figures() -> None:
    said = sentence([*year_ends(ROWS), gap_row(date(2026, 4, 22), at_tip=True)])
    assert said.startswith(
        "On 22 April 2026 ownership of AI compute (figures of 31 December 2025) is as concentrated as 4.0 to 8.0 "
        "equal owners, depending on the unnamed rest. Operation of Bitcoin mining is as concentrated as 5.0 equal pools. "
    )
    assert "The data do not show which side is more concentrated, as in every year since 2023." in said


def test_the_end_of_a_year_is_said_as_such() -> None:
    assert sentence(ROWS).startswith("At the end of 2024 ownership of AI compute is as concentrated as")
    # At the tip the last day of a year is not over.
    assert sentence([gap_row(date(2025, 12, 31), at_tip=True)]).startswith("On 31 December 2025")


def test_years_end_on_their_last_day() -> None:
    rows = [*ROWS, gap_row(date(2025, 12, 31), at_tip=True)]
    assert [row.day.year for row in year_ends(rows)] == [2023, 2024]


def test_nothing_is_not_spoken_of() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        sentence([])


def test_the_envelope_spans_the_treatments() -> None:
    assert (ROWS[0].l_min, ROWS[0].l_max) == (-0.32, 0.68)
