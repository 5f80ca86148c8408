"""No plot of the page is without a table that holds its numbers."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.web.figure import MOST_ROWS, Numbers, figure, stretches, table
from desk.web.pages import alert_page, pool_page
from desk.web.panels import shares_panel
from desk.web.panels.panel_registry import PANELS
from desk.web.panels.shares_panel import Shares
from tests.unit.report.made import report
from tests.unit.web.test_panels import AT, CONTEXT, STEP, Elements, rows

WEB = Path(shares_panel.__file__).parents[1]


def has_tables(drawn: str) -> bool:
    """Whether each figure is followed by its table, and each drawing is in a figure or, small, beside such a table."""
    figures = re.findall(r"<figure.*?</figure>(.{0,60})", drawn, re.S)
    tables = re.findall(r'<details class="numbers">.*?</details>', drawn, re.S)
    outside = re.sub(r"<figure.*?</figure>", "", drawn, flags=re.S)
    small, large = outside.count('class="spark"'), outside.count("<svg")
    assert all(after.startswith('<details class="numbers">') for after in figures)
    assert all("<tbody><tr>" in one for one in tables)
    assert small == large and (not small or len(tables) > len(figures))
    return bool(figures) or bool(small)


def test_every_plot_of_the_page_has_its_table() -> None:
    history = [
        {"height": n, "time": AT, "blocks": 300, "n": 1008, "unknown": 1, "share": 0.3, "share_upper": 0.31, "rank": 1}
        for n in (1, 2)
    ]
    around = Shares("raw", "alert", report().shares, report().episodes)
    pages = {name: PANELS[name].draw(rows("a")[name], CONTEXT) for name in PANELS}
    pages["/pool"] = pool_page.draw(pool_page.PoolPage("a", "A", [], None, history, [], [], ()), CONTEXT)
    pages["/alert"] = alert_page.draw(alert_page.AlertPage([STEP], 0.76, "", (), around), "a", CONTEXT)
    plotted = {name for name, drawn in pages.items() if has_tables(drawn)}
    assert plotted == {"shares", "pools", "gap-history", "edge", "detectors", "scorecard", "/pool", "/alert"}


@pytest.mark.parametrize(
    "path", sorted(path for room in ("panels", "pages") for path in (WEB / room).glob("*.py")), ids=str
)
def test_nothing_draws_a_figure_of_its_own(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert "<figure" not in source and "<svg" not in source, "use desk.web.figure"
    imported = {
        alias.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    if imported & {"sparkline", "report_plots"} and path.name not in ("alert.py",):
        assert imported & {"figure", "table"}, "a plot without desk.web.figure has no table"


def test_a_plot_without_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="no numbers behind the plot 'x'"):
        table(Numbers("x", ("a",), []))
    with pytest.raises(ValueError, match="no numbers"):
        figure(lambda width, name: "", "x", Numbers("x", ("a",), []))


@given(st.lists(st.integers(), max_size=400), st.integers(1, 80))
def test_stretches_hold_every_point_once_in_order(points: list[int], most: int) -> None:
    found = stretches(points, most)
    assert [point for stretch in found for point in stretch] == points
    assert len(found) <= most and all(found)
    assert len({len(stretch) for stretch in found[1:]}) <= 1


def test_the_table_spans_what_the_line_does() -> None:
    points = report().shares
    numbers = shares_panel.numbers_of("x", points)
    assert 0 < len(numbers.rows) <= MOST_ROWS
    words = Elements(table(numbers)).words
    assert f"{points[-1].height:,}" in words
    lowest = min(point.lowest for point in points)
    assert f"{100 * lowest:.1f}" in words.replace("\xa0", " ")
