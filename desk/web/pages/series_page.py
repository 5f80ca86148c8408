"""`/series/NAME`: one market series, its releases and its concentration."""

from __future__ import annotations

from dataclasses import dataclass

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from desk.asker import Asker
from desk.question import Question, Row
from desk.web import markup
from desk.web.panels.panel import PageContext


@dataclass(frozen=True, slots=True)
class SeriesPage:
    name: str
    releases: list[Row]
    questions: tuple[Question, ...]


def read(clickhouse: ClickHouse, context: PageContext, name: str) -> SeriesPage | None:
    """None for a series that has no release."""
    asker = Asker(clickhouse, context.dataset)
    rows = asker.ask("releases", "series_releases", series=name)
    return SeriesPage(name, rows, tuple(asker.questions.values())) if rows else None


def draw(found: SeriesPage) -> str:
    """The body of the page."""
    rows = [
        (
            PAGE.day(row["period_end"]),
            PAGE.day(row["published_at"]),
            row["kind"],
            row["coverage"],
            PAGE.count(row["observations"]),
            row["source"],
        )
        for row in found.releases
    ]
    heads = ("period to", "published", "kind", "coverage", "#values", "source")
    return (
        f'<p class="crumbs"><a href="/">Desk</a> › series</p><h1>{text_of(found.name)}</h1>'
        f'<section class="panel broad"><h2>Releases that stand: {len(rows)}</h2>'
        f"{markup.scrolled_table('Releases', heads, rows)}</section>{markup.asked(found.questions)}"
    )
