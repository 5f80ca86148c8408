"""What moved the top-4 share in seven days: parts by pool that sum to the change."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from counterpoise.clickhouse.explain_window import WindowPair, read_pairs
from counterpoise.errors import ConfigError
from counterpoise.explain.explained_change import Explanation, explain
from counterpoise.formats import PAGE
from counterpoise.windows import VIEWS
from desk.asker import Asker
from desk.web import markup
from desk.web.panels.panel import PageContext, Panel, pool_blocks

WEEK_SECONDS: Final = 7 * 86_400
METRIC: Final = "top4_share"
SHOWN: Final = 5
HEADS: Final = ("pool or entity", "#before", "#now", "#part, points", "its change is")
LABELS: Final = {"within chance": "within chance", "within drift": "within usual drift", "beyond": "beyond both"}


@dataclass(frozen=True, slots=True)
class Moved:
    """The change of one view, and the windows that it is between."""

    view: str
    found: Explanation
    pair: WindowPair


def read(asker: Asker, context: PageContext) -> list[Moved]:
    height = [] if context.height is None else ["--height", str(context.height)]
    for view in VIEWS:
        where = ("--chain", context.chain, "--view", view, "--window", str(context.window_blocks))
        asker.note(view, "explain", "top4", *where, "--over", "7d", *height)
        asker.show(
            f"parts-{view}",
            "top4_parts",
            chain=context.chain,
            view=view,
            window=context.window_blocks,
            seconds=WEEK_SECONDS,
            **context.up_to,
        )
    try:
        pairs = read_pairs(
            asker.clickhouse,
            context.chain,
            context.window_blocks,
            VIEWS,
            height=context.height,
            from_height=None,
            over_seconds=WEEK_SECONDS,
            after=pool_blocks(asker, context),
        )
    except ConfigError:  # no window so long before
        return []
    found = []
    for view, pair in pairs.items():
        with suppress(ValueError):  # a window without a known producer
            found.append(Moved(view, explain(METRIC, pair.before, pair.after, remapped=pair.remapped), pair))
    return found


def draw(found: list[Moved], context: PageContext) -> str:
    if not found:
        return markup.nothing("No window ended a week before the newest one.")
    parts = "".join(f"<div><h3>{_title(one)}</h3>{table(one.found)}</div>" for one in found)
    first = found[0].pair
    return f'<div class="pair">{parts}</div>' + markup.meta(
        (
            f"windows of {PAGE.count(context.window_blocks)} blocks that end in "
            f"{markup.as_of(first.before.height, first.before_time)} and {markup.as_of(first.after.height, first.after_time)}",
            "shares of all blocks, unknown ones included",
            "the parts sum to the change",
        )
    )


def _title(one: Moved) -> str:
    return f"Top-4 {'pools' if one.view == 'raw' else 'entities'}: {PAGE.points(one.found.change, 2)} points"


def table(found: Explanation) -> str:
    """The largest parts of a change; the rest, and a change of the entity map, are a line each."""
    rows = [
        (
            part.pool,
            PAGE.share(part.share_before),
            PAGE.share(part.share_after),
            PAGE.points(part.change, 2),
            LABELS[part.label],
        )
        for part in found.parts[:SHOWN]
    ]
    rest = found.parts[SHOWN:]
    if rest:
        rows.append((f"{len(rest)} more", "", "", PAGE.points(sum(part.change for part in rest), 2), ""))
    if found.entity_map:
        rows.append(("changes of the entity map", "", "", PAGE.points(found.entity_map, 2), ""))
    return markup.scrolled_table("Parts of the change", HEADS, rows)


PANEL = Panel("moved", "What moved it in a week", "why", read, draw, wide=True, slow=True)
