"""The edge share of what developers install, by every include-list."""

from __future__ import annotations

from functools import partial

from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from desk.asker import Asker
from desk.report import report_plots as plots
from desk.report.edge_sentence import moved
from desk.report.gather import EDGE_SERIES
from desk.report.report_model import EdgePoint
from desk.web import markup
from desk.web.api_link import ApiLink
from desk.web.figure import Numbers, figure, stretches
from desk.web.panels.panel import PageContext, Panel

WIDTH = 440.0


def read(asker: Asker, context: PageContext) -> dict[str, list[EdgePoint]]:
    lists: dict[str, list[EdgePoint]] = {}
    if context.height is None:
        rows = asker.ask("edge", "edge_share_by_list", series=EDGE_SERIES, list="")
    else:
        rows = asker.ask("edge", "edge_share_at", series=EDGE_SERIES, at=context.at)
    for row in rows:
        lists.setdefault(row["list_id"], []).append(
            EdgePoint(row["period_end"], row["edge_share"], row["lower"], row["upper"], row["missing"])
        )
    return lists


def draw(found: dict[str, list[EdgePoint]], context: PageContext) -> str:
    lists = {name: points for name, points in found.items() if len(points) > 1}
    if not lists:
        return markup.nothing("Fewer than two releases of package downloads are stored.")
    parts = []
    for place, (name, points) in enumerate(lists.items()):
        title = f"Edge share by the list {name}"
        head = f"<h3>List {text_of(name)}</h3><p class='note'>{text_of(moved(points[0], points[-1]))}</p>"
        draw_one = partial(_drawn, points, title)
        parts.append(
            f"<div>{figure(draw_one, f'edge-{place}', numbers(title, points), width=WIDTH, head_markup=head)}</div>"
        )
    return f'<div class="pair">{"".join(parts)}</div>' + markup.meta(
        (
            "downloads of packages by Python developers: interest, not where AI runs",
            "the lists differ in which packages count",
        )
    )


def _drawn(points: list[EdgePoint], title: str, width: float, name: str) -> str:
    return plots.edge_plot(points, width=width, name=name, title=title)


def numbers(caption: str, points: list[EdgePoint]) -> Numbers:
    """The last period of each stretch."""
    heads = ("period to", "#edge share", "#lower bound", "#upper bound", "#packages missing")
    rows = [
        (
            PAGE.day(last.period_end),
            PAGE.share(last.share),
            PAGE.share(last.lower),
            PAGE.share(last.upper),
            PAGE.count(last.missing),
        )
        for last in (stretch[-1] for stretch in stretches(points))
    ]
    return Numbers(caption, heads, rows)


def api(context: PageContext) -> tuple[ApiLink, ...]:
    """The releases that the shares are computed from."""
    return (ApiLink("releases", {"series": EDGE_SERIES, **context.known}),)


PANEL = Panel("edge", "Edge share of what developers install", "so-what", read, draw, wide=True, slow=True, api=api)
