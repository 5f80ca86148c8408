"""What the shares mean for a payment, for a refused transaction and for the chain, if each of the largest acted as one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from counterpoise.chain.chain_registry import chain_named
from counterpoise.errors import ConfigError
from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from counterpoise.windows import VIEWS
from desk.adversaries import POOL_NOTE, adversaries, risk_json
from desk.asker import Asker
from desk.web import markup
from desk.web.panels.panel import PageContext, Panel, pool_blocks

HEADS: Final = (
    "acting as one",
    "who",
    "#share",
    "#confirmations, risk 0.1 %",
    "#at the upper end",
    "#refused: mean wait",
    "#99 %",
    "#block interval if it stops",
    "#selfish mining pays from γ",
)
GAMMA_NOTE: Final = (
    "Selfish mining keeps blocks secret to waste those of others. "
    "γ is the part of the others that follows the secret block in a tie."
)
LINKS: Final = (
    '<p class="note"><a href="/what-if">What if some pools were one: tick them</a></p>'
    '<p class="note"><a href="/claims">The claims of the founding article, each with its figures and a verdict</a></p>'
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """The figures of each adversary, as `counterpoise risk --json` has them, and their denominator in words."""

    rows: list[dict[str, Any]]
    denominator: str


def read(asker: Asker, context: PageContext) -> Meaning | None:
    height = [] if context.height is None else ["--height", str(context.height)]
    asker.note("risk", "risk", "--chain", context.chain, "--window", str(context.window_blocks), *height)
    for view in VIEWS:
        asker.show(
            f"risk-{view}",
            "risk_now",
            chain=context.chain,
            view=view,
            window=context.window_blocks,
            **context.up_to,
        )
    try:
        chain = chain_named(context.chain)
        window = pool_blocks(asker, context)
        found = adversaries(window)
    except ConfigError:  # nothing is scored yet, or no producer is known
        return None
    rows = [
        risk_json(one, window.height, block_seconds=chain.block_spacing_seconds, retarget_blocks=chain.retarget_blocks)
        for one in found
    ]
    return Meaning(rows, window.denominator)


def draw(found: Meaning | None, context: PageContext) -> str:
    if found is None:
        return markup.nothing("No window of this chain has been scored.") + LINKS
    rows = []
    for row in found.rows:
        at, high = row["at_share"], row["at_high"]
        stop = at.get("stop_interval_minutes")
        rows.append(
            (
                row["adversary"],
                who(row["members"]),
                f"{PAGE.share(row['share'])} to {PAGE.share(row['share_high_97_5'])}",
                confirmations(at["confirmations_0_1_percent"]),
                confirmations(high["confirmations_0_1_percent"]),
                wait(at["refused_mean_minutes"]),
                wait(at["refused_99_percent_minutes"]),
                "–" if stop is None else wait(stop),
                PAGE.number(at["selfish_mining_pays_from_gamma"], 2),
            )
        )
    note = f'<p class="note">{text_of(POOL_NOTE)} {text_of(GAMMA_NOTE)}</p>'
    return markup.scrolled_table("What the shares mean", HEADS, rows) + note + LINKS + markup.meta((found.denominator,))


def who(members: list[str]) -> str:
    """The first name, and how many more.

    >>> who(["a"]), who(["a", "b", "c"])
    ('a', 'a and 2 more')
    """
    return members[0] + (f" and {len(members) - 1} more" if len(members) > 1 else "")


def confirmations(needed: float | None) -> str:
    """A number of blocks; from one half of the hashrate on none suffices."""
    return "no number suffices" if needed is None else PAGE.count(math.ceil(needed))


def wait(minutes: float | None) -> str:
    """A time; without an end where everybody refuses."""
    return "no end" if minutes is None else PAGE.age(60 * minutes)


PANEL = Panel("meaning", "What the shares mean", "so-what", read, draw, wide=True, slow=True)
