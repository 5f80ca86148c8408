"""Every endpoint that answers with a table: its parameters, and how it reads a page. One entry each; OpenAPI follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, get_args

from counterpoise.chain.chain_registry import CHAINS
from counterpoise.contracts.alerts import AlertState
from counterpoise.contracts.releases import Kind
from counterpoise.metrics.specs.registry import SPECS
from counterpoise.series.load import load_catalogue
from counterpoise.windows import RAW, SPANS_DAYS, USUAL_WINDOW_BLOCKS, VIEWS, WINDOWS_BLOCKS
from desk.web.api import tables
from desk.web.api.cursor import PATTERN, read_cursor, write_cursor
from desk.web.api.errors import ApiError
from desk.web.api.formats import FORMATS, Table
from desk.web.api.parameters import Parameter, flag, moment, number_of, one_of, some_of, text, whole_number
from desk.web.api.reader import Reader, Result
from desk.web.api.timeseries import (
    FREQUENCIES,
    MAX_HOURS,
    Series,
    Statement,
    by_block,
    by_day,
    by_hour,
    heights_of_range,
    whole_periods,
)

MAX_ROWS: Final = 10_000
USUAL_ROWS: Final = 1_000
DEFAULT_METRICS: Final = ("top4_share",)
DEFAULT_HOURS: Final = timedelta(days=31)
MAX_HEIGHT: Final = 4_000_000_000

Values = Mapping[str, Any]
Read = Callable[[Reader, Values], Table]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path` below /api/v1. `read` returns one page."""

    path: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    read: Read


def _page(reader: Reader, statement: Statement, parameters: Values, path: str, place: Callable[[Row], Place]) -> Table:
    """The page of a statement whose LIMIT is one row more than the page has: that row shows that a next one exists."""
    limit = int(parameters["limit"])
    heads, blocks = reader.read(statement.sql, {**statement.parameters, "limit": limit + 1})
    blocks, cut = _first_rows(blocks, limit)
    following = write_cursor(path, parameters, place(_last_row(heads, blocks))) if cut else None
    return Table(heads, blocks, following, _query(statement, limit))


Row = dict[str, Any]
Place = list[int | str]


def _first_rows(blocks: list[list[Any]], limit: int) -> tuple[list[list[Any]], bool]:
    kept: list[list[Any]] = []
    left = limit
    for columns in blocks:
        rows = len(columns[0])
        if rows > left:
            return ([*kept, [column[:left] for column in columns]] if left else kept), True
        kept.append(columns)
        left -= rows
    return kept, False


def _last_row(heads: Result | Any, blocks: list[list[Any]]) -> Row:
    return {name: column[-1] for (name, _), column in zip(heads, blocks[-1], strict=True)}


def _query(statement: Statement, limit: int) -> dict[str, Any]:
    return {"sql": statement.sql, "parameters": {**statement.parameters, "limit": limit}}


def _milliseconds(value: datetime) -> int:
    return round(value.timestamp() * 1000)


# ---- /timeseries


def _timeseries(reader: Reader, given: Values) -> Table:
    path, frequency = "timeseries", given["frequency"]
    place = read_cursor(path, given, (int,))
    after = None if place is None else int(place[0])
    series = Series(
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
        return _page(reader, statement, given, path, lambda row: [round(row["time"].timestamp())])
    return _page(reader, by_day(series, after, limit), given, path, lambda row: [(row["time"] - date(1970, 1, 1)).days])


def _heights(reader: Reader, series: Series) -> tuple[int, int]:
    """The lowest and highest height of a series in its range of time; 1 and 0 where there is none."""
    statement = heights_of_range(series)
    _, found = reader.read(statement.sql, statement.parameters)
    return (int(found[0][0][0]), int(found[0][1][0])) if found else (1, 0)


def _series_blocks(reader: Reader, given: Values, series: Series, low: int, high: int) -> Table:
    """A page of heights from `low` on: at most `limit` of them are read, and those out of the range of time are left out."""
    limit = int(given["limit"])
    last = min(high, low + limit - 1)
    bounds = (low, last) if low <= high else (1, 0)
    table = _page(reader, by_block(series, *bounds, limit), given, "timeseries", lambda row: [int(row["height"])])
    following = write_cursor("timeseries", given, [last]) if low <= high and last < high else None
    return Table(table.heads, table.blocks, following, table.query)


def _bounded_hours(reader: Reader, series: Series) -> Series:
    """The series with a range of at most MAX_HOURS. Without `start` the range is the last 31 days before its end."""
    if series.start is None or series.end is None:
        newest = _newest_time(reader, series)
        if newest is None:
            return series
        end = min(moment for moment in (series.end, newest + timedelta(hours=1)) if moment is not None)
        known = end if series.as_of is None else min(end, series.as_of)
        start = series.start if series.start is not None else known - DEFAULT_HOURS
        series = Series(series.metrics, series.chain, series.view, series.window_blocks, start, end, series.as_of)
    first, last = whole_periods(series, timedelta(hours=1))
    if last - first > timedelta(hours=MAX_HOURS):
        raise ApiError(
            422,
            "range-too-long",
            f"start: by hour a request spans at most {MAX_HOURS // 24} days; use frequency=day, or ask in parts",
            parameter="start",
        )
    return series


def _newest_time(reader: Reader, series: Series) -> datetime | None:
    sql = (
        "SELECT time FROM latest_shares WHERE chain = {chain:String} AND view = {view:String} "
        "AND window_blocks = {window:UInt16} LIMIT 1"
    )
    _, blocks = reader.read(sql, series.keys)
    return blocks[0][0][0] if blocks else None


# ---- /blocks


def _blocks(reader: Reader, given: Values) -> Table:
    path, chain, limit = "blocks", given["chain"], int(given["limit"])
    place = read_cursor(path, given, (int,))
    moments = (given["start"], given["end"], given["as_of"])
    newest_first = given["order"] == "newest"
    low, high = _heights_of(reader, chain, moments)
    low, high = (
        max(low, given["from_height"] or 0),
        min(high, MAX_HEIGHT if given["to_height"] is None else given["to_height"]),
    )
    if place is not None:
        low, high = (low, min(high, place[0] - 1)) if newest_first else (max(low, place[0] + 1), high)
    span = limit if given["pool"] is None else tables.HEIGHTS_A_PAGE
    first, last = (max(low, high - span + 1), high) if newest_first else (low, min(high, low + span - 1))
    bounds = tables.time_bounds(*moments)
    if low > high:
        first, last = 1, 0
    statement = tables.blocks(chain, first, last, bounds, given["pool"], newest_first=newest_first, limit=limit)
    table = _page(reader, statement, given, path, lambda row: [int(row["height"])])
    if table.next is None and low <= high and (first > low if newest_first else last < high):
        following = write_cursor(path, given, [first if newest_first else last])
        return Table(table.heads, table.blocks, following, table.query)
    return table


# ---- /time_windows


def _time_windows(reader: Reader, given: Values) -> Table:
    """A page of hours: it looks through a bounded number of heights, and may have fewer rows than its limit."""
    path, limit = "time_windows", int(given["limit"])
    place = read_cursor(path, given, (int,))
    moments = (given["start"], given["end"], given["as_of"])
    low, high = _heights_of(reader, given["chain"], moments)
    low = low if place is None else max(low, int(place[0]) + 1)
    last = min(high, low + tables.HEIGHTS_AN_HOUR * limit - 1)
    keys = {"chain": given["chain"], "view": given["view"], "days": given["days"]}
    between = (low, last) if low <= high else (1, 0)
    statement = tables.time_windows(keys, *between, tables.time_bounds(*moments), limit)
    table = _page(reader, statement, given, path, lambda row: [int(row["height"])])
    if table.next is None and last < high:
        return Table(table.heads, table.blocks, write_cursor(path, given, [last]), table.query)
    return table


def _heights_of(reader: Reader, chain: str, moments: tuple[Any, Any, Any]) -> tuple[int, int]:
    """The lowest and highest height with a header time in a range; 1 and 0 where there is none."""
    around = tables.heights_of(chain, *moments)
    _, found = reader.read(around.sql, around.parameters)
    return (int(found[0][0][0]), int(found[0][1][0])) if found else (1, 0)


# ---- /alerts and /releases


def _alerts(reader: Reader, given: Values) -> Table:
    place = read_cursor("alerts", given, (int, str, int))
    statement = tables.alerts(
        rule=given["rule"],
        state=given["state"],
        start=given["start"],
        end=given["end"],
        as_of=given["as_of"],
        every_step=given["every_step"],
        after=None if place is None else (place[0], place[1], place[2]),
        limit=int(given["limit"]),
    )

    def end_of(row: Row) -> Place:
        return [_milliseconds(row["event_time"]), str(row["alert_id"]), int(row["sequence"])]

    return _page(reader, statement, given, "alerts", end_of)


def _releases(reader: Reader, given: Values) -> Table:
    place = read_cursor("releases", given, (int, str))
    statement = tables.releases(
        series=given["series"],
        kind=given["kind"],
        start=given["start"],
        end=given["end"],
        as_of=given["as_of"],
        current=given["current"],
        after=None if place is None else (place[0], place[1]),
        limit=int(given["limit"]),
    )

    def end_of(row: Row) -> Place:
        return [_milliseconds(row["published_at"]), str(row["release_id"])]

    return _page(reader, statement, given, "releases", end_of)


# ---- the registry

_CHAIN: Final = one_of("chain", "Chain of the blocks.", list(CHAINS), next(iter(CHAINS)))
_PAGING: Final = (
    whole_number("limit", "Rows on a page.", 1, MAX_ROWS, USUAL_ROWS),
    text("cursor", "`next` of the answer before, for the page after it.", PATTERN, "the `next` of an earlier answer"),
    one_of("format", "Format of the answer; it wins over the Accept header.", FORMATS, None),
)


def _moments(of: str, known: str) -> tuple[Parameter, ...]:
    return (
        moment("start", f"First {of} (UTC), included."),
        moment("end", f"End of the range (UTC): the first {of} that is not included."),
        moment("as_of", f"Leaves out {known}."),
    )


ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        "timeseries",
        "Metrics of one series over time",
        "One row per block, hour or UTC day, oldest first, of windows that are full. Hours and days have the value at their highest "
        "block. Days come from the daily table. Undefined values are null.",
        (
            some_of("metrics", "Metrics, separated by commas.", list(SPECS), DEFAULT_METRICS),
            one_of("view", "Pools (raw), or owners by the dated map (entity).", VIEWS, RAW),
            number_of("window", "Trailing window in blocks.", WINDOWS_BLOCKS, USUAL_WINDOW_BLOCKS),
            _CHAIN,
            one_of("frequency", "Rows per block, hour or UTC day.", FREQUENCIES, "day"),
            *_moments("time", "blocks with a later header time, and the hours and days that end later"),
            *_PAGING,
        ),
        _timeseries,
    ),
    Endpoint(
        "time_windows",
        "Windows of time",
        "One row per full hour, oldest first: concentration of the last 1, 7, 30 or 365 days up to the first block after that hour. "
        "`n` is the denominator and has the `unknown` blocks. `top4_work_share` is null but for 365 days. No interval is stored. "
        "A page may have fewer rows than its limit and still have a next page.",
        (
            number_of("days", "Length of the trailing window in days.", SPANS_DAYS, SPANS_DAYS[0]),
            one_of("view", "Pools (raw), or owners by the dated map (entity).", VIEWS, RAW),
            _CHAIN,
            *_moments("header time", "hours whose block has a later header time"),
            *_PAGING,
        ),
        _time_windows,
    ),
    Endpoint(
        "blocks",
        "Blocks of the best chain",
        "One row per height, with the pool under the current attribution set. A page may have fewer rows than its limit and still "
        "have a next page.",
        (
            _CHAIN,
            text("pool", "Only blocks of this pool, by its slug.", r"[a-z0-9][a-z0-9._-]{0,63}", "a pool's slug"),
            whole_number("from_height", "Lowest height.", 0, MAX_HEIGHT),
            whole_number("to_height", "Highest height.", 0, MAX_HEIGHT),
            one_of("order", "Newest or oldest block first.", ("newest", "oldest"), "newest"),
            *_moments("header time", "blocks with a later header time"),
            *_PAGING,
        ),
        _blocks,
    ),
    Endpoint(
        "alerts",
        "Alerts with their evidence",
        "One row per alert by its latest step, or one row per step; newest first. `reproduce_sql` computes the value again.",
        (
            text("rule", "Only alerts of this rule.", r"[a-z0-9][a-z0-9._-]{0,63}", "a rule's id"),
            one_of("state", "Only alerts in this state.", get_args(AlertState), None),
            flag("every_step", "true: every step of an alert, not only the latest.", default=False),
            *_moments("time of the step", "steps that were recorded later"),
            *_PAGING,
        ),
        _alerts,
    ),
    Endpoint(
        "releases",
        "Releases of market series",
        "One row per release, by publication, newest first.",
        (
            one_of("series", "Only this series.", list(load_catalogue().series), None),
            one_of("kind", "measured or forecast.", get_args(Kind), None),
            flag(
                "current", "true: only the release that stands for each period; false: replaced ones too.", default=True
            ),
            *_moments("publication", "what was published later, and keeps what was withdrawn later"),
            *_PAGING,
        ),
        _releases,
    ),
)
"""Every endpoint of tables."""
