"""The frame of every page of the desk, and the first page itself. Values in, markup out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from desk.report.report_page import NOTICES
from desk.web import markup, past
from desk.web.drawing import Drawn
from desk.web.hub import LineState
from desk.web.panels.panel import TIERS, PageContext, Panel


def frame(
    title: str, body_markup: str, context: PageContext, head_markup: str, *, live: bool = False, time_markup: str = ""
) -> str:
    """A whole page: the head with the state of the line, the notices of the past and of a dataset that is not live, the body.

    `time_markup`: the controls that choose a block.
    """
    notice = f'<p class="notice" role="note">{NOTICES[context.kind]}</p>' if context.kind in NOTICES else ""
    attribute = " data-live" if live else ""
    if context.height is not None:
        notice, attribute = past.notice(context) + notice, ' class="past"'
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>{text_of(title)} · Counterpoise</title>\n"
        '<link rel="icon" href="/static/icon.svg"><link rel="stylesheet" href="/static/desk.css">\n'
        '<script type="module" src="/static/live.js"></script>\n</head>\n'
        f'<body{attribute}>\n<a class="skip" href="#main">Skip to the figures</a>\n'
        f'<header class="top"><a class="brand" href="/">Counterpoise</a>'
        f'<a href="/sql">SQL console</a><div id="line">{head_markup}</div>{time_markup}</header>\n'
        f'{notice}<main id="main">{body_markup}</main>\n'
        f"<footer><p>Dataset <code>{text_of(context.dataset)}</code> ({text_of(context.kind)}), chain {text_of(context.chain)}. "
        f"Times are UTC; hover for the local time.{_docs(context.docs_url)}</p></footer>\n</body>\n</html>\n"
    )


def _docs(url: str) -> str:
    """A link to the documentation, where it is served."""
    return f' <a href="{text_of(url)}/index.html" rel="noreferrer">Documentation</a>.' if url else ""


def line_head(line: LineState, now: datetime, *, live: bool) -> str:
    """The state of the line in one row: tip and its age, lag, health, what is unavailable.

    In a dataset that is not live the age of the tip means nothing, and services may rest.
    """
    parts = []
    if line.tip_height is None or line.tip_time is None:
        parts.append("<span>no block yet</span>")
    else:
        parts.append(f'<span>block <b data-figure="tip">{PAGE.count(line.tip_height)}</b></span>')
        if live:
            age = PAGE.age((now - line.tip_time).total_seconds())
            stamp = f"{line.tip_time:%Y-%m-%dT%H:%M:%SZ}"
            parts.append(f'<span>header time <time datetime="{stamp}" data-age>{age}</time> ago</span>')
        else:
            parts.append(f"<span>{markup.time_of(line.tip_time)}</span>")
    if line.lag is not None:
        parts.append(f"<span>lag {PAGE.count(line.lag)}</span>")
    if line.away_since is not None:
        parts.append(
            f'<span class="bad">ClickHouse does not answer since {markup.time_of(line.away_since)}: these are the last figures</span>'
        )
    if line.kafka_problem:
        parts.append(f'<span class="bad" title="{text_of(line.kafka_problem)}">Kafka does not answer</span>')
    if line.rules_problem:
        kept = "the rules of before are in use" if line.rules_in_use else "no line is drawn"
        parts.append(
            f'<span class="bad" title="{text_of(line.rules_problem)}">the rules file has a mistake: {kept}</span>'
        )
    services = [one for one in line.services if live or one[1] not in ("stopped", "never ran")]
    unhealthy = [(name, state, detail) for name, state, healthy, detail in services if not healthy]
    for name, state, detail in unhealthy:
        parts.append(f'<span class="bad" title="{text_of(detail)}">{text_of(name)}: {text_of(state)}</span>')
    if services and not unhealthy and line.away_since is None and not line.kafka_problem:
        parts.append('<span class="good">all services healthy</span>')
    return "".join(parts)


def panel_box(drawn: Drawn, *, alone: bool = False, height: int | None = None) -> str:
    """A panel with its heading, its SQL and its permanent link; `height` is the block of a page of the past."""
    panel = drawn.panel
    query = "" if height is None else f"?height={height}"
    return (
        f'<section class="panel{" broad" if panel.wide or alone else ""}" id="{panel.name}" data-panel="{panel.name}" '
        f'aria-labelledby="{panel.name}-title"><div class="panel-head"><h2 id="{panel.name}-title">{text_of(panel.title)}</h2>'
        f'<a class="anchor" href="/panel/{panel.name}{query}" aria-label="Permanent link to {text_of(panel.title)}">#</a></div>'
        f'<div class="content">{drawn.markup}</div>{markup.asked(drawn.questions, drawn.links)}</section>'
    )


def first_page(
    drawn: Mapping[str, Drawn], panels: Sequence[Panel], context: PageContext, head_markup: str, tip: int | None
) -> str:
    """The page in three tiers. A panel that was not read yet has its place."""
    parts = []
    for tier, now_words in TIERS.items():
        words = "Then" if tier == "now" and context.height is not None else now_words
        boxes = "".join(
            panel_box(drawn[panel.name] if panel.name in drawn else Drawn(panel, _SOON, (), 0), height=context.height)
            for panel in panels
            if panel.tier == tier
        )
        if boxes:
            parts.append(
                f'<div class="tier" role="group" aria-labelledby="tier-{tier}"><p class="tier-name" id="tier-{tier}">{words}</p>'
                f'<div class="panels">{boxes}</div></div>'
            )
    live, title = context.height is None, "Desk" if context.height is None else f"Desk at block {context.height}"
    return frame(title, "".join(parts), context, head_markup, live=live, time_markup=past.controls(context, tip))


_SOON = '<p class="none-yet">Being read…</p>'
