"""Pieces of markup that panels and pages share. Arguments named markup are our own, the rest is escaped. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from urllib.parse import quote, urlencode

from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from desk.question import Question
from desk.web.api_link import ApiLink, listed


def time_of(moment: datetime) -> str:
    """A UTC minute that shows the local time on hover, by `static/live.js`."""
    return f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{PAGE.minute(moment)}</time>'


def figure(label: str, value_markup: str, note_markup: str = "", *, name: str = "", class_: str = "") -> str:
    """One large number with its label. `name` lets a test find the number and the SQL behind it."""
    data = f' data-figure="{text_of(name)}"' if name else ""
    note = f'<p class="note">{note_markup}</p>' if note_markup else ""
    return f'<div class="figure {class_}"><p class="of">{text_of(label)}</p><p class="big"{data}>{value_markup}</p>{note}</div>'


def meta(parts: Iterable[str]) -> str:
    """Window, view, denominator and as-of time, in one small line."""
    return f'<p class="meta">{" · ".join(text_of(part) for part in parts)}</p>'


def as_of(height: int, moment: datetime, *, provisional: bool = False) -> str:
    """Height and time that figures rest on."""
    return f"block {PAGE.count(height)}{' (provisional)' if provisional else ''}, {PAGE.minute(moment)}"


def asked(questions: Iterable[Question], links: Iterable[ApiLink] = ()) -> str:
    """The SQL behind a panel, folded, each with a link that opens it in the SQL console, and the same figures from the API."""
    shown = list(questions)
    if not shown:
        return ""
    texts = "".join(
        f"<pre>{text_of(one.command)}{text_of(chr(10) * 2 + one.sql.rstrip() if one.sql else '')}</pre>"
        + _opened(one, place)
        for place, one in enumerate(shown, 1)
    )
    api = listed(links)
    return f"<details><summary>SQL{' and API' if api else ''}</summary>{texts}{api}</details>"


def _opened(question: Question, place: int) -> str:
    if not question.sql:
        return ""
    return f'<p class="note"><a href="{text_of(console_link(question))}">Open query {place} in the SQL console</a></p>'


def console_link(question: Question) -> str:
    """The SQL console with this query and its parameters filled in, as `console/static/console.js` reads a link.

    >>> console_link(Question("", "-- name: one\\nSELECT {n:UInt8}", {"n": "1 2"}))
    '/sql#sql=SELECT%20%7Bn%3AUInt8%7D&p.n=1%202'
    """
    lines = question.sql.rstrip().splitlines()
    statement = "\n".join(line for line in lines if not line.startswith("-- "))
    given = {"sql": statement} | {f"p.{name}": value for name, value in question.values.items()}
    return f"/sql#{urlencode(given, quote_via=quote)}"


def nothing(what: str, next_step_markup: str = "") -> str:
    """In place of figures: what is missing, and what would fill it."""
    return f'<p class="none-yet"><b>Not known yet.</b> {text_of(what)} {next_step_markup}</p>'


def link(folder: str, name: str, words: str) -> str:
    """A link to a page of the desk, such as `/pool/foundry-usa`."""
    return f'<a href="/{folder}/{quote(name, safe="")}">{text_of(words)}</a>'


def scrolled(name: str, content_markup: str) -> str:
    """A region that scrolls by itself, so that the page never does sideways; the keyboard reaches it."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{text_of(name)}">{content_markup}</div>'


class Markup(str):
    """A cell that is markup already: it is not escaped again."""

    __slots__ = ()


def scrolled_table(name: str, heads: Sequence[str], rows: Sequence[Sequence[str]], classes: Sequence[str] = ()) -> str:
    """A table in such a region; on a narrow screen each row becomes a card.

    A head that begins with # is of numbers. `classes` has one class for each row, or none.
    """
    numeric = [head.startswith("#") for head in heads]
    words = [head.removeprefix("#") for head in heads]
    top = "".join(
        f'<th scope="col"{_class(right)}>{text_of(head)}</th>' for head, right in zip(words, numeric, strict=True)
    )
    body = "".join(
        f"<tr{f' class={chr(34)}{text_of(classes[at])}{chr(34)}' if classes else ''}>{_cells(cells, words, numeric)}</tr>"
        for at, cells in enumerate(rows)
    )
    return scrolled(
        name,
        f'<table class="cards" aria-label="{text_of(name)}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>',
    )


def _cells(cells: Sequence[str], heads: Sequence[str], numeric: Sequence[bool]) -> str:
    parts = []
    for at, (cell, head, right) in enumerate(zip(cells, heads, numeric, strict=True)):
        shown = cell if isinstance(cell, Markup) else text_of(cell)
        tag, scope = ("th", ' scope="row"') if at == 0 else ("td", "")
        parts.append(f'<{tag}{scope}{_class(right)} data-head="{text_of(head)}">{shown}</{tag}>')
    return "".join(parts)


def _class(right: bool) -> str:
    return ' class="n"' if right else ""
