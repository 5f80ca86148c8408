"""Every endpoint that answers with a table: its parameters, and how it reads a page. One entry each; OpenAPI follows from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args

from counterpoise.chain.chain_registry import CHAINS
from counterpoise.contracts.alert_transition import AlertState
from counterpoise.contracts.releases import Kind
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.series.load import load_catalogue
from counterpoise.windows import RAW, SPANS_DAYS, USUAL_WINDOW_BLOCKS, VIEWS, WINDOWS_BLOCKS
from desk.web.api import tables
from desk.web.api.answer_formats import FORMATS, AnswerTable
from desk.web.api.cursor import PATTERN, read_cursor, write_cursor
from desk.web.api.paging import Place, Row, Values, page_of
from desk.web.api.parameters import RequestParameter, flag, moment, number_of, one_of, some_of, text, whole_number
from desk.web.api.read_timeseries import read_timeseries
from desk.web.api.reader import Reader
from desk.web.api.timeseries import FREQUENCIES

MAX_ROWS: Final = 10_000
USUAL_ROWS: Final = 1_000
DEFAULT_METRICS: Final = ("top4_share",)
MAX_HEIGHT: Final = 4_000_000_000

Read = Callable[[Reader, Values], AnswerTable]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path` below /api/v1. `read` returns one page."""

    path: str
    title: str
    description: str
    parameters: tuple[RequestParameter, ...]
    read: Read


# ---- /blocks


def _blocks(reader: Reader, given: Values) -> AnswerTable:
    path, chain, limit = "blocks", given["chain"], int(given["limit"])
    place = read_cursor(path, given, (int,))
    moments = (given["start"], given["end"], given["as_of"])
    newest_first = given["order"] == "newest"
    low, high = _heights_of(reader, chain, moments)
    low, high = (
        max(low, given["from_height"] or 0),
        min(high, MAX_HEIGHT if given["to_height"] is None else given["to_height"]),
    )
    low, high = _after(place, low, high, newest_first=newest_first)
    span = limit if given["pool"] is None else tables.HEIGHTS_A_PAGE
    first, last = _stretch(low, high, span, newest_first=newest_first)
    bounds = tables.time_bounds(*moments)
    statement = tables.blocks(chain, first, last, bounds, given["pool"], newest_first=newest_first, limit=limit)
    table = page_of(reader, statement, given, path, lambda row: [int(row["height"])])
    return _with_rest(table, given, path, (low, high), (first, last), newest_first=newest_first)


def _after(place: Sequence[Any] | None, low: int, high: int, *, newest_first: bool) -> tuple[int, int]:
    """The heights that are left behind the last height of the page before."""
    if place is None:
        return low, high
    return (low, min(high, int(place[0]) - 1)) if newest_first else (max(low, int(place[0]) + 1), high)


def _stretch(low: int, high: int, span: int, *, newest_first: bool) -> tuple[int, int]:
    """The heights that one page looks through, `span` of them at most; 1 and 0 where none is left."""
    if low > high:
        return 1, 0
    return (max(low, high - span + 1), high) if newest_first else (low, min(high, low + span - 1))


def _with_rest(
    table: AnswerTable, given: Values, path: str, left: tuple[int, int], read: tuple[int, int], *, newest_first: bool
) -> AnswerTable:
    """The page, with a cursor where heights are left that it did not look through."""
    if table.next is not None or left[0] > left[1] or (read[0] <= left[0] if newest_first else read[1] >= left[1]):
        return table
    following = write_cursor(path, given, [read[0] if newest_first else read[1]])
    return AnswerTable(table.heads, table.blocks, following, table.query)


# ---- /windows and /pools


def _windows(reader: Reader, given: Values) -> AnswerTable:
    place = read_cursor("windows", given, (int, int))
    after = (-1, -1) if place is None else (place[0], place[1])
    statement = tables.windows(
        given["metrics"], given["chain"], given["view"], given["height"], after=after, limit=int(given["limit"])
    )

    def end_of(row: Row) -> Place:
        return [int(row["window_blocks"]), VIEWS.index(row["view"])]

    return page_of(reader, statement, given, "windows", end_of)


def _pools(reader: Reader, given: Values) -> AnswerTable:
    place = read_cursor("pools", given, (int,))
    keys = {"chain": given["chain"], "view": given["view"], "window": given["window"]}
    statement = tables.pools(keys, given["height"], 0 if place is None else int(place[0]), int(given["limit"]))
    return page_of(reader, statement, given, "pools", lambda row: [int(row["rank"])])


# ---- /time_windows


def _time_windows(reader: Reader, given: Values) -> AnswerTable:
    """A page of hours: it looks through a bounded number of heights, and may have fewer rows than its limit."""
    path, limit = "time_windows", int(given["limit"])
    place = read_cursor(path, given, (int,))
    moments = (given["start"], given["end"], given["as_of"])
    newest_first = given["order"] == "newest"
    low, high = _after(place, *_heights_of(reader, given["chain"], moments), newest_first=newest_first)
    first, last = _stretch(low, high, tables.HEIGHTS_AN_HOUR * limit, newest_first=newest_first)
    keys = {"chain": given["chain"], "view": given["view"], "days": given["days"]}
    bounds = tables.time_bounds(*moments)
    statement = tables.time_windows(keys, first, last, bounds, newest_first=newest_first, limit=limit)
    table = page_of(reader, statement, given, path, lambda row: [int(row["height"])])
    return _with_rest(table, given, path, (low, high), (first, last), newest_first=newest_first)


def _heights_of(reader: Reader, chain: str, moments: tuple[Any, Any, Any]) -> tuple[int, int]:
    """The lowest and highest height with a header time in a range; 1 and 0 where there is none."""
    around = tables.heights_of(chain, *moments)
    _, found = reader.read(around.sql, around.parameters)
    return (int(found[0][0][0]), int(found[0][1][0])) if found else (1, 0)


# ---- /alerts and /releases


def _milliseconds(value: datetime) -> int:
    return round(value.timestamp() * 1000)


def _alerts(reader: Reader, given: Values) -> AnswerTable:
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

    return page_of(reader, statement, given, "alerts", end_of)


def _releases(reader: Reader, given: Values) -> AnswerTable:
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

    return page_of(reader, statement, given, "releases", end_of)


# ---- the registry

_CHAIN: Final = one_of("chain", "Chain of the blocks.", list(CHAINS), next(iter(CHAINS)))
_PAGING: Final = (
    whole_number("limit", "Rows on a page.", 1, MAX_ROWS, USUAL_ROWS),
    text("cursor", "`next` of the answer before, for the page after it.", PATTERN, "the `next` of an earlier answer"),
    one_of("format", "Format of the answer; it wins over the Accept header.", FORMATS, None),
)


def _moments(of: str, known: str) -> tuple[RequestParameter, ...]:
    return (
        moment("start", f"First {of} (UTC), included."),
        moment("end", f"End of the range (UTC): the first {of} that is not included."),
        moment("as_of", f"Leaves out {known}."),
    )


_HEIGHT: Final = whole_number("height", "Last block of the windows; without it the newest.", 0, MAX_HEIGHT)


ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        "windows",
        "Every window now, or at one height",
        "One row per length of window and view. The windows end at the newest block, or at `height`, under the current attribution "
        "set. `window_full` is false while a chain has fewer blocks than the window. Undefined values are null.",
        (
            some_of("metrics", "Metrics, separated by commas.", list(SPECS), DEFAULT_METRICS),
            one_of("view", "Only pools (raw), or only owners by the dated map (entity).", VIEWS, None),
            _CHAIN,
            _HEIGHT,
            *_PAGING,
        ),
        _windows,
    ),
    Endpoint(
        "pools",
        "The largest of one window",
        "One row per pool or entity, largest first, at most six. The window ends at the newest block, or at `height`. `n` is the "
        "denominator and has the `unknown` blocks.",
        (
            one_of("view", "Pools (raw), or owners by the dated map (entity).", VIEWS, RAW),
            number_of("window", "Trailing window in blocks.", WINDOWS_BLOCKS, USUAL_WINDOW_BLOCKS),
            _CHAIN,
            _HEIGHT,
            *_PAGING,
        ),
        _pools,
    ),
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
        read_timeseries,
    ),
    Endpoint(
        "time_windows",
        "Windows of time",
        "One row per full hour: concentration of the last 1, 7, 30 or 365 days up to the first block after that hour. "
        "`n` is the denominator and has the `unknown` blocks. `top4_work_share` is null but for 365 days. No interval is stored. "
        "A page may have fewer rows than its limit and still have a next page.",
        (
            number_of("days", "Length of the trailing window in days.", SPANS_DAYS, SPANS_DAYS[0]),
            one_of("view", "Pools (raw), or owners by the dated map (entity).", VIEWS, RAW),
            _CHAIN,
            one_of("order", "Newest or oldest hour first.", ("newest", "oldest"), "oldest"),
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
        "One row per alert by its latest step, or one row per step; newest first. `reproduce_sql` computes the value again. "
        "For a rule of type `sql` it is the rule's query: it takes `chain` as its parameter, and reads the newest data.",
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
