"""The largest pool and entity, the majority, and how much is unknown."""

from __future__ import annotations

from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from counterpoise.windows import VIEWS
from desk.asker import Asker
from desk.web import markup
from desk.web.api_link import ApiLink
from desk.web.panels import top4_panel
from desk.web.panels.panel import PageContext, Panel
from desk.web.panels.top4_panel import Top4Reading

_KINDS = {"raw": "pool", "entity": "entity"}


def read(asker: Asker, context: PageContext) -> Top4Reading:
    return top4_panel.read(asker, context)


def draw(found: Top4Reading, context: PageContext) -> str:
    if not found.now:
        return markup.nothing("No window of this chain has been scored.")
    parts = []
    for view, now in found.now.items():
        leaders = found.leaders[view]
        if not leaders:
            continue
        one = leaders[0]
        name = markup.link("pool", one.slug, one.name) if view == "raw" else text_of(one.name)
        parts.append(
            markup.figure(
                f"Largest {_KINDS[view]}",
                PAGE.share(one.share),
                f"{name}<br>95 % interval {PAGE.share_range(one.low, one.high)}",
                name=f"largest-{view}",
                class_="mining",
            )
        )
        enough = f"{PAGE.count(now.nakamoto_half)}" if now.nakamoto_half else "none"
        parts.append(
            markup.figure(
                f"{'Pools' if view == 'raw' else 'Entities'} for a majority",
                enough,
                "the fewest that mined more than half of the blocks",
                name=f"majority-{view}",
                class_="mining",
            )
        )
    first = next(iter(found.now.values()))
    return f'<div class="figures small">{"".join(parts)}</div>' + markup.meta(
        (
            f"last {PAGE.count(first.blocks)} blocks",
            f"{PAGE.count(first.unknown)} without a known producer",
            markup.as_of(first.height, first.time, provisional=first.provisional),
        )
    )


def api(context: PageContext) -> tuple[ApiLink, ...]:
    return (*top4_panel.api(context), *leaders_links(context))


def leaders_links(context: PageContext) -> tuple[ApiLink, ...]:
    """The leaders of the window of the page, in each view."""
    return tuple(ApiLink("pools", {"view": view, "window": context.window_blocks, **context.series}) for view in VIEWS)


PANEL = Panel("largest", "The largest", "now", read, draw, api=api)
