"""How `/timeseries` is read: by block, by hour or by day, page by page."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from desk.web.api.answer_formats import AnswerTable
from desk.web.api.api_errors import ApiError
from desk.web.api.cursor import read_cursor, write_cursor
from desk.web.api.paging import Values, page_of
from desk.web.api.reader import Reader
from desk.web.api.timeseries import MAX_HOURS, SeriesRequest, by_block, by_day, by_hour, heights_of_range, whole_periods

DEFAULT_HOURS: Final = timedelta(days=31)


def read_timeseries(reader: Reader, given: Values) -> AnswerTable:
    path, frequency = "timeseries", given["frequency"]
    place = read_cursor(path, given, (int,))
    after = None if place is None else int(place[0])
    series = SeriesRequest(
        given["metrics"],
        given["chain"],
        given["view"],
        given["window"],
        given["start"],
        given["end"],
        given["as_of"],
    )
    limit = int(given["limit"])
    if frequency == "block":
        low, high = _heights(reader, series)
        return _series_blocks(reader, given, series, low if after is None else max(low, after + 1), high)
    if frequency == "hour":
        series = _bounded_hours(reader, series)
        low, high = _heights(reader, series)
        statement = by_hour(series, after, low, high, limit)
        return page_of(reader, statement, given, path, lambda row: [round(row["time"].timestamp())])
    return page_of(
        reader, by_day(series, after, limit), given, path, lambda row: [(row["time"] - date(1970, 1, 1)).days]
    )


def _heights(reader: Reader, series: SeriesRequest) -> tuple[int, int]:
    """The lowest and highest height of a series in its range of time; 1 and 0 where there is none."""
    statement = heights_of_range(series)
    _, found = reader.read(statement.sql, statement.parameters)
    return (int(found[0][0][0]), int(found[0][1][0])) if found else (1, 0)


def _series_blocks(reader: Reader, given: Values, series: SeriesRequest, low: int, high: int) -> AnswerTable:
    """A page of heights from `low` on: at most `limit` of them are read, and those out of the range of time are left out."""
    limit = int(given["limit"])
    last = min(high, low + limit - 1)
    bounds = (low, last) if low <= high else (1, 0)
    table = page_of(reader, by_block(series, *bounds, limit), given, "timeseries", lambda row: [int(row["height"])])
    following = write_cursor("timeseries", given, [last]) if low <= high and last < high else None
    return AnswerTable(table.heads, table.blocks, following, table.query)


def _bounded_hours(reader: Reader, series: SeriesRequest) -> SeriesRequest:
    """The series with a range of at most MAX_HOURS. Without `start` the range is the last 31 days before its end."""
    if series.start is None or series.end is None:
        newest = _newest_time(reader, series)
        if newest is None:
            return series
        end = min(moment for moment in (series.end, newest + timedelta(hours=1)) if moment is not None)
        known = end if series.as_of is None else min(end, series.as_of)
        start = series.start if series.start is not None else known - DEFAULT_HOURS
        series = SeriesRequest(
            series.metrics, series.chain, series.view, series.window_blocks, start, end, series.as_of
        )
    first, last = whole_periods(series, timedelta(hours=1))
    if last - first > timedelta(hours=MAX_HOURS):
        raise ApiError(
            422,
            "range-too-long",
            f"start: by hour a request spans at most {MAX_HOURS // 24} days; use frequency=day, or ask in parts",
            parameter="start",
        )
    return series


def _newest_time(reader: Reader, series: SeriesRequest) -> datetime | None:
    sql = (
        "SELECT time FROM latest_shares WHERE chain = {chain:String} AND view = {view:String} "
        "AND window_blocks = {window:UInt16} LIMIT 1"
    )
    _, blocks = reader.read(sql, series.keys)
    return blocks[0][0][0] if blocks else None
