"""The largest pools and entities: share now, its course, and how share and rank changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from counterpoise.chain.chain_registry import CHAINS
from counterpoise.formats import PAGE
from counterpoise.plots.sparkline import sparkline
from counterpoise.windows import VIEWS
from desk.asker import Asker
from desk.question import Row
from desk.web import markup
from desk.web.figure import Numbers, table
from desk.web.markup import Markup
from desk.web.panels.largest_panel import leaders_links
from desk.web.panels.panel import PageContext, Panel

HEADS: Final = ("name", "course", "#blocks", "#share", "#since 1,008", "#since 4,320", "rank")
TITLES: Final = {"raw": "Pools, as they sign", "entity": "Entities, by ownership and proxies"}
COURSE_BLOCKS: Final = 4_320
COURSE_STEP: Final = 144
USUAL_RETARGET: Final = 2_016


@dataclass(frozen=True, slots=True)
class Pools:
    """One view: its table, and the course of each pool's share as (height, share) in order of height."""

    rows: Sequence[Row]
    courses: Mapping[str, Sequence[tuple[int, float]]]


def retarget_blocks(chain: str) -> int:
    """How far back ranks are compared: one retarget of the chain, or of Bitcoin where each block sets its own difficulty."""
    entry = CHAINS.get(chain)
    return entry.retarget_blocks if entry is not None and entry.retarget_blocks > 1 else USUAL_RETARGET


def read(asker: Asker, context: PageContext) -> dict[str, Pools]:
    given: dict[str, object] = {"chain": context.chain, "window": context.window_blocks, **context.up_to}
    ago = retarget_blocks(context.chain)
    found: dict[str, Pools] = {}
    for view in VIEWS:
        rows = asker.ask(f"pools-{view}", "pool_table", view=view, retarget=ago, **given)
        courses: dict[str, list[tuple[int, float]]] = {}
        course = {"blocks": COURSE_BLOCKS, "step": COURSE_STEP}
        for row in asker.ask(f"courses-{view}", "pool_shares_recent", view=view, **course, **given):
            courses.setdefault(row["pool"], []).append((row["height"], row["share"]))
        found[view] = Pools(rows, courses)
    return found


def draw(found: dict[str, Pools], context: PageContext) -> str:
    if not any(one.rows for one in found.values()):
        return markup.nothing("No window of this chain has been scored.")
    ago = retarget_blocks(context.chain)
    parts = []
    for view, one in found.items():
        grid = sorted({height for course in one.courses.values() for height, _ in course})
        lines = [
            (
                Markup(markup.link("pool", row["pool"], row["name"])) if view == "raw" else row["name"],
                Markup(_course(f"course-{view}-{place}", row, grid, one.courses.get(row["pool"], ()))),
                PAGE.count(row["blocks_now"]),
                PAGE.share(row["share_now"]),
                change(row["share_now"], row["share_week_before"]),
                change(row["share_now"], row["share_month_before"]),
                rank(row["rank_now"], row["rank_then"], known=row["window_then"]),
            )
            for place, row in enumerate(one.rows)
        ]
        parts.append(
            f"<div><h3>{TITLES[view]}</h3>{markup.scrolled_table(TITLES[view], HEADS, lines)}{_courses(TITLES[view], one)}</div>"
        )
    rows = [row for one in found.values() for row in one.rows]
    return f'<div class="pair">{"".join(parts)}</div>' + markup.meta(
        (
            f"last {PAGE.count(max(row['n_now'] for row in rows))} blocks, unknown blocks in the denominator",
            markup.as_of(rows[0]["to_height"], rows[0]["to_time"]),
            f"course over {PAGE.count(COURSE_BLOCKS)} blocks, each line with its own scale",
            "changes since 1,008 and 4,320 blocks before, in points",
            f"rank against {PAGE.count(ago)} blocks before (one retarget)",
            "a pool that was not among the six largest before has no earlier share here, and its line is broken",
        )
    )


def _courses(title: str, one: Pools) -> str:
    """The numbers behind the sparklines of a view; nothing where none is drawn."""
    grid = sorted({height for course in one.courses.values() for height, _ in course})
    if len(grid) < 2:
        return ""
    shares = [dict(one.courses.get(row["pool"], ())) for row in one.rows]
    lines = [(PAGE.count(height), *(_share(known.get(height)) for known in shares)) for height in grid]
    return table(Numbers(f"Course of each share, {title}", ("#block", *(f"#{row['name']}" for row in one.rows)), lines))


def _share(value: float | None) -> str:
    return "–" if value is None else PAGE.share(value)


def _course(name: str, row: Row, grid: Sequence[int], course: Sequence[tuple[int, float]]) -> str:
    """The sparkline of a pool with its words; a dash below two points of the grid."""
    if len(grid) < 2 or not course:
        return "–"
    shares = dict(course)
    values = [shares.get(height) for height in grid]
    known = [value for value in values if value is not None]
    gone = len(values) - len(known)
    words = (
        f"From {PAGE.share(known[0])} to {PAGE.share(known[-1])} between block {PAGE.count(course[0][0])} and "
        f"{PAGE.count(course[-1][0])}. Lowest {PAGE.share(min(known))}, highest {PAGE.share(max(known))}."
    )
    if gone:
        words += f" Not among the six largest at {gone} of {len(values)} points."
    return sparkline(values, name=name, title=f"Share of {row['name']}", description=words)


def change(now: float, before: float | None) -> str:
    """A change of a share in points; a dash where there is no share to compare with.

    >>> change(0.25, None)
    '–'
    """
    if before is None:
        return "–"
    return PAGE.points(now - before)


def rank(now: int, then: int | None, *, known: bool) -> str:
    """A rank, and how it moved: `then` is None where the pool was not among the six largest, `known` false where no window was.

    >>> rank(2, 4, known=True), rank(3, 3, known=True), rank(6, None, known=True), rank(1, None, known=False)
    ('2, up 2', '3, same', '6, was below 6', '1')
    """
    if not known:
        return str(now)
    if then is None:
        return f"{now}, was below 6"
    if now == then:
        return f"{now}, same"
    return f"{now}, {'up' if now < then else 'down'} {abs(then - now)}"


PANEL = Panel("pools", "Pools and entities", "why", read, draw, wide=True, api=leaders_links)
