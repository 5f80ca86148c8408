"""Data quality: the age of each series, and what could not be processed."""

from __future__ import annotations

from dataclasses import dataclass

from counterpoise.formats import PAGE
from desk.asker import Asker
from desk.question import Row
from desk.web import markup
from desk.web.panels.panel import PageContext, Panel

SERIES_HEADS = ("series", "newest period", "#age", "stale", "#missing")
LETTER_HEADS = ("reason", "service", "#events", "#not replayed", "last")


@dataclass(frozen=True, slots=True)
class Quality:
    series: list[Row]
    letters: list[Row]


def read(asker: Asker, context: PageContext) -> Quality:
    if context.height is None:
        return Quality(asker.ask("series", "series_age"), asker.ask("dead_letters", "dead_letter_reasons"))
    return Quality(
        asker.ask("series", "series_age_at", at=context.at),
        asker.ask("dead_letters", "dead_letter_reasons", at=context.at),
    )


def draw(found: Quality, context: PageContext) -> str:
    series = [
        (
            row["series"],
            PAGE.day(row["period_end"]),
            PAGE.age(None if row["age_days"] is None else row["age_days"] * 86_400),
            "stale" if row["stale"] else "no",
            PAGE.count(row.get("missing")),
        )
        for row in found.series
    ]
    letters = [
        (
            row["reason"],
            row["service"],
            PAGE.count(row["letters"]),
            PAGE.count(row["not_replayed"]),
            PAGE.minute(row["last_seen"]),
        )
        for row in found.letters
    ]
    first = (
        markup.scrolled_table("Market series", SERIES_HEADS, series)
        if series
        else markup.nothing("No market series is stored.")
    )
    second = (
        markup.scrolled_table("Dead letters", LETTER_HEADS, letters)
        if letters
        else '<p class="note">Every event so far could be processed: there is no dead letter.</p>'
    )
    return (
        f'<div class="pair"><div><h3>Market series</h3>{first}</div>'
        f"<div><h3>Events that could not be processed</h3>{second}</div></div>"
    )


PANEL = Panel("quality", "Data quality", "so-what", read, draw, wide=True, slow=True)
