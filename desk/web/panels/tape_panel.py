"""The newest blocks as they come, with their evidence and standing."""

from __future__ import annotations

from counterpoise.formats import PAGE
from desk.asker import Asker
from desk.question import Row
from desk.web import markup
from desk.web.api_link import ApiLink
from desk.web.markup import Markup
from desk.web.panels.panel import PageContext, Panel

BLOCKS = 16
HEADS = ("height", "producer", "header time", "evidence", "standing")


def read(asker: Asker, context: PageContext) -> list[Row]:
    return asker.ask("blocks", "block_tape", chain=context.chain, limit=BLOCKS, **context.up_to)


def draw(found: list[Row], context: PageContext) -> str:
    if not found:
        return markup.nothing("No block has come yet.")
    rows, standings = [], []
    for row in found:
        standing = str(row["status"])
        if standing == "canonical":
            standing = "provisional" if row["provisional"] else "settled"
        rows.append(
            (
                Markup(markup.link("block", row["hash"], PAGE.count(row["height"]))),
                Markup(markup.link("pool", row["pool"], row["pool_name"] or row["pool"])),
                Markup(markup.time_of(row["time"])),
                "conflict" if row["conflict"] else str(row["method"]),
                standing,
            )
        )
        standings.append(standing)
    return markup.scrolled_table("Newest blocks", HEADS, rows, standings) + markup.meta(
        (f"chain {context.chain}", "below 6 confirmations a block is provisional")
    )


def api(context: PageContext) -> tuple[ApiLink, ...]:
    """The blocks of the best chain among these."""
    up_to = {} if context.height is None else {"to_height": context.height}
    return (ApiLink("blocks", {"chain": context.chain, "limit": BLOCKS, **up_to}),)


PANEL = Panel("blocks", "Newest blocks", "why", read, draw, api=api)
