"""A snapshot of OpenRouter's rankings → weeks, by hand and for any window of days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.errors import DeadLetterError
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Release
from ingest.releases.sources.parse.openrouter import SERIES, weekly_releases

CATALOGUE = load_catalogue()
MONDAY = date(2026, 11, 2)
HEADER = "date,model_permaslug,rank,total_tokens,share_of_daily_tokens\r\n"
DAY = (("deepseek/v4-20260901", 60), ("openai/gpt-6-20260922", 20), ("openai/gpt-6-20260922:free", 5), ("other", 15))


def snapshot_of(first: date, days: int, rows: tuple[tuple[str, int], ...] = DAY) -> str:
    """A file of our own in the documented columns; the remainder has no rank."""
    lines = [
        f"{first + timedelta(days=n)},{model},{'' if model == 'other' else rank},{tokens},{tokens / 100}\r\n"
        for n in range(days)
        for rank, (model, tokens) in enumerate(rows, start=1)
    ]
    return HEADER + "".join(lines)


def weeks(text: str, snapshot: date) -> list[Release]:
    return weekly_releases(
        text, CATALOGUE[SERIES], origin="x.csv", snapshot=snapshot, published_at_ms=1_794_000_000_000
    )


def test_a_week_by_hand() -> None:
    (release,) = weeks(snapshot_of(MONDAY, 7), MONDAY + timedelta(days=7))
    assert (release.head.period_start, release.head.period_end) == ("2026-11-02", "2026-11-08")
    assert {one.owner: (one.value, one.residual) for one in release.observations} == {
        "deepseek": (420.0, False),
        "openai": (175.0, False),
        "other": (105.0, True),
    }
    assert (release.head.layer, release.head.unit, release.head.licence) == ("serving", "tokens", "CC BY 4.0")


@pytest.mark.parametrize("model", ["a" * 201 + "/x", "a/x"])
def test_a_week_beyond_the_contract_is_refused_as_a_whole(model: str) -> None:
    rows = ((model, 10**60 if model == "a/x" else 5),)
    with pytest.raises(DeadLetterError, match=r"week of 2026-11-02: (owner|value): "):
        weeks(snapshot_of(MONDAY, 7, rows), MONDAY + timedelta(days=7))


@given(st.dates(date(2026, 9, 1), date(2026, 12, 1)), st.integers(1, 40), st.integers(0, 3))
def test_only_whole_weeks_that_are_over(first: date, days: int, later: int) -> None:
    last = first + timedelta(days=days - 1)
    snapshot = last + timedelta(days=later)
    found = weeks(snapshot_of(first, days), snapshot)
    ends = [date.fromisoformat(one.head.period_end) for one in found]
    expected = [
        day
        for n in range(days)
        if (day := first + timedelta(days=n)).weekday() == 6 and day - first >= timedelta(days=6)
    ]
    assert ends == [day for day in expected if day < snapshot]
    assert all(sum(one.value for one in release.observations) == 700 for release in found)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("model_permaslug", "model", "x.csv: columns date, model, rank"),
        (
            "openai/gpt-6-20260922,",
            "gpt-6,",
            "line 3, column model_permaslug: 'gpt-6', expected author/model, or other",
        ),
        (":free", "", "line 4, column model_permaslug: 'openai/gpt-6-20260922', expected each model once a day"),
        (",60,", ",many,", "line 2, column total_tokens: 'many', expected a number of 0 or more"),
    ],
)
def test_a_mistake_names_its_line(old: str, new: str, message: str) -> None:
    text = snapshot_of(MONDAY, 7)
    assert old in text
    with pytest.raises(DeadLetterError) as found:
        weeks(text.replace(old, new, 1), MONDAY + timedelta(days=7))
    assert message in str(found.value)
