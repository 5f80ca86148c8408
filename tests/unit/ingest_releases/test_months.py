"""Calendar months, by hand."""

from __future__ import annotations

from datetime import date

import pytest

from ingest.releases.sources.months import Month, complete_months, month_of, published_at_ms


def test_a_year_has_its_ends() -> None:
    assert (Month(2025, 12).next, Month(2026, 1).previous) == (Month(2026, 1), Month(2025, 12))
    assert (Month(2024, 2).first, Month(2024, 2).last) == (date(2024, 2, 1), date(2024, 2, 29))
    assert month_of(date(2026, 11, 30)) == Month(2026, 11)


@pytest.mark.parametrize(
    ("today", "lag_days", "last"),
    [
        (date(2026, 11, 1), 1, "2026-10"),
        (date(2026, 11, 1), 2, "2026-09"),
        (date(2026, 11, 2), 2, "2026-10"),
        (date(2026, 1, 15), 2, "2025-12"),
    ],
)
def test_a_month_is_complete_after_its_lag(today: date, lag_days: int, last: str) -> None:
    assert str(complete_months(today, lag_days, 3)[-1]) == last


def test_published_is_the_first_day_that_it_counts_as_complete() -> None:
    assert published_at_ms(Month(2026, 10), 2) == 1_793_577_600_000  # date -u -d 2026-11-02 +%s
