"""The pieces of every section of the page. Arguments named markup are our own, the rest is escaped. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from desk.question import Question
from desk.report import report_plots as plots
from desk.report.html_tables import table
from desk.report.report_model import Report

Draw = Callable[[float, str], str]
"""A plot at a width, under a name."""

VIEW_NAMES: Final = {
    "raw": "pools, as they sign",
    "entity": "entities, by ownership and proxies",
}


def not_known_yet(what: str, fills_markup: str) -> str:
    """In place of a number or plot: that it is missing, and what would fill it."""
    return f'<p class="none-yet"><b>Not known yet.</b> {text_of(what)} {fills_markup}</p>'


def nothing_since(since: datetime) -> str:
    """Histories that begin too late to hold anything."""
    begins = f"It begins {PAGE.minute(since)}; an earlier <code>--since</code> shows more."
    return f'<p class="none-yet"><b>Nothing in this time.</b> {begins}</p>'


def no_mining(report: Report) -> str:
    """Nothing of the mining side, or nothing in the time that was asked for."""
    if report.now and report.since:
        return nothing_since(report.since)
    return not_known_yet(
        "No window of this chain has been scored.",
        "<code>counterpoise run all</code> follows the chain; <code>counterpoise replay --blocks FILE</code> loads a file.",
    )


def no_gap(report: Report) -> str:
    """Nothing that compares the sides, or too little in the time that was asked for."""
    if report.gap_rows and report.since:
        return nothing_since(report.since)
    return not_known_yet(
        f"{'Only one day' if report.gap_rows else 'No release'} of AI compute has been scored against this chain.",
        "<code>counterpoise run market</code> fetches what is published; "
        "<code>counterpoise market load epoch FILE</code> loads a file.",
    )


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values; the values are markup."""
    rows = (f"<div><dt>{text_of(PAGE.tie(name))}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{"".join(rows)}</dl>'


def section(name: str, title: str, lede_markup: str, *content_markup: str) -> str:
    """A part of the page under a heading and a few lines on how to read it."""
    lede = f'<p class="lede">{PAGE.tie(lede_markup)}</p>' if lede_markup else ""
    return (
        f'<section aria-labelledby="{name}"><h2 id="{name}">{text_of(title)}</h2>{lede}'
        f"{''.join(content_markup)}</section>\n"
    )


def drawn(draw: Draw, name: str) -> str:
    """A plot at both widths; the style sheet shows one of them."""
    wide, narrow = draw(plots.WIDE, f"{name}-wide"), draw(plots.NARROW, f"{name}-narrow")
    return f'<figure><div class="wide">{wide}</div><div class="narrow">{narrow}</div></figure>'


def small_figure(title: str, lede: str, drawing_markup: str) -> str:
    """One of two plots that stand side by side."""
    return f'<figure><h3>{text_of(title)}</h3><p class="lede">{text_of(lede)}</p>{drawing_markup}</figure>'


def pair(*figures_markup: str) -> str:
    """Plots side by side, or under each other where there is no room."""
    return f'<div class="pair">{"".join(figures_markup)}</div>'


def plain_table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that is always shown."""
    return f'<div class="plain">{table(caption, heads, rows)}</div>'


def numbers_behind(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The table behind a plot, folded."""
    inside = table(caption, heads, rows)
    label = text_of(f"{caption}: numbers")
    return (
        f'<details><summary>Numbers behind it</summary><div class="scroll" tabindex="0" role="region" aria-label="{label}">'
        f"{inside}</div></details>"
    )


def ask_again(*questions: Question | None) -> str:
    """How to get the same numbers in SQL, folded."""
    shown = [question for question in questions if question is not None]
    texts = "".join(f"<pre>{text_of(one.command)}\n\n{text_of(one.sql.rstrip())}</pre>" for one in shown)
    return f"<details><summary>Ask again in SQL</summary>{texts}</details>" if shown else ""
