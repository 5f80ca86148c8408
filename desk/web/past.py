"""The page as of a past block: the block that an address names, its panels, and the controls that step through time.

A page of the past rests on what is stored for its block under the current attribution. It is read once per request and never changes
under its reader; only a reorganisation, a new attribution or a corrected release gives the same address other figures.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from desk.asker import Memory
from desk.named_queries import named_query
from desk.web import markup
from desk.web.drawing import Drawn, draw_side_by_side
from desk.web.panels.panel import PageContext, Panel

MAX_HEIGHT: Final = 2**32 - 2
KEPT_PAGES: Final = 8
"""Pages of the past that are kept, a quarter of a megabyte each: people step to and fro, and send each other an address."""
KEPT_FOR: Final = timedelta(seconds=60)
STEPS: Final = (1, 144, 1_008)
"""Blocks that one step of the controls takes."""

_BLOCK: Final = """
SELECT height, time FROM concentration_shares
WHERE chain = {chain:String} AND view = 'raw' AND window_blocks = {window:UInt16} AND height = {height:UInt32}
"""
_STATE: Final = """
SELECT arrayStringConcat([
    (
        SELECT toString((tip_hash, attribution_id, least(confirmations, 6))) FROM concentration_shares
        WHERE chain = {chain:String} AND view = 'raw' AND window_blocks = {window:UInt16} AND height = {height:UInt32}
    ),
    (SELECT toString((count(), max(version))) FROM alert_events_log),
    (SELECT toString((count(), max(version))) FROM releases_log),
    (SELECT toString((count(), max(version))) FROM asymmetry_log),
    (SELECT toString(count()) FROM attribution_pointer_log),
    (SELECT toString(count()) FROM dead_letters_log)
])
"""
"""What a page of the past rests on beside its block: it changes whenever a figure of the page may."""


def parse(height: str, at: str) -> int | datetime:
    """The height or the moment that an address asks for. ValueError, with words for people, for anything else.

    >>> parse("840,000", ""), parse("", "2024-04-20T02:09+02:00")
    (840000, datetime.datetime(2024, 4, 20, 0, 9, tzinfo=datetime.timezone.utc))
    """
    if height and at:
        raise ValueError("an address names either a height or a time, not both")
    if height:
        digits = height.replace(",", "").strip()
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 10 or int(digits) > MAX_HEIGHT:
            raise ValueError(f"height {height[:40]!r}: expected a block height, such as 840000")
        return int(digits)
    try:
        moment = datetime.fromisoformat(at.strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"at {at[:40]!r}: expected a UTC time, such as 2024-04-20T00:09") from None
    if not 1970 <= moment.year < 2100:
        raise ValueError(f"at {at[:40]!r}: expected a time from 1970 to 2099")
    return moment


def find(clickhouse: ClickHouse, context: PageContext, wanted: int | datetime) -> PageContext | None:
    """What a page of the past is about. None where the block is not scored, or none is as old as the moment."""
    if isinstance(wanted, datetime):
        query = named_query("height_at")
        at = replace(context, now=wanted).at
        rows = clickhouse.query(query.sql, query.bind({"chain": context.chain, "at": at}))
    else:
        given = {"chain": context.chain, "window": context.window_blocks, "height": wanted}
        rows = clickhouse.query(_BLOCK, given)
    return replace(context, height=int(rows[0][0]), now=rows[0][1]) if rows else None


class PastPages:
    """The panels of pages of the past, read side by side on two connections. Safe between threads.

    The newest are kept while what they rest on stands, for KEPT_FOR at most: a metric may be stored some time after its release.
    """

    def __init__(self, connect: Callable[[], ClickHouse], now: Callable[[], datetime]) -> None:
        """`connect` makes the second connection of a reading."""
        self._connect = connect
        self._now = now
        self._kept: OrderedDict[tuple[object, ...], tuple[datetime, Mapping[str, Drawn]]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, clickhouse: ClickHouse, context: PageContext, panels: Iterable[Panel]) -> Mapping[str, Drawn]:
        """Each panel as it stood at the block of the context."""
        wanted = tuple(panels)
        given = {"chain": context.chain, "window": context.window_blocks, "height": context.height}
        state = (context, tuple(panel.name for panel in wanted), *clickhouse.query(_STATE, given)[0])
        with self._lock:
            kept = self._kept.get(state)
            if kept is not None and self._now() - kept[0] < KEPT_FOR:
                return kept[1]
        began = self._now()
        with self._connect() as beside:
            drawn = draw_side_by_side((clickhouse, beside), wanted, context, Memory())
        with self._lock:
            self._kept[state] = began, drawn
            self._kept.move_to_end(state)
            while len(self._kept) > KEPT_PAGES:
                self._kept.popitem(last=False)
        return drawn


def absent(wanted: int | datetime, tip: int | None) -> str:
    """Why there is no page for what was asked."""
    newest = f" The newest is block {PAGE.count(tip)}." if tip is not None else ""
    if isinstance(wanted, datetime):
        return f"No scored block has a header time at or before {PAGE.minute(wanted)}."
    return f"Block {PAGE.count(wanted)} is not scored.{newest}"


def head(context: PageContext) -> str:
    """In place of the state of the line: the block that the page is about."""
    return (
        f'<span class="then">As of block <b data-figure="tip">{PAGE.count(context.height)}</b></span>'
        f"<span>header time {markup.time_of(context.now)}</span>"
    )


def notice(context: PageContext) -> str:
    """That the page shows the past."""
    return (
        f'<p class="notice past" role="note"><b>The past.</b> This page is as of block {PAGE.count(context.height)}, '
        f"{markup.time_of(context.now)}. It rests on what is stored for that block under the current attribution, and it does not "
        f'change as blocks come. <a href="/as-of/{context.now:%Y-%m-%d}">What was known on that day</a> · '
        '<a href="/">Back to live</a></p>'
    )


def controls(context: PageContext, tip: int | None, path: str = "/") -> str:
    """Links that step through the blocks, and fields for a height and a time; folded on the live page."""
    fields = (
        f'<form action="{path}" method="get"><label>Block <input name="height" inputmode="numeric" pattern="[0-9,]+" required '
        f'size="9" value="{"" if context.height is None else context.height}"></label> <button>Show</button></form>'
        f'<form action="{path}" method="get"><label>UTC time <input name="at" type="datetime-local" step="1" required '
        f'value="{"" if context.height is None else f"{context.now:%Y-%m-%dT%H:%M:%S}"}"></label> <button>Show</button></form>'
    )
    if context.height is None:
        before = "" if tip is None else f'<a href="{path}?height={max(tip - 144, 0)}">144 blocks ago</a>'
        return f'<details class="time"><summary>Past</summary><div class="steps">{before}{fields}</div></details>'
    earlier = "".join(_step(context.height, -size, tip, path) for size in reversed(STEPS))
    later = "".join(_step(context.height, size, tip, path) for size in STEPS)
    return (
        f'<nav class="time" aria-label="Time"><div class="steps">{earlier}<b>{PAGE.count(context.height)}</b>{later}'
        f'<a class="live" href="{path}">Live</a>{fields}</div></nav>'
    )


def _step(height: int, size: int, tip: int | None, path: str) -> str:
    """One link; without a target where no block is."""
    words = f"{'−' if size < 0 else '+'}{PAGE.count(abs(size))}"
    label = f"{PAGE.count(abs(size))} {'block' if abs(size) == 1 else 'blocks'} {'earlier' if size < 0 else 'later'}"
    to = height + size
    if to < 0 or (tip is not None and to > tip):
        return f'<span class="off" aria-hidden="true">{words}</span>'
    return f'<a href="{path}?height={to}" aria-label="{text_of(label)}">{words}</a>'
