"""The report as one HTML file: no script, no network, every text from outside escaped. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from counterpoise.formats import NO_BREAK, PAGE
from counterpoise.plots.marks import text_of
from desk.report import html_parts as parts
from desk.report import plot_sections as sections
from desk.report import table_sections as checks
from desk.report.gap_sentence import sentence
from desk.report.report_model import Episode, Report
from desk.report.style_sheet import page_style

NOTICES: Final = {
    "simulated": "<b>Simulated data.</b> The blocks of this dataset were never mined: they were drawn from figures, or made for a "
    "test. Nothing here says what Bitcoin does now.",
    "historical": "<b>Historical data.</b> This dataset was loaded once and does not follow the chain.",
}


def render(report: Report) -> str:
    """The whole page."""
    notice = f'<p class="notice" role="note">{NOTICES[report.kind]}</p>\n' if report.kind in NOTICES else ""
    body = "".join(
        part(report)
        for part in (
            _mining_headline,
            _gap_headline,
            sections.shares,
            sections.leaders,
            sections.effective_numbers,
            sections.gap,
            sections.edge,
            checks.alerts,
            checks.quality,
        )
    )
    dataset, kind, made = text_of(report.dataset), text_of(report.kind), PAGE.minute(report.made_at)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>Counterpoise report: {dataset}, "
        f"{made}</title>\n<style>{page_style()}</style>\n</head>\n<body>\n<header><h1>Counterpoise "
        f"report</h1><p>dataset {dataset}, {kind}; made "
        f"{made}</p></header>\n{notice}<main>\n{body}</main>\n{_footer(report)}\n</body>\n</html>\n"
    )


def _mining_headline(report: Report) -> str:
    now = report.now.get(report.view)
    if now is None:
        return _headline("mining", "Bitcoin mining", parts.no_mining(report))
    hands = "entities" if now.view == "entity" else "pools"
    unknown = (
        f"{PAGE.count(now.unknown)} of the blocks have no known producer"
        if now.unknown
        else "every block has a known producer"
    )
    statement = (
        f"The four largest {hands} mined <b>{PAGE.share(now.top4)}</b> of the last {PAGE.count(now.blocks)} blocks "
        f"(95{NO_BREAK}% interval {PAGE.share_range(now.top4_low, now.top4_high)}); {unknown}, and {_firing(report.firing)}."
    )
    provisional = " (provisional)" if now.provisional else ""
    window = (
        PAGE.count(now.blocks)
        if now.blocks == now.window_blocks
        else f"{PAGE.count(now.blocks)} of {PAGE.count(now.window_blocks)}"
    )
    facts = [
        ("Up to block", f"{PAGE.count(now.height)}{provisional}<br>{PAGE.minute(now.time)}"),
        ("Window, in blocks", window),
        ("Chance of more than 75 %", PAGE.share(now.p_above_75)),
        (
            "Enough for a majority",
            f"{PAGE.count(now.nakamoto_half)} {hands}" if now.nakamoto_half else "not all known together",
        ),
        ("Effective number (D₂)", f"{PAGE.number(now.effective_pools, 1)} {hands}"),
        ("HHI, of 10,000", PAGE.count(round(now.hhi_points))),
        ("View", text_of(parts.VIEW_NAMES.get(now.view, now.view))),
        ("Attribution", f"<code>{text_of(now.attribution_id)}</code>"),
    ]
    return _headline("mining", "Bitcoin mining", f'<p class="statement">{statement}</p>{parts.facts(facts)}')


def _firing(firing: Sequence[Episode]) -> str:
    if not firing:
        return "no alert is firing"
    names = ", ".join(sorted({episode.rule_id for episode in firing}))
    count = f"{len(firing)} {'alert is' if len(firing) == 1 else 'alerts are'} firing"
    return f'<b class="attention">{count}</b> ({text_of(names)})'


def _gap_headline(report: Report) -> str:
    rows = [row for row in report.gap_rows if row.ends_year or row.at_tip]
    statement = (
        f'<p class="statement second">{text_of(PAGE.tie(sentence(rows, PAGE)))}</p>' if rows else parts.no_gap(report)
    )
    return _headline("ai", "AI compute, and the gap", statement)


def _headline(side: str, eyebrow: str, content_markup: str) -> str:
    return f'<div class="headline"><p class="eyebrow {side}">{eyebrow}</p>{content_markup}</div>\n'


def _footer(report: Report) -> str:
    since = f" Histories begin {PAGE.minute(report.since)}." if report.since else ""
    return (
        f"<footer><p>Dataset <code>{text_of(report.dataset)}</code> ({text_of(report.kind)}), chain "
        f"{text_of(report.chain)}. Made {PAGE.minute(report.made_at)} by Counterpoise {text_of(report.product_version)} from "
        f"ClickHouse {text_of(report.clickhouse_version)}, schema {text_of(report.migration)}.{since} Times are UTC. "
        "The SQL of every plot and table is under it.</p></footer>"
    )
