"""`/as-of/DAY`: a past day by what was known at its end, beside what is known now."""

from __future__ import annotations

import shlex

from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from desk.as_of.known import NOT_VERSIONED, SECTIONS, AsOf, shown
from desk.question import Question
from desk.web import markup
from desk.web.panels.panel import PageContext

HEADS = ("what", "known then", "known now", "differs because")


def draw(found: AsOf, context: PageContext) -> str:
    """The body of the page: what differs first, then every fact."""
    differing = found.differences
    count = "1 fact differs" if len(differing) == 1 else f"{len(differing)} facts differ"
    words = f"{count} between what was known then and what is known now."
    rows = [(f"{one.section} {one.name}", shown(one.then), shown(one.now), one.why) for one in differing]
    table = markup.scrolled_table("What differs", HEADS, rows) if rows else markup.nothing("No fact differs.")
    facts = [
        (f"{section} {name}", shown(then), shown(now))
        for section in SECTIONS
        for name, then, now in found.in_section(section)
    ]
    notes = "".join(f'<p class="note">{text_of(note)}</p>' for note in (*found.changes, *found.then.hindsight))
    missing = "".join(f"<li><b>{text_of(name)}</b>: {text_of(note)}</li>" for name, note in NOT_VERSIONED.items())
    arguments = ["as-of", found.day.isoformat(), "--chain", found.chain, "--window", str(found.window_blocks)]
    command = Question(shlex.join(["counterpoise", "--dataset", context.dataset, *arguments]), "")
    return (
        f'<p class="crumbs"><a href="/">Desk</a> › as of</p><h1>{text_of(found.day.isoformat())}, as known then and now</h1>'
        f'<section class="panel broad"><h2>What differs</h2><p class="statement">{text_of(words)}</p>{table}{notes}'
        + markup.meta(
            (
                f"window of {PAGE.count(found.window_blocks)} blocks to {markup.as_of(found.height, found.time)}",
                "shares are of all blocks, unknown ones included",
            )
        )
        + f'</section><section class="panel broad"><h2>All facts: {len(facts)}</h2>'
        + markup.scrolled_table("All facts", HEADS[:3], facts)
        + f'</section><section class="panel broad"><h2>Limits of what is versioned</h2><ul>{missing}</ul></section>'
        + markup.asked((command,))
        + f'<p class="note"><a href="/?height={found.height}">The page of block {PAGE.count(found.height)}</a></p>'
    )
