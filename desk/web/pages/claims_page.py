"""`/claims`: the claims of the founding article, each with its measure, its figures and the SQL behind them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from desk.claims.checked_claims import Checked, check_all, written
from desk.question import Question
from desk.web import markup
from desk.web.panels.panel import PageContext

HEADS = ("claim", "#April 2025", "#now", "verdict", "why")


@dataclass(frozen=True, slots=True)
class ClaimsPage:
    """Every claim as checked now, and the header time of the newest block."""

    checked: list[Checked]
    newest: datetime | None


def read(clickhouse: ClickHouse) -> ClaimsPage:
    return ClaimsPage(*check_all(clickhouse))


def draw(found: ClaimsPage, context: PageContext) -> str:
    """The body of the page: a table of all, then a section of each with its measure and SQL."""
    rows = [
        (
            markup.Markup(f'<a href="#claim-{one.claim.name}">{text_of(one.claim.text)}</a>'),
            written(one.then, one.claim.unit, PAGE) if one.claim.judge else "–",
            written(one.now, one.claim.unit, PAGE) if one.claim.judge else "–",
            one.verdict,
            one.why(PAGE),
        )
        for one in found.checked
    ]
    newest = PAGE.minute(found.newest) if found.newest else "no block is scored"
    table = markup.scrolled_table("Claims of the founding article", HEADS, rows)
    return (
        '<p class="crumbs"><a href="/">Desk</a> › claims</p><h1>Claims of the founding article</h1>'
        '<section class="panel broad"><h2>Figures of April 2025 and now</h2>'
        + table
        + markup.meta(("raw view", "shares are of all blocks, unknown ones included", f"newest block {newest}"))
        + f"</section>{''.join(_section(one, context) for one in found.checked)}"
    )


def _section(one: Checked, context: PageContext) -> str:
    """The measure of one claim, its figures and its query, under a permanent address."""
    name = one.claim.name
    measured = one.claim.judge is not None
    figures = "".join(
        markup.figure(label, text_of(written(value, one.claim.unit, PAGE)), name=f"{name}-{when}")
        for label, when, value in (("April 2025", "then", one.then), ("now", "now", one.now))
        if measured
    )
    command = shlex.join(["counterpoise", "--dataset", context.dataset, "claims", "--sql", name])
    why = f'<p class="note">{text_of(one.why(PAGE))}</p>' if measured else ""
    return (
        f'<section class="panel broad" id="claim-{name}" aria-labelledby="title-{name}"><div class="panel-head">'
        f'<h2 id="title-{name}">{text_of(one.claim.text)}</h2>'
        f'<a class="anchor" href="/claims#claim-{name}" aria-label="Permanent link to {text_of(one.claim.text)}">#</a></div>'
        f'<p class="statement">{text_of(one.verdict)}</p>'
        + (f'<div class="figures small">{figures}</div>' if measured else "")
        + why
        + markup.meta((one.claim.measure,))
        + (markup.asked((Question(command, one.claim.sql),)) if measured else "")
        + "</section>"
    )
