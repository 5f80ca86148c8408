"""The newest blocks as they come, with their evidence and standing."""

from __future__ import annotations

from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from desk.asker import Asker, Row
from desk.web import markup
from desk.web.panels.panel import Context, Panel

BLOCKS = 16
HEADS = ("height", "producer", "header time", "evidence", "standing")


def read(asker: Asker, context: Context) -> list[Row]:
    return asker.ask("blocks", "block_tape", chain=context.chain, limit=BLOCKS)


def draw(found: list[Row], context: Context) -> str:
    if not found:
        return markup.nothing("No block has come yet.")
    rows = []
    for row in found:
        standing = str(row["status"])
        if standing == "canonical":
            standing = "provisional" if row["provisional"] else "settled"
        evidence = "conflict" if row["conflict"] else str(row["method"])
        pool = markup.link("pool", row["pool"], row["pool_name"] or row["pool"]) if row["pool"] else "unknown"
        height = markup.link("block", row["hash"], PAGE.count(row["height"]))
        rows.append(
            f'<tr class="{text_of(standing)}"><th scope="row">{height}</th><td>{pool}</td>'
            f"<td>{markup.time_of(row['time'])}</td><td>{text_of(evidence)}</td><td>{text_of(standing)}</td></tr>"
        )
    heads = "".join(f'<th scope="col">{head}</th>' for head in HEADS)
    drawn = f'<table class="tape" aria-label="Newest blocks"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return markup.scrolled("Newest blocks", drawn) + markup.meta(
        (f"chain {context.chain}", "below 6 confirmations a block is provisional")
    )


PANEL = Panel("blocks", "Newest blocks", "why", read, draw)
