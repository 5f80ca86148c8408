"""Parameters, cursors, formats and ranges of the API, from generated cases."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.metrics.specs.metric_registry import SPECS
from desk.web.api.answer_formats import FORMATS, MEDIA_TYPES, chosen_format, etag, is_known
from desk.web.api.api_endpoints import ENDPOINTS
from desk.web.api.api_errors import ApiError
from desk.web.api.cursor import PATTERN, read_cursor, write_cursor
from desk.web.api.parameters import EARLIEST, LATEST, read_moment, read_parameters
from desk.web.api.timeseries import (
    SeriesRequest,
    by_block,
    by_day,
    by_hour,
    heights_of_range,
    narrowest_view,
    whole_periods,
)

MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2105, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001
PERIODS = st.sampled_from([timedelta(hours=1), timedelta(days=1)])


@given(MOMENTS, st.integers(-14 * 60, 14 * 60))
def test_a_moment_is_read_in_any_offset(moment: datetime, minutes: int) -> None:
    written = moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
    assert read_moment(written) == moment
    assert read_moment(written.replace("+", " ")) == moment


@given(st.text(max_size=40))
def test_a_moment_is_a_moment_or_refused_in_one_clause(text: str) -> None:
    try:
        found = read_moment(text)
    except ValueError as error:
        assert "such as 2025-01-31" in str(error) and "\n" not in str(error)
    else:
        assert EARLIEST <= found <= LATEST and found.tzinfo is not None


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_pair_is_read_or_refused(name: str, value: str) -> None:
    for endpoint in ENDPOINTS:
        try:
            read_parameters(endpoint.parameters, [(name, value)])
        except ApiError as error:
            assert error.status == 422 and error.body.message


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_every_parameter_accepts_what_its_schema_lists(endpoint: object) -> None:
    for parameter in endpoint.parameters:  # type: ignore[attr-defined]
        schema = parameter.openapi()["schema"]
        for value in schema.get("enum", schema.get("items", {}).get("enum", [])):
            parameter.read(str(value))
        if "minimum" in schema:
            assert parameter.read(str(schema["minimum"])) == schema["minimum"]
            with pytest.raises(ValueError, match="whole number"):
                parameter.read(str(schema["maximum"] + 1))


PLACES = st.tuples(st.integers(0, (1 << 53) - 1), st.text(max_size=30))


@given(PLACES, st.dictionaries(st.sampled_from(["view", "chain", "window"]), st.text(max_size=9)))
def test_a_cursor_comes_back(place: tuple[int, str], parameters: dict[str, str]) -> None:
    cursor = write_cursor("alerts", parameters, list(place))
    assert re.fullmatch(PATTERN, cursor)
    assert read_cursor("alerts", {**parameters, "cursor": cursor, "limit": 5, "format": "csv"}, (int, str)) == list(
        place
    )
    with pytest.raises(ApiError, match="other parameters"):
        read_cursor("alerts", {**parameters, "pool": "x", "cursor": cursor}, (int, str))
    with pytest.raises(ApiError, match="earlier answer"):
        read_cursor("alerts", {**parameters, "cursor": cursor}, (int,))


@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_a_broken_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(ApiError) as error:
        read_cursor("blocks", {"cursor": cursor}, (int,))
    assert error.value.status == 422


@given(st.lists(st.tuples(st.sampled_from([*MEDIA_TYPES.values(), "*/*", "text/html"]), st.floats(0, 1)), max_size=5))
def test_the_format_has_the_largest_weight(ranges: list[tuple[str, float]]) -> None:
    accept = ", ".join(f"{media};q={weight:.3f}" for media, weight in ranges)
    exact = {media: float(f"{weight:.3f}") for media, weight in reversed(ranges)}
    weights = {name: exact.get(media, exact.get("*/*", 0.0)) for name, media in MEDIA_TYPES.items()}
    if not ranges:
        assert chosen_format(None, accept) == FORMATS[0]
    elif max(weights.values()) <= 0:
        with pytest.raises(ApiError) as error:
            chosen_format(None, accept)
        assert error.value.status == 406
    else:
        assert weights[chosen_format(None, accept)] == max(weights.values())


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_a_tag_is_of_exactly_these_bytes(one: bytes, other: bytes) -> None:
    assert (etag(one) == etag(other)) == (one == other)
    assert is_known(f"W/{etag(one)}", etag(one))


@given(MOMENTS, MOMENTS, MOMENTS, PERIODS)
def test_periods_begin_in_the_range_and_are_over_when_known(
    start: datetime, end: datetime, as_of: datetime, period: timedelta
) -> None:
    series = SeriesRequest(("hhi",), "bitcoin", "raw", 144, start, end, as_of)
    first, last = whole_periods(series, period)
    assert (first - EARLIEST) % period == (last - EARLIEST) % period == timedelta(0)
    assert start <= first < start + period
    assert last <= as_of and last < end + period
    assert last - period < end
    assert last + period > min(end, as_of), "the next period would be too late"


@given(st.lists(st.sampled_from(list(SPECS)), min_size=1, unique=True), MOMENTS, MOMENTS)
def test_no_value_of_a_request_stands_in_the_statement(names: list[str], start: datetime, end: datetime) -> None:
    series = SeriesRequest(tuple(names), "CHAIN'", "VIEW'", 12_345, start, end)
    statements = (
        heights_of_range(series),
        by_block(series, 77_777, 88_888, 4_321),
        by_hour(series, 77_777, 77_777, 88_888, 4_321),
        by_day(series, 7_777, 4_321),
    )
    for statement in statements:
        for value in ("CHAIN'", "VIEW'", "12345", "77777", "88888", "7777", "4321", str(start.year)):
            assert value not in statement.sql
        assert set(re.findall(r"\{(\w+):", statement.sql)) == statement.parameters.keys()
        json.dumps(dict(statement.parameters))


@pytest.mark.parametrize("name", SPECS)
def test_a_metric_is_read_from_the_view_of_its_group(name: str) -> None:
    assert narrowest_view([name]) == f"concentration_{SPECS[name].group}"
