"""Every window in both views, side by side."""

from __future__ import annotations

from counterpoise.formats import PAGE
from counterpoise.windows import VIEWS
from desk.asker import Asker
from desk.question import Row
from desk.web import markup
from desk.web.api_link import ApiLink
from desk.web.panels.panel import PageContext, Panel

HEADS = (
    "window, in blocks",
    "view",
    "#top 4",
    "#95 % interval",
    "#P(above 75 %)",
    "#largest",
    "#HHI",
    "#D₂",
    "#for a majority",
)


def read(asker: Asker, context: PageContext) -> list[Row]:
    found: list[Row] = []
    for view in VIEWS:
        if context.height is None:
            rows = asker.ask(f"windows-{view}", "concentration_now", view=view)
        else:
            rows = asker.ask(f"windows-{view}", "concentration_at", chain=context.chain, view=view, **context.up_to)
        found += [row | {"view": view} for row in rows]
    return [row for row in found if row["chain"] == context.chain]


def draw(found: list[Row], context: PageContext) -> str:
    if not found:
        return markup.nothing("No window of this chain has been scored.")
    rows = [
        (
            PAGE.count(row["window_blocks"]),
            row["view"],
            PAGE.share(row["top4_share"]),
            PAGE.share_range(row["top4_share_low"], row["top4_share_high"]),
            PAGE.share(row["p_top4_above_75"]),
            PAGE.share(row["top1_share"]),
            PAGE.count(round(row["hhi_10000"])),
            PAGE.number(row["effective_pools_d2"], 1),
            PAGE.count(row["nakamoto_half"]),
        )
        for row in sorted(found, key=lambda row: (row["window_blocks"], row["view"] != "raw"))
    ]
    newest = max(found, key=lambda row: row["height"])
    return markup.scrolled_table("Windows and views", HEADS, rows) + markup.meta(
        (
            "unknown blocks in the denominator, left out of D₂",
            "95 % interval and P: of the mean hashrate of the window, without drift",
            "HHI of 10,000",
            markup.as_of(newest["height"], newest["time"]),
        )
    )


def api(context: PageContext) -> tuple[ApiLink, ...]:
    metrics = "top4_share,top4_share_low,top4_share_high,p_top4_above_75,top1_share,hhi_10000,effective_pools_d2,nakamoto_half"
    return (ApiLink("windows", {"metrics": metrics, **context.series}),)


PANEL = Panel("windows", "Windows and views", "why", read, draw, api=api)
