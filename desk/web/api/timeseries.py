"""The statement of `/timeseries`: metrics of one series by block, hour or day. Pure.

Names of metrics come from the specs and stand in the text; every value of the request is a bound parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal, get_args

from counterpoise.formats import clickhouse_moment
from counterpoise.metrics.spec import MetricSpec
from counterpoise.metrics.specs.metric_registry import SPECS
from desk.web.api.parameters import EARLIEST, LATEST

Frequency = Literal["block", "hour", "day"]
FREQUENCIES: Final[tuple[Frequency, ...]] = get_args(Frequency)

MAX_HOURS: Final = 400 * 24
"""Longest range of hours in one request: hours are summed up from blocks when they are read."""

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_MOMENT: Final = "DateTime64(3, 'UTC')"


@dataclass(frozen=True, slots=True)
class BoundSql:
    """SQL with the values of its parameters."""

    sql: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SeriesRequest:
    """What a request for a time series is about. `start` is included, `end` is not; blocks later than `as_of` are left out."""

    metrics: tuple[str, ...]
    chain: str
    view: str
    window_blocks: int
    start: datetime | None = None
    end: datetime | None = None
    as_of: datetime | None = None

    @property
    def keys(self) -> dict[str, Any]:
        """The parameters that choose the series."""
        return {"chain": self.chain, "view": self.view, "window": self.window_blocks}


_KEYS: Final = "chain = {chain:String} AND view = {view:String} AND window_blocks = {window:UInt16}"


def narrowest_view(metrics: Sequence[str], specs: Mapping[str, MetricSpec] = SPECS) -> str:
    """The view that has all of these metrics and computes the fewest others.

    >>> narrowest_view(["top4_share", "top4_share_low"]), narrowest_view(["top4_share", "hhi"])
    ('concentration_shares', 'concentration')
    """
    groups = {specs[name].group for name in metrics}
    return f"concentration_{groups.pop()}" if len(groups) == 1 else "concentration"


def heights_of_range(series: SeriesRequest) -> BoundSql:
    """The lowest and highest height in the range of time, from the daily table: a few rows, however long the history is.

    No row where the range has no full window.
    """
    sql = f"""SELECT min(from_height), max(to_height)
FROM concentration_daily
WHERE {_KEYS} AND metric IN {{metrics:Array(String)}} AND day >= {{start:Date}} AND day <= {{end:Date}}
HAVING count() > 0"""  # noqa: S608 - constant names
    end = min(series.end or LATEST, series.as_of or LATEST)
    days = {"start": (series.start or EARLIEST).date().isoformat(), "end": end.date().isoformat()}
    return BoundSql(sql, {**series.keys, "metrics": list(series.metrics), **days})


def by_block(series: SeriesRequest, low: int, high: int, limit: int) -> BoundSql:
    """One row per height between two heights, in order of height."""
    columns = ", ".join(f"c.{SPECS[name].name} AS {SPECS[name].name}" for name in series.metrics)
    sql = f"""SELECT c.time AS time, c.height AS height, {columns}
FROM {narrowest_view(series.metrics)} AS c
WHERE {_KEYS} AND c.window_full AND c.height BETWEEN {{low:UInt32}} AND {{high:UInt32}}
  AND c.time >= {{start:{_MOMENT}}} AND c.time < {{end:{_MOMENT}}} AND c.time <= {{as_of:{_MOMENT}}}
ORDER BY c.height
LIMIT {{limit:UInt32}}"""  # noqa: S608 - names of the specs only
    bounds = _bounds(series.start or EARLIEST, series.end or LATEST, series.as_of or LATEST)
    return BoundSql(sql, {**series.keys, **bounds, "low": low, "high": high, "limit": limit})


def by_hour(series: SeriesRequest, after: int | None, low: int, high: int, limit: int) -> BoundSql:
    """One row per hour of header time: the values at its highest block, between two heights.

    `after`: second of the last hour of the page before.
    """
    columns = ", ".join(f"argMax(c.{SPECS[name].name}, c.height) AS {SPECS[name].name}" for name in series.metrics)
    sql = f"""SELECT toStartOfHour(c.time) AS time, max(c.height) AS height, {columns}
FROM {narrowest_view(series.metrics)} AS c
WHERE {_KEYS} AND c.window_full AND c.height BETWEEN {{low:UInt32}} AND {{high:UInt32}}
  AND c.time >= {{start:{_MOMENT}}} AND c.time < {{end:{_MOMENT}}}
GROUP BY toStartOfHour(c.time)
ORDER BY toStartOfHour(c.time)
LIMIT {{limit:UInt32}}"""  # noqa: S608 - names of the specs only
    start, end = whole_periods(series, _HOUR)
    if after is not None:
        start = max(start, datetime.fromtimestamp(min(after, LATEST.timestamp()), UTC) + _HOUR)
    bounds = {"start": _text(start), "end": _text(max(start, end))}
    return BoundSql(sql, {**series.keys, **bounds, "low": low, "high": high, "limit": limit})


def by_day(series: SeriesRequest, after: int | None, limit: int) -> BoundSql:
    """One row per UTC day: the values at its highest block, from the daily table. `after`: days since 1970 of the last row.

    A metric that an upgrade brought is undefined on the days that were stored before it.
    """
    values = {f"metric{place}": SPECS[name].name for place, name in enumerate(series.metrics)}
    columns = ", ".join(
        f"ifNull(anyOrNullIf(c.last, c.metric = {{{parameter}:String}}), nan) AS {name}"
        for parameter, name in values.items()
    )
    sql = f"""SELECT c.day AS time, max(c.to_height) AS height, {columns}
FROM concentration_daily AS c
WHERE {_KEYS} AND c.metric IN {{metrics:Array(String)}} AND c.day >= {{start:Date}} AND c.day < {{end:Date}}
GROUP BY c.day
ORDER BY c.day
LIMIT {{limit:UInt32}}"""  # noqa: S608 - names of the specs only
    start, end = (moment.date() for moment in whole_periods(series, _DAY))
    if after is not None:
        start = max(start, date(1970, 1, 1) + timedelta(days=min(after, (LATEST - EARLIEST).days)) + _DAY)
    bounds = {"start": start.isoformat(), "end": max(start, end).isoformat()}
    return BoundSql(sql, {**series.keys, **values, "metrics": list(series.metrics), **bounds, "limit": limit})


def whole_periods(series: SeriesRequest, period: timedelta) -> tuple[datetime, datetime]:
    """The periods that begin in [start, end) and end by `as_of`, as the start of the first and of the one after the last."""
    start, end = _up(series.start or EARLIEST, period), _up(series.end or LATEST, period)
    known = LATEST if series.as_of is None else EARLIEST + (series.as_of - EARLIEST) // period * period
    return start, min(end, known)


def _up(moment: datetime, period: timedelta) -> datetime:
    return EARLIEST - (EARLIEST - moment) // period * period


def _bounds(start: datetime, end: datetime, as_of: datetime) -> dict[str, str]:
    return {"start": _text(start), "end": _text(end), "as_of": _text(as_of)}


def _text(moment: datetime) -> str:
    return clickhouse_moment(moment)
