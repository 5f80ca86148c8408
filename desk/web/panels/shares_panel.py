"""The top-4 share over time, over five spans, in both views."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from counterpoise.chain.chain_registry import CHAINS
from counterpoise.chain.milestones import Milestone, milestones
from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from counterpoise.windows import RAW, VIEWS
from desk.asker import Asker
from desk.question import Row
from desk.report import report_plots as plots
from desk.report.gather import share_point
from desk.report.report_model import Episode, SharePoint
from desk.web import markup
from desk.web.api_link import ApiLink
from desk.web.figure import Numbers, Readable, figure, stretches
from desk.web.panels.panel import PageContext, Panel

SPANS: Final[Mapping[str, tuple[str, int | None, int | None]]] = {
    "24h": ("24 hours", 144, None),
    "7d": ("7 days", 1_008, None),
    "30d": ("30 days", 4_320, None),
    "1y": ("1 year", None, 365),
    "all": ("all", None, None),
}
"""Name → words, and either how many blocks or how many days; neither for everything. Days come from the table of days."""

USUAL_SPAN: Final = "30d"
WIDTH: Final = 680.0
"""Width of a plot beside the other view's, in units of the drawing."""
_HOW_TO_READ: Final = "Point at the line, or use the arrow keys, to read single values."
VIEW_WORDS: Final = {"raw": "pools", "entity": "entities"}


@dataclass(frozen=True, slots=True)
class Shares:
    """What one drawing shows."""

    view: str
    span: str
    points: Sequence[SharePoint]
    episodes: Sequence[Episode]
    map_changes: Sequence[date] = ()
    """Days on which the entity map changes; of long spans of the entity view only."""
    chain: str = ""
    """Of another chain than the page's."""


def read_one(asker: Asker, context: PageContext, view: str, span: str) -> Shares:
    """The points of one span and view; KeyError for a span or view that does not exist."""
    _, blocks, days = SPANS[span]
    if view not in VIEWS:
        raise KeyError(view)
    given: dict[str, object] = {"chain": context.chain, "view": view, "window": context.window_blocks, **context.up_to}
    if blocks is not None:
        rows = asker.ask(f"shares-{view}-{span}", "share_recent", blocks=blocks, **given)
    else:
        since = {} if days is None else {"since": (context.now - timedelta(days=days)).date().isoformat()}
        rows = asker.ask(f"shares-{view}-{span}", "share_daily", **given, **since)
    points = [share_point(row) for row in rows]
    return Shares(
        view,
        span,
        points,
        _episodes(asker, context.until),
        _map_changes(asker, context, view) if blocks is None else (),
    )


def _map_changes(asker: Asker, context: PageContext, view: str) -> list[date]:
    """Read for a year or more alone: a short chart is read at every block, and the map changes once in years."""
    if view == RAW:
        return []
    at = {} if context.height is None else {"at": context.at}
    rows = asker.ask("map-changes", "entity_map_changes", chain=context.chain, **at)
    return [date.fromisoformat(row["day"]) for row in rows]


def read_around(asker: Asker, step: Row, cleared_height: int | None) -> Shares:
    """The share around a step of an alert: from two windows before its block to one after it cleared, or to now while it is open."""
    window = step["window_blocks"]
    end = {} if cleared_height is None else {"to_height": cleared_height + window}
    rows = asker.ask(
        "shares",
        "share_between",
        chain=step["chain"],
        view=step["view"],
        window=window,
        from_height=max(0, step["height"] - 2 * window),
        **end,
    )
    return Shares(
        step["view"],
        "alert",
        [share_point(row) for row in rows],
        _episodes(asker, {"chain": step["chain"]}),
        chain=step["chain"],
    )


def _episodes(asker: Asker, given: Mapping[str, object]) -> list[Episode]:
    """When alerts of a chain fired: all times, or those up to the block of a page of the past."""
    rows = asker.ask("episodes", "alert_spans", **given)
    return [
        Episode(
            rule_id=row["rule_id"],
            alert_id=row["alert_id"],
            fired_at=row["fired_at"],
            fired_height=row["fired_height"],
            cleared_at=row["cleared_at"],
            cleared_height=None,
            value=None,
            threshold=None,
            peak_top4=None,
            summary="",
        )
        for row in rows
    ]


def read(asker: Asker, context: PageContext) -> list[Shares]:
    return [read_one(asker, context, view, USUAL_SPAN) for view in VIEWS]


def drawing(found: Shares, context: PageContext, width: float) -> str:
    """The plot as SVG; a sentence where there is nothing to plot."""
    if len(found.points) < 2:
        return markup.nothing("Fewer than two full windows in this span.")
    words = SPANS[found.span][0] if found.span in SPANS else "around the alert"
    title = f"Top-4 share of {VIEW_WORDS[found.view]}, {words}"
    line = context.line if context.line is not None and context.line.view == found.view else None
    return plots.share_plot(
        found.points,
        found.episodes,
        line,
        width=width,
        name=f"shares-{found.view}-{found.span}-{int(width)}",
        title=title,
        milestones=marks_of(found.chain or context.chain, found.points),
        map_changes=found.map_changes,
    )


def marks_of(chain: str, points: Sequence[SharePoint]) -> list[Milestone]:
    """Halvings and retargets of a known chain between the first and the last point."""
    return milestones(CHAINS[chain], points[0].height, points[-1].height) if chain in CHAINS and points else []


def chart(found: Shares, context: PageContext, width: float = WIDTH) -> str:
    """The plot for a desk, at `width`, and for a telephone."""
    if len(found.points) < 2:
        return drawing(found, context, width)
    label = f"Top-4 share of {VIEW_WORDS[found.view]}"
    return figure(
        lambda across, _: drawing(found, context, across),
        f"shares-{found.view}",
        numbers_of(label, found.points),
        width=width,
        readable=Readable(
            readings(found.points), plots.share_frame, f"{label}: arrow keys read single points", _HOW_TO_READ
        ),
    )


def numbers_of(caption: str, points: Sequence[SharePoint]) -> Numbers:
    """Value and interval at the end of each stretch of the points, with the lowest and highest inside it."""
    heads = ("up to", "#block", "#share", "#95 % low", "#95 % high", "#lowest", "#highest")
    rows = [
        (
            PAGE.minute(stretch[-1].time),
            PAGE.count(stretch[-1].height),
            *(PAGE.share(value) for value in (stretch[-1].share, stretch[-1].low, stretch[-1].high)),
            PAGE.share(min(point.lowest for point in stretch)),
            PAGE.share(max(point.highest for point in stretch)),
        )
        for stretch in stretches(points)
    ]
    return Numbers(caption, heads, rows)


def readings(points: Sequence[SharePoint]) -> str:
    """The points as JSON for `static/readings.js`: time (unix seconds), height, share and the two ends of its interval.

    Shares have four decimals, which is more than is shown.
    """
    rows = [
        [int(p.time.timestamp()), p.height, *(round(value, 4) for value in (p.share, p.low, p.high))] for p in points
    ]
    return json.dumps(rows, separators=(",", ":"))


def _past(context: PageContext) -> str:
    """The height of a page of the past, for the script that fetches another span."""
    return "" if context.height is None else f' data-height="{context.height}"'


def draw(found: list[Shares], context: PageContext) -> str:
    parts = []
    for one in found:
        buttons = "".join(
            f'<button type="button" data-span="{span}" aria-pressed="{str(span == one.span).lower()}">{text_of(words)}</button>'
            for span, (words, _, _) in SPANS.items()
        )
        parts.append(
            f'<div class="chart" data-chart="{one.view}"{_past(context)}>'
            f'<div class="chart-head"><h3>Top-4 {VIEW_WORDS[one.view]}</h3>'
            f'<div class="spans" role="group" aria-label="Span">{buttons}</div></div>'
            f'<div class="drawn">{chart(one, context)}</div></div>'
        )
    return f'<div class="charts">{"".join(parts)}</div>' + markup.meta(
        (
            f"windows of {PAGE.count(context.window_blocks)} blocks, unknown blocks in the denominator",
            *as_of(found),
            "pale band: 95 % interval; darker band: lowest and highest between two points",
            "shaded: the alert was firing",
            "ticks on the axis: retargets; dotted: a halving, or a change of the entity map",
        )
    )


def as_of(found: Sequence[Shares]) -> tuple[str, ...]:
    """The newest point of all drawings; nothing where none has a point."""
    last = max((one.points[-1] for one in found if one.points), key=lambda point: point.height, default=None)
    return () if last is None else (f"to {markup.as_of(last.height, last.time)}",)


def api(context: PageContext) -> tuple[ApiLink, ...]:
    metrics = "top4_share,top4_share_low,top4_share_high"
    where = {"chain": context.chain, "window": context.window_blocks, "frequency": "day", **context.known}
    return tuple(ApiLink("timeseries", {"metrics": metrics, "view": view, **where}) for view in VIEWS)


PANEL = Panel("shares", "Top-4 share over time", "why", read, draw, wide=True, api=api)
