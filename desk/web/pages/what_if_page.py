"""`/what-if`: a window before and after the ticked pools become one, and every merger of two of the largest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.pool_blocks import PoolBlocks, read_pool_blocks
from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from counterpoise.risk.mergers import DOJ_FTC_2023, Concentration, Merger, merge, pairwise_mergers
from counterpoise.windows import RAW, WINDOWS_BLOCKS
from desk.adversaries import POOL_NOTE
from desk.asker import Asker
from desk.question import Question
from desk.web import markup
from desk.web.panels.panel import PageContext

MOST_TICKS: Final = 24
"""Pools that can be ticked, the largest first."""
PAIRED: Final = 6
HEADS: Final = ("measure", "#now", "#merged", "#change")
PAIR_HEADS: Final = (
    "pools",
    "#share",
    "#top 4",
    "#HHI",
    "#change",
    "#for a majority",
    "#confirmations, risk 0.1 %",
    "market",
)
BANDS: Final = (
    f"{DOJ_FTC_2023.source}: above {PAGE.count(int(DOJ_FTC_2023.high))} points of HHI, a change of more than "
    f"{PAGE.count(int(DOJ_FTC_2023.change))} is presumed harmful"
)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The window, the pools that can be ticked with their blocks, those that are, and what they would be as one (from two on)."""

    window: PoolBlocks
    pools: Sequence[tuple[str, int]]
    ticked: Sequence[str]
    merger: Merger | None
    pairs: Sequence[Merger]
    questions: Sequence[Question]


def parse(pools: Sequence[str], window: str, usual: int) -> tuple[tuple[str, ...], int]:
    """The pools and the window that an address names. ValueError, with words for people, for another window.

    >>> parse(["antpool", "foundry-usa+antpool"], "", 1008)
    (('antpool', 'foundry-usa'), 1008)
    """
    named = tuple(dict.fromkeys(name for one in pools for name in one.replace(" ", "+").split("+") if name))
    if not window:
        return named, usual
    if window not in {str(blocks) for blocks in WINDOWS_BLOCKS}:
        raise ValueError(f"window {window[:12]!r}: expected one of {', '.join(map(str, WINDOWS_BLOCKS))}")
    return named, int(window)


def read(clickhouse: ClickHouse, context: PageContext, named: Sequence[str], window: int) -> WhatIf:
    """ConfigError where the chain is not scored, or a pool made no block of the window."""
    found = read_pool_blocks(clickhouse, context.chain, window)
    ranked = sorted(found.raw.items(), key=lambda one: (-one[1], one[0]))[:MOST_TICKS]
    ticked = found.pools("+".join(named), "pool")
    unknown = found.views[RAW].unknown
    asker = Asker(clickhouse, context.dataset)
    at = ("--chain", context.chain, "--window", str(window), "--height", str(found.height))
    if len(ticked) > 1:
        asker.note("diff", "entities", "diff", "+".join(ticked), *at)
    asker.note("mergers", "entities", "mergers", *at)
    asker.show("blocks", "pool_contents", chain=context.chain, window=window, height=found.height)
    return WhatIf(
        found,
        ranked,
        ticked,
        merge(found.raw, ticked, unknown) if len(ticked) > 1 else None,
        pairwise_mergers(found.raw, unknown, largest=PAIRED),
        tuple(asker.questions.values()),
    )


def draw(found: WhatIf) -> str:
    """The body of the page: the form, the window before and after, the pairs."""
    window = found.window
    meta = markup.meta((f"pools as they sign; {window.denominator}", BANDS))
    return (
        '<p class="crumbs"><a href="/">Desk</a> › what if</p><h1>What if some pools were one</h1>'
        f'<section class="panel broad"><h2>Pools of the last {PAGE.count(window.views[RAW].n)} blocks</h2>{_form(found)}'
        f'<p class="note">{text_of(POOL_NOTE)}</p></section>'
        f'<section class="panel broad"><h2>Before and after</h2>{_merged(found.merger)}{meta}</section>'
        f'<section class="panel broad"><h2>Mergers of two of the {PAIRED} largest</h2>{_pairs(found.pairs)}{meta}</section>'
        + markup.asked(found.questions)
    )


def _form(found: WhatIf) -> str:
    n = found.window.views[RAW].n
    ticks = "".join(
        f'<label><input type="checkbox" name="pool" value="{text_of(pool)}"{" checked" if pool in found.ticked else ""}> '
        f"{text_of(pool)} <span class='note'>{PAGE.share(blocks / n)}</span></label>"
        for pool, blocks in found.pools
    )
    windows = "".join(
        f'<option value="{blocks}"{" selected" if blocks == found.window.window else ""}>{PAGE.count(blocks)} blocks</option>'
        for blocks in WINDOWS_BLOCKS
    )
    return (
        '<form class="ticks" method="get" action="/what-if"><fieldset><legend>Tick two or more pools</legend>'
        f'<div class="tick">{ticks}</div></fieldset><p><label>Window <select name="window">{windows}</select></label> '
        "<button>Show them as one</button></p></form>"
    )


def _merged(merger: Merger | None) -> str:
    if merger is None:
        return '<p class="note">No two pools are ticked.</p>'
    before, after = merger.before, merger.after
    rows = [
        ("largest pool", *_shares(before.largest_share, after.largest_share)),
        ("top 4", *_shares(before.top4_share, after.top4_share)),
        ("HHI, of 10,000", _hhi(before), _hhi(after), _change(merger)),
        ("pools for a majority", majority(before), majority(after), ""),
        ("confirmations, risk 0.1 %", confirmations(before), confirmations(after), ""),
    ]
    words = f"{' + '.join(merger.members)} as one: {PAGE.share(merger.share)} of blocks. The market after it: {merger.verdict()}."
    return f'<p class="statement">{text_of(words)}</p>' + markup.scrolled_table("Before and after", HEADS, rows)


def _pairs(pairs: Sequence[Merger]) -> str:
    if not pairs:
        return markup.nothing("Fewer than two pools made blocks of the window.")
    rows = [
        (
            " + ".join(one.members),
            PAGE.share(one.share),
            PAGE.share(one.after.top4_share),
            _hhi(one.after),
            _change(one),
            majority(one.after),
            confirmations(one.after),
            one.verdict(),
        )
        for one in pairs
    ]
    return markup.scrolled_table("Mergers of two", PAIR_HEADS, rows)


def _shares(before: float, after: float) -> tuple[str, str, str]:
    return PAGE.share(before), PAGE.share(after), f"{PAGE.points(after - before)} points"


def _hhi(one: Concentration) -> str:
    return PAGE.count(round(one.hhi_points))


def _change(merger: Merger) -> str:
    return f"+{PAGE.count(round(merger.hhi_change))}"


def majority(one: Concentration) -> str:
    """The fewest pools that hold more than half; `not reached` where the known ones do not."""
    return PAGE.count(one.nakamoto_half) if one.nakamoto_half else "not reached"


def confirmations(one: Concentration) -> str:
    """A number of blocks; from one half on none suffices."""
    return PAGE.count(int(one.confirmations)) if math.isfinite(one.confirmations) else "no number suffices"
