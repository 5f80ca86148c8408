"""`/pool/SLUG`: the share and rank of one pool over the whole history, its longest runs, its owners, and its newest blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.pool_blocks import read_pool_blocks
from counterpoise.errors import ConfigError
from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from desk.asker import Asker
from desk.entity_dates import READING_NOTES, read_sensitivity
from desk.entity_readings import Sensitivity
from desk.question import Question, Row
from desk.report import report_plots as plots
from desk.report.report_model import SharePoint
from desk.web import markup
from desk.web.figure import Numbers, figure, stretches
from desk.web.panels.panel import PageContext
from desk.web.panels.shares_panel import marks_of

BLOCKS = 144
RUN_BLOCKS = 52_560
"""Blocks in which the longest runs are looked for: a year of bitcoin."""
RUNS = 5
_NAME = "SELECT name FROM pool_names WHERE slug = {slug:String} AND view = 'raw' LIMIT 1"
"""An entity is no pool: no block is attributed to it, so its share would read as zero."""


@dataclass(frozen=True, slots=True)
class PoolPage:
    """The history of a pool's share, and those of the newest 144 blocks that it mined."""

    slug: str
    name: str
    memberships: list[Row]
    sensitivity: Sensitivity | None
    """None where the map assumes no date."""
    history: list[Row]
    """Trailing windows over the whole history, oldest first; the last one ends at the newest block."""
    runs: list[Row]
    blocks: list[Row]
    questions: tuple[Question, ...]


def read(clickhouse: ClickHouse, context: PageContext, slug: str) -> PoolPage | None:
    """None for a pool that no block was attributed to."""
    names = clickhouse.query(_NAME, {"slug": slug})
    if not names:
        return None
    asker = Asker(clickhouse, context.dataset)
    memberships = asker.ask("memberships", "pool_memberships", pool=slug, chain=context.chain)
    history = asker.ask("history", "pool_share_history", pool=slug, chain=context.chain, window=context.window_blocks)
    runs = asker.ask("runs", "pool_runs", pool=slug, chain=context.chain, blocks=RUN_BLOCKS, limit=RUNS)
    newest = asker.ask("blocks", "block_tape", chain=context.chain, limit=BLOCKS)
    own = [row for row in newest if row["pool"] == slug]
    found = _read_sensitivity(clickhouse, context, asker) if any(_assumed(row) for row in memberships) else None
    asked = tuple(asker.questions.values())
    return PoolPage(slug, str(names[0][0]) or slug, memberships, found, history, runs, own, asked)


def _assumed(row: Row) -> bool:
    return bool(row["confidence"] == "assumed")


def _read_sensitivity(clickhouse: ClickHouse, context: PageContext, asker: Asker) -> Sensitivity | None:
    where = ("--chain", context.chain, "--window", str(context.window_blocks))
    asker.note("sensitivity", "entities", "sensitivity", *where)
    try:
        return read_sensitivity(clickhouse, read_pool_blocks(clickhouse, context.chain, context.window_blocks))
    except (ConfigError, ValueError):  # nothing is scored yet, or no producer is known
        return None


def draw(found: PoolPage, context: PageContext) -> str:
    """The body of the page."""
    full = [row for row in found.history if row["n"] == context.window_blocks]
    points = [
        SharePoint(
            row["height"], row["time"], row["share"], row["share"], row["share_upper"], row["share"], row["share"], 0.0
        )
        for row in full
    ]
    title = f"Share of {found.name} in the last {PAGE.count(context.window_blocks)} blocks"
    chart = markup.nothing("Fewer than two full windows.")
    if len(points) > 1:
        marks = marks_of(context.chain, points)

        def drawn(width: float, name: str) -> str:
            return plots.share_plot(points, [], None, width=width, name=name, title=title, milestones=marks)

        chart = figure(drawn, "pool", numbers(title, points, {row["height"]: row["rank"] for row in full}))
    rows = [(PAGE.count(row["height"]), PAGE.minute(row["time"]), row["method"]) for row in found.blocks]
    mined = (
        markup.scrolled_table("Newest blocks", ("#height", "header time", "evidence"), rows)
        if rows
        else f'<p class="note">None of the newest {BLOCKS} blocks.</p>'
    )
    return (
        f'<p class="crumbs"><a href="/">Desk</a> › pool</p><h1>{text_of(found.name)}</h1>'
        f"{_now(found.history[-1:])}{_memberships(found.memberships)}{_sensitivity(found)}"
        f'<section class="panel broad"><h2>{text_of(title)}</h2>{chart}'
        + markup.meta(
            (
                "the band reaches to the share with all unknown blocks",
                "the whole history in at most 120 windows, and now",
                "unknown blocks in the denominator",
            )
        )
        + f'</section>{_runs(found.runs)}<section class="panel broad"><h2>Among the newest {BLOCKS} blocks: {len(rows)}</h2>'
        f"{mined}</section>" + markup.asked(found.questions)
    )


def numbers(caption: str, points: list[SharePoint], ranks: Mapping[int, int]) -> Numbers:
    """The end of each stretch: the share without and with all unknown blocks, and the rank by height."""
    rows = [
        (
            PAGE.minute(last.time),
            PAGE.count(last.height),
            PAGE.share(last.share),
            PAGE.share(last.high),
            _rank(ranks[last.height]),
        )
        for last in (stretch[-1] for stretch in stretches(points))
    ]
    return Numbers(caption, ("up to", "#block", "#share", "#with all unknown blocks", "#rank"), rows)


def _rank(rank: int) -> str:
    """A rank among pools; a dash without a block in the window."""
    return PAGE.count(rank) if rank else "–"


def _now(newest: list[Row]) -> str:
    """Share and rank in the newest window; nothing before the first block."""
    if not newest:
        return ""
    row = newest[0]
    note = f"{PAGE.count(row['blocks'])} of the last {PAGE.count(row['n'])} blocks; at most {PAGE.share(row['share_upper'])}"
    share = markup.figure(
        "Share now",
        PAGE.share(row["share"]),
        f"{note} with all unknown blocks",
        name="pool-share",
        class_="mining",
    )
    rank = markup.figure(
        "Rank now",
        _rank(row["rank"]),
        f"among the pools of that window; {markup.as_of(row['height'], row['time'])}",
        name="pool-rank",
        class_="mining",
    )
    return f'<div class="figures small">{share}{rank}</div>'


def _runs(rows: list[Row]) -> str:
    """The longest runs of blocks in a row, and how many as long are expected by chance at the pool's share."""
    if not rows:
        return f'<p class="note">No block of the newest {PAGE.count(RUN_BLOCKS)} is this pool\'s, so it has no run.</p>'
    total, mined = int(rows[0]["n"]), int(rows[0]["blocks"])
    lines = [
        (
            PAGE.count(row["run_blocks"]),
            PAGE.count(row["from_height"]),
            PAGE.count(row["to_height"]),
            PAGE.minute(row["to_time"]),
            PAGE.number(row["expected"], 2),
            PAGE.share(row["probability"]),
        )
        for row in rows
    ]
    heads = (
        "#blocks in a row",
        "#from block",
        "#to block",
        "header time of the last",
        "#expected, as long or longer",
        "#probability of one",
    )
    return (
        '<section class="panel broad"><h2>Longest runs</h2>'
        f"{markup.scrolled_table('Longest runs', heads, lines)}"
        + markup.meta(
            (
                f"{PAGE.count(mined)} of the newest {PAGE.count(total)} blocks are this pool's",
                "expected: runs in as many blocks, each this pool's with that share; probability: of at least one",
            )
        )
        + "</section>"
    )


def _memberships(rows: list[Row]) -> str:
    if not rows:
        return '<p class="statement">The entity map names no owner or proxy of this pool: the entity view counts it alone.</p>'
    heads = ("entity", "from", "until", "dates", "seen by", "published in", "note")
    lines = [
        (
            row["entity_name"],
            row["start"] or "the beginning",
            row["end"] or "now",
            row["confidence"] or "not stated",
            f"{row['seen']}: {row['seen_in']}" if row["seen"] else "–",
            row["source"],
            row["note"],
        )
        for row in rows
    ]
    return (
        '<section class="panel broad"><h2>Who owns or controls it</h2>'
        f"{markup.scrolled_table('Memberships', heads, lines)}"
        + markup.meta(("the entity view uses the entity at the end of a window",))
        + "</section>"
    )


def _sensitivity(found: PoolPage) -> str:
    """The entity view under other joining dates, and without this pool's own assumed membership."""
    if found.sensitivity is None:
        return ""
    stored = found.sensitivity.readings["map"]
    rows = [
        (
            reading,
            PAGE.share(one.largest_share),
            PAGE.share(one.top4_share),
            f"{one.hhi_points:,.0f}",
            READING_NOTES[reading],
        )
        for reading, one in found.sensitivity.readings.items()
    ]
    own = next((one for one in found.sensitivity.members if one.member.pool == found.slug), None)
    words = "No block of the window is this pool's, so its own date changes nothing now."
    if own is not None:
        points = PAGE.points(own.without.top4_share - stored.top4_share)
        words = f"Without this pool's assumed membership the top-4 share of entities changes by {points} points."
    heads = ("joining dates", "#largest", "#top 4", "#HHI", "meaning")
    return (
        '<section class="panel broad"><h2>If the assumed dates were others</h2>'
        f'<p class="why">{text_of(words)}</p>{markup.scrolled_table("Entity view by joining dates", heads, rows)}'
        + markup.meta(("entity view", "shares are of all blocks of the window, unknown ones included"))
        + "</section>"
    )
