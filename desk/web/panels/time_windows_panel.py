"""The last day, week, month and year in both views, at the newest full hour."""

from __future__ import annotations

import math

from counterpoise.formats import PAGE
from counterpoise.windows import SPANS_DAYS, VIEWS
from desk.asker import Asker
from desk.question import Row
from desk.web import markup
from desk.web.api_link import ApiLink
from desk.web.panels.panel import PageContext, Panel

HEADS = (
    "window",
    "view",
    "#blocks",
    "#unknown",
    "#top 4",
    "#with all unknown blocks",
    "#top 4, by work",
    "#largest",
    "#HHI",
    "#for a majority",
)


def read(asker: Asker, context: PageContext) -> list[Row]:
    return [
        row | {"view": view}
        for view in VIEWS
        for row in asker.ask(f"time-windows-{view}", "time_windows", chain=context.chain, view=view, **context.up_to)
    ]


def draw(found: list[Row], context: PageContext) -> str:
    if not found:
        return markup.nothing("No full hour has passed since the first block of this chain.")
    rows = [
        (
            _window(row),
            row["view"],
            PAGE.count(row["n"]),
            PAGE.count(row["unknown"]),
            PAGE.share(row["top4_share"]),
            PAGE.share(row["top4_share_upper"]),
            "–" if math.isnan(row["top4_work_share"]) else PAGE.share(row["top4_work_share"]),
            PAGE.share(row["top1_share"]),
            PAGE.count(round(10_000 * row["hhi"])),
            PAGE.count(row["nakamoto_half"]),
        )
        for row in sorted(found, key=lambda row: (row["span_days"], row["view"] != "raw"))
    ]
    newest = max(found, key=lambda row: row["height"])
    partial = any(not row["window_full"] for row in found)
    return markup.scrolled_table("Windows of time", HEADS, rows) + markup.meta(
        (
            "up to the first block after each full hour",
            "unknown blocks in the denominator",
            "HHI of 10,000",
            "no interval: drift exceeds chance in a long window",
            *(("part: the blocks stored do not reach back to its start",) if partial else ()),
            markup.as_of(newest["height"], newest["time"]),
        )
    )


def _window(row: Row) -> str:
    """The length of a window in words; a window that the stored blocks do not fill is marked.

    >>> _window({"span_days": 1, "window_full": True}), _window({"span_days": 365, "window_full": False})
    ('1 day', '365 days (part)')
    """
    days = int(row["span_days"])
    return f"{PAGE.count(days)} {'day' if days == 1 else 'days'}{'' if row['window_full'] else ' (part)'}"


def api(context: PageContext) -> tuple[ApiLink, ...]:
    """The newest hours of each window; the first row is the one that is shown."""
    newest = {"chain": context.chain, "order": "newest", "limit": 24, **context.known}
    return tuple(
        ApiLink("time_windows", {"days": days, "view": view, **newest}) for days in SPANS_DAYS for view in VIEWS
    )


PANEL = Panel("time-windows", "Windows of time", "why", read, draw, slow=True, api=api)
