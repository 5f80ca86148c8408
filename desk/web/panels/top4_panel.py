"""The share of the four largest, raw and by entity, with the distance to the rule's line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from counterpoise.explain.views import why_views_differ
from counterpoise.formats import NO_BREAK, PAGE
from counterpoise.plots.marks import text_of
from counterpoise.windows import VIEWS
from desk.asker import Asker
from desk.report.gather import leading_pools, mining_now
from desk.report.report_model import MiningNow, PoolShare, RuleLine
from desk.web import markup
from desk.web.api_link import ApiLink
from desk.web.panels.panel import PageContext, Panel

NAMES = {"raw": "Top-4 pools", "entity": "Top-4 entities"}
LEADERS = 4


@dataclass(frozen=True, slots=True)
class Top4Reading:
    """The newest window of each view and its leaders."""

    now: Mapping[str, MiningNow]
    leaders: Mapping[str, Sequence[PoolShare]]


def read(asker: Asker, context: PageContext) -> Top4Reading:
    height = context.height
    now = {view: mining_now(asker, view, context.chain, context.window_blocks, height) for view in VIEWS}
    known: dict[str, MiningNow] = {view: found for view, found in now.items() if found is not None}
    return Top4Reading(
        known, {view: leading_pools(asker, context.chain, found, height) for view, found in known.items()}
    )


def draw(found: Top4Reading, context: PageContext) -> str:
    if not found.now:
        return markup.nothing(
            "No window of this chain has been scored.", "<code>counterpoise run all</code> follows the chain."
        )
    figures = "".join(_figure(view, now, context.line) for view, now in found.now.items())
    first = next(iter(found.now.values()))
    return f'<div class="figures">{figures}</div><p class="why">{text_of(difference(found))}</p>' + markup.meta(
        (
            f"last {PAGE.count(first.blocks)} blocks, unknown blocks in the denominator",
            "95 % interval of the mean hashrate of the window, without drift",
            markup.as_of(first.height, first.time, provisional=first.provisional),
        )
    )


def _figure(view: str, now: MiningNow, line: RuleLine | None) -> str:
    share = f"{PAGE.share(now.top4)}"
    note = f"95 % interval {PAGE.share_range(now.top4_low, now.top4_high)}"
    if now.unknown:
        note += f"; at most {PAGE.share(now.top4_upper)} with the unknown blocks"
    above = line is not None and view == line.view and now.top4 > line.above
    if line is not None:
        side = "above" if now.top4 > line.above else "below"
        note += f"<br>{points(now.top4 - line.above)} {side} the line of {PAGE.share(line.above, None)}"
    return markup.figure(NAMES.get(view, view), share, note, name=f"top4-{view}", class_="above" if above else "mining")


def points(size: float) -> str:
    """The size of a difference of shares.

    >>> points(-0.063)
    '6.3\xa0points'
    """
    return f"{PAGE.points(abs(size)).removeprefix('+')}{NO_BREAK}points"


def difference(found: Top4Reading) -> str:
    """Why the two views differ; empty where one is missing."""
    if len(found.now) < 2:
        return ""
    raw, entity = found.now["raw"], found.now["entity"]
    gap = entity.top4 - raw.top4
    largest, owner = found.leaders["raw"][:1], found.leaders["entity"][:1]
    if abs(gap) < 0.0005 or not largest or not owner:
        return why_views_differ("", None, "")
    return why_views_differ(
        points(gap),
        gap > 0,
        f"Its largest is {owner[0].name} with {PAGE.count(owner[0].blocks)} blocks. The largest pool is "
        f"{largest[0].name} with {PAGE.count(largest[0].blocks)}.",
    )


def api(context: PageContext) -> tuple[ApiLink, ...]:
    metrics = "top4_share,top4_share_low,top4_share_high,top4_share_upper,top1_share,nakamoto_half"
    return (ApiLink("windows", {"metrics": metrics, **context.series}),)


PANEL = Panel("top4", "Share of the four largest", "now", read, draw, api=api)
