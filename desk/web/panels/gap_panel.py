"""Both sides and the gap between them, with its call and the age of its data."""

from __future__ import annotations

from typing import Any, Final

from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from desk.asker import Asker
from desk.report import report_plots as plots
from desk.report.gap_sentence import LEVELS, GapRow, sentence
from desk.report.gather import GAP_SERIES
from desk.web import markup
from desk.web.api_link import ApiLink
from desk.web.figure import Numbers, figure
from desk.web.panels.panel import PageContext, Panel

MINING_SIDE: Final = "mining: pools as they sign, D₂ of the last 1,008 blocks, unknown blocks left out"


def read(asker: Asker, context: PageContext) -> list[GapRow]:
    given: dict[str, object] = {"series": GAP_SERIES, "chain": context.chain}
    if context.height is None:
        rows = asker.ask("gap", "gap_by_quarter", **given)
    else:
        rows = asker.ask("gap", "gap_at", at=context.at, **given)
    return [GapRow(*row.values()) for row in rows]


def draw_now(found: list[GapRow], context: PageContext) -> str:
    """The gap at the tip in three figures and a sentence."""
    if not found:
        return markup.nothing(
            "No release of AI compute has been scored against this chain.",
            "<code>counterpoise run market</code> fetches what is published.",
        )
    last = found[-1]
    age: Any = (context.now.date() - last.period_end).days if last.period_end else None
    figures = markup.figure(
        "Gap L, in doublings",
        PAGE.doublings_range(last.l_min, last.l_max),
        f"95 % over every treatment {PAGE.doublings_range(last.low, last.high)}",
        name="gap",
        class_="ai",
    ) + markup.figure(
        "Call",
        text_of(LEVELS.get(last.level, last.level)),
        f"AI figures of {PAGE.day(last.period_end)}" + (f", {PAGE.count(age)} days old" if age is not None else ""),
        name="call",
        class_="words ai",
    )
    rows = [row for row in found if row.ends_year or row.at_tip]
    said = f'<p class="why">{text_of(PAGE.tie(sentence(rows, PAGE)))}</p>' if rows else ""
    return f'<div class="figures">{figures}</div>{said}' + markup.meta(
        (MINING_SIDE, f"AI: owners of compute, chips in H100 equivalents; to {PAGE.day(last.day)}")
    )


def draw_history(found: list[GapRow], context: PageContext) -> str:
    """The gap by quarter."""
    if len(found) < 2:
        return markup.nothing("Fewer than two quarters have been scored.")
    title = "The gap L by quarter, in doublings"

    def drawn(width: float, name: str) -> str:
        return plots.gap_plot(found, width=width, name=name, title=title)

    return figure(drawn, "gap", numbers(title, found)) + markup.meta(
        (
            "L is log₂ of AI owners over mining pools, both as effective numbers (D₂)",
            MINING_SIDE,
            f"to {PAGE.day(found[-1].day)}",
            "thick: the three treatments of the unnamed rest; thin: their 95 % intervals",
            *(("each quarter by what was published by its end",) if context.height is not None else ()),
        )
    )


def numbers(caption: str, rows: list[GapRow]) -> Numbers:
    """Each quarter and the tip: L under the three treatments, the ends of the intervals, both sides, and the level."""
    heads = (
        "day",
        "#L, rest left out",
        "#rest one owner each",
        "#rest spread",
        "#95 % low",
        "#95 % high",
        "#pools, D₂",
        "level",
    )
    lines = [
        (
            PAGE.day(row.day),
            *(PAGE.doublings(value) for value in (row.l_dropped, row.l_one_owner, row.l_spread, row.low, row.high)),
            PAGE.number(row.pools, 1),
            LEVELS.get(row.level, row.level),
        )
        for row in rows
    ]
    return Numbers(caption, heads, lines)


def api(context: PageContext) -> tuple[ApiLink, ...]:
    """The releases behind the gap; the gap itself is computed from them and the pools."""
    return (ApiLink("releases", {"series": GAP_SERIES, **context.known}),)


NOW = Panel("gap", "The gap to AI compute", "now", read, draw_now, slow=True, api=api)
HISTORY = Panel("gap-history", "The gap over time", "so-what", read, draw_history, wide=True, slow=True, api=api)
