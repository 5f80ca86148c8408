"""Dates and pauses in headers: whatever a server writes there is a moment, a pause, or nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.http_dates import http_date, pause_of
from desk.supervise.preflight import _clock

HUGE_YEAR = "Fri, 27 Nov 99999999999 08:02:00 GMT"


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)))  # noqa: DTZ001 - the zone is set below
def test_a_date_is_read_as_it_was_written(moment: datetime) -> None:
    whole = moment.replace(microsecond=0, tzinfo=UTC)
    assert http_date(format_datetime(whole, usegmt=True)) == whole
    assert pause_of(format_datetime(whole, usegmt=True), 0.0) == whole.timestamp()


DAMAGED = st.builds(
    lambda day, year, zone: f"Fri, {day} Nov {year} 08:02:00 {zone}",
    st.integers(-1, 10**12),
    st.integers(-1, 10**12),
    st.one_of(st.sampled_from(["GMT", "-0000", "", "+9999"]), st.integers().map(str)),
)


@given(st.one_of(st.text(), DAMAGED))
def test_anything_else_is_no_date_and_no_failure(text: str) -> None:
    found, pause = http_date(text), pause_of(text, 0.0)
    assert found is None or found.tzinfo is UTC
    assert pause is None or pause >= 0.0


@pytest.mark.parametrize(
    ("header", "verdict"), [(HUGE_YEAR, "skipped"), ("Fri, 27 Nov 2015 08:02:00 -0000", "warning")]
)
def test_a_strange_date_of_a_server_stops_no_check_of_the_clock(header: str, verdict: str) -> None:
    assert _clock(header).verdict == verdict
