"""The largest pools and entities: share now, and how it changed."""

from __future__ import annotations

import math

from counterpoise.formats import PAGE
from counterpoise.windows import VIEWS
from desk.asker import Asker, Row
from desk.web import markup
from desk.web.markup import Markup
from desk.web.panels.panel import Context, Panel

HEADS = ("name", "#blocks", "#share", "#since 1,008 blocks before", "#since 4,320 blocks before")
TITLES = {"raw": "Pools, as they sign", "entity": "Entities, by ownership and proxies"}


def read(asker: Asker, context: Context) -> dict[str, list[Row]]:
    given: dict[str, object] = {"chain": context.chain, "window": context.window_blocks, **context.up_to}
    return {view: asker.ask(f"pools-{view}", "pool_table", view=view, **given) for view in VIEWS}


def draw(found: dict[str, list[Row]], context: Context) -> str:
    if not any(found.values()):
        return markup.nothing("No window of this chain has been scored.")
    parts = []
    for view, rows in found.items():
        lines = [
            (
                Markup(markup.link("pool", row["pool"], row["name"])) if view == "raw" else row["name"],
                PAGE.count(row["blocks_now"]),
                PAGE.share(row["share_now"]),
                change(row["share_now"], row["share_week_before"]),
                change(row["share_now"], row["share_month_before"]),
            )
            for row in rows
        ]
        parts.append(f"<div><h3>{TITLES[view]}</h3>{markup.scrolled_table(TITLES[view], HEADS, lines)}</div>")
    return f'<div class="pair">{"".join(parts)}</div>' + markup.meta(
        (
            f"last {PAGE.count(max(row['n_now'] for rows in found.values() for row in rows))} blocks",
            "a pool that was not among the six largest before has no earlier share here",
        )
    )


def change(now: float, before: float) -> str:
    """A change of a share in points; a dash where there is no share to compare with.

    >>> change(0.25, 0.0)
    '–'
    """
    if not before or math.isnan(before):
        return "–"
    return PAGE.points(now - before)


PANEL = Panel("pools", "Pools and entities", "why", read, draw, wide=True)
