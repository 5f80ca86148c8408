"""The sections of the page that hold a plot, in the order that a desk asks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from counterpoise.formats import PAGE, quarter
from counterpoise.plots.marks import text_of
from counterpoise.plots.scale import rounded_out
from desk.report import html_parts as parts
from desk.report import report_plots as plots
from desk.report.edge_sentence import moved
from desk.report.gap_sentence import LEVELS, GapRow, regime_words
from desk.report.report_model import Report

HALF_WIDTH: Final = 440.0
"""Width of a drawing beside another one."""

VIEW_TITLES: Final = {"raw": "Pools, as they sign", "entity": "Entities, by ownership and proxies"}


def shares(report: Report) -> str:
    """The top-4 share over time."""
    title = f"Top-4 share of the last {PAGE.count(report.window_blocks)} blocks"
    if not report.shares:
        return parts.section("shares", title, "", parts.no_mining(report))
    lede = (
        "Percent of blocks, at the header time of the window's last block (UTC); "
        f"{parts.VIEW_NAMES.get(report.view, report.view)}. The pale band is the 95 % interval, the darker one how far "
        "the share went between two points."
    )
    if report.line:
        lede += (
            f" The alert fires once the share was above {PAGE.share(report.line.above, None)} for {report.line.for_blocks} "
            f"blocks, and clears below {PAGE.share(report.line.clear_below, None)}; shaded is when it fired."
        )
    heads = (
        "#height",
        "time",
        "#top-4 share",
        "#95 % low",
        "#95 % high",
        "#lowest since the row before",
        "#highest",
        "#unknown",
    )
    rows = [
        (
            PAGE.count(point.height),
            PAGE.minute(point.time),
            PAGE.share(point.share, 2),
            PAGE.share(point.low),
            PAGE.share(point.high),
            PAGE.share(point.lowest, 2),
            PAGE.share(point.highest, 2),
            PAGE.share(point.unknown),
        )
        for point in report.shares
    ]

    def draw(width: float, name: str) -> str:
        return plots.share_plot(report.shares, report.episodes, report.line, width=width, name=name, title=title)

    return parts.section(
        "shares",
        title,
        text_of(lede),
        parts.drawn(draw, "share-plot"),
        parts.numbers_behind(title, heads, rows),
        parts.ask_again(report.questions.get("shares")),
    )


def leaders(report: Report) -> str:
    """The largest pools now, in both views of control."""
    title = "Who they are"
    views = [view for view in VIEW_TITLES if report.leaders.get(view)]
    if not views:
        return parts.section("leaders", title, "", parts.no_mining(report))
    longest = max(plots.longest_bar(report.now[view], report.leaders[view]) for view in views)
    scale_to = rounded_out(0.0, longest, 4)[1]
    figures: list[str] = []
    rows: list[Sequence[str]] = []
    for view in views:
        now, pools = report.now[view], report.leaders[view]
        four = f"top four {PAGE.share(now.top4)} ({PAGE.share_range(now.top4_low, now.top4_high)})"
        drawing = plots.leaders_plot(
            now, pools, scale_to, width=HALF_WIDTH, name=f"leaders-{view}", title=f"{VIEW_TITLES[view]}: {four}"
        )
        figures.append(parts.small_figure(VIEW_TITLES[view], four, drawing))
        for pool in pools:
            share = (PAGE.share(pool.share, 2), PAGE.share(pool.low), PAGE.share(pool.high))
            rows.append((view, pool.name, pool.slug, PAGE.count(pool.blocks), *share))
    now = report.now[views[0]]
    lede = (
        f"Percent of the last {PAGE.count(now.blocks)} blocks with 95 % intervals, up to block {PAGE.count(now.height)}; the four "
        "largest stand out. Both views count the same blocks and differ in who controls whom."
    )
    heads = ("view", "name", "slug", "#blocks", "#share", "#95 % low", "#95 % high")
    return parts.section(
        "leaders",
        title,
        text_of(lede),
        parts.pair(*figures),
        parts.numbers_behind(title, heads, rows),
        parts.ask_again(*(report.questions.get(f"leaders-{view}") for view in views)),
    )


def effective_numbers(report: Report) -> str:
    """Both sides as effective numbers."""
    title = "Effective number of equal owners or pools (D₂)"
    history = report.gap_history
    if len(history) < 2:
        return parts.section("hands", title, "", parts.no_gap(report))
    lede = (
        "The number of equal pools, or equal owners, with the same concentration. A lower number is more concentrated. "
        "Operators of mining pools against owners of AI compute, by quarter. The orange band is the effect of the "
        "source's unnamed rest, the blue one the 95 % interval."
    )
    heads = (
        "quarter",
        "#pools",
        "#95 % low",
        "#95 % high",
        "#AI, rest left out",
        "#each bucket one owner",
        "#spread",
        "AI figures of",
    )
    rows = []
    for row in history:
        numbers = (row.pools, row.pools_low, row.pools_high, row.ai_dropped, row.ai_one_owner, row.ai_spread)
        rows.append((_when(row), *(PAGE.number(number, 2) for number in numbers), PAGE.day(row.period_end)))

    def draw(width: float, name: str) -> str:
        return plots.hands_plot(history, width=width, name=name, title=title)

    return parts.section(
        "hands",
        title,
        text_of(lede),
        parts.drawn(draw, "hands-plot"),
        parts.numbers_behind(title, heads, rows),
        parts.ask_again(report.questions.get("gap")),
    )


def gap(report: Report) -> str:
    """The asymmetry L and its levels."""
    title = "The gap L, in doublings"
    history = report.gap_history
    if not history:
        return parts.section("gap", title, "", parts.no_gap(report))
    lede = (
        "L is log₂ of AI owners over mining pools, both as effective numbers. Above zero AI is more dispersed; one "
        "doubling is a factor of two. Thick bars span the three treatments of the unnamed rest, with a light stroke "
        "where each bucket is one owner. Thin bars are their 95 % intervals. The side is not determined unless every "
        "treatment and every error model agrees."
    )
    if any(row.hindsight for row in history):
        lede += " The rows use everything known now, and much of it was published after the day of the row."
    heads = (
        "quarter",
        "#rest left out",
        "#each bucket one owner",
        "#spread",
        "#95 % low",
        "#95 % high",
        "level",
        "over the year",
        "hindsight",
    )
    rows = []
    for row in history:
        numbers = (row.l_dropped, row.l_one_owner, row.l_spread, row.low, row.high)
        words = (LEVELS.get(row.level, row.level), regime_words(row.regime), "yes" if row.hindsight else "no")
        rows.append((_when(row), *(PAGE.doublings(number) for number in numbers), *words))

    def draw(width: float, name: str) -> str:
        return plots.gap_plot(history, width=width, name=name, title=title)

    return parts.section(
        "gap",
        title,
        text_of(lede),
        parts.drawn(draw, "gap-plot"),
        parts.numbers_behind(title, heads, rows),
        parts.ask_again(report.questions.get("gap")),
    )


def _when(row: GapRow) -> str:
    return f"{PAGE.day(row.day)} (tip)" if row.at_tip else quarter(row.day)


def edge(report: Report) -> str:
    """The edge share by every include-list, side by side."""
    title = "Edge share of what developers install"
    lists = {name: points for name, points in report.edge.items() if len(points) > 1}
    if not lists:
        since = f" since {PAGE.minute(report.since)}" if report.since else ""
        missing = parts.not_known_yet(
            f"Fewer than two releases of {report.edge_series} are stored{since}.",
            "<code>counterpoise run market</code> with the source <code>pypi</code> collects them; "
            "<code>counterpoise market load pypi FILE</code> loads a file, <code>counterpoise market load figures</code> the "
            "packaged figures.",
        )
        return parts.section("edge", title, "", missing)
    figures: list[str] = []
    rows: list[Sequence[str]] = []
    for place, (name, points) in enumerate(lists.items()):
        first, last = points[0], points[-1]
        drawing = plots.edge_plot(
            points, width=HALF_WIDTH, name=f"edge-{place}", title=f"Edge share by the list {name}"
        )
        said = f"{moved(first, last)} since {PAGE.day(first.period_end)}"
        figures.append(parts.small_figure(f"List {name}", said, drawing))
        for point in points:
            bounds = (PAGE.share(point.share, 2), PAGE.share(point.lower, 2), PAGE.share(point.upper, 2))
            rows.append((name, PAGE.day(point.period_end), *bounds, PAGE.count(point.missing)))
    lede = (
        "Downloads of libraries that run models on a device or at the edge, in percent of these and of libraries that "
        "call a remote service. They measure developers' interest, not where AI runs. The result depends on which "
        "packages count, so the lists are side by side, each on its own scale. The band is the effect of packages "
        "below the source's cutoff."
    )
    heads = ("list", "period to", "#edge share", "#lower bound", "#upper bound", "#packages missing")
    return parts.section(
        "edge",
        title,
        text_of(lede),
        parts.pair(*figures),
        parts.numbers_behind(title, heads, rows),
        parts.ask_again(report.questions.get("edge")),
    )
