"""Every figure of the page against the SQL beside it.

A test runs each query that a panel links, with the parameters of its link, and writes the panel's large figures and tables from the
rows alone. A figure or a table of a panel without a case here fails it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.detectors.tracks import DETECTORS
from counterpoise.formats import PAGE
from desk.named_queries import named_queries
from desk.report.gap_sentence import LEVELS
from desk.web.figure import stretches
from desk.web.panels.panel_registry import PANELS
from tests.engines import ClickHouseServer, RunningKafka
from tests.integration.sql.sample import FIRST, LAST
from tests.integration.streams.blocks import branch
from tests.integration.web.running import RunningDesk, running_desk
from tests.integration.web.test_desk import Chain, chain, figures, hours_shown, on
from tests.integration.web.test_past import panel_of, ready

__all__ = ["chain"]

Row = dict[str, Any]
Tables = list[tuple[str, list[list[str]]]]
"""The tables of a panel in their order: what each is called, and its cells."""

PLOT = "(plot)"


@dataclass(frozen=True)
class Answers:
    """What the queries beside one panel give: the name of each, its parameters, its rows."""

    each: list[tuple[str, Mapping[str, str], list[Row]]]

    def rows(self, *names: str, view: str | None = None) -> list[Row]:
        """The rows of the one question that has one of these names, about one view where it is given."""
        found = [rows for name, given, rows in self.each if name in names and view in (None, given.get("view"))]
        assert len(found) == 1, (names, view, [name for name, _, _ in self.each])
        return found[0]


def answers_beside(page: str, panel: str, ch: ClickHouse) -> Answers:
    by_text = {}
    for name, query in named_queries().items():
        by_text["\n".join(line for line in query.sql.rstrip().splitlines() if not line.startswith("-- "))] = name
    each: list[tuple[str, Mapping[str, str], list[Row]]] = []
    for link in re.findall(r'href="/sql#([^"]+)"', panel_of(page, panel)):
        given = dict(parse_qsl(unescape(link), keep_blank_values=True))
        sql = given.pop("sql")
        bound = {key.removeprefix("p."): value for key, value in given.items()}
        rows: list[Row] = []
        names: list[str] = []
        for heads, columns in ch.stream(sql, bound):
            names = names or [column for column, _ in heads]
            rows += [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        each.append((by_text[sql], bound, rows))
    return Answers(each)


def shown_tables(page: str, panel: str) -> Tables:
    content = panel_of(page, panel).partition("<summary>SQL")[0]
    found = []
    for name, body in re.findall(
        r'<table class="cards" aria-label="([^"]*)">.*?<tbody>(.*?)</tbody>', content, re.DOTALL
    ):
        lines = [
            [
                PLOT if "<svg" in cell else unescape(re.sub("<[^>]+>", "", cell))
                for cell in re.findall(r'data-head="[^"]*">(.*?)</t[hd]>', row, re.DOTALL)
            ]
            for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL)
        ]
        found.append((unescape(name), lines))
    return found


def shown_words(page: str, panel: str) -> str:
    content = panel_of(page, panel).partition("<summary>SQL")[0]
    return unescape(re.sub("<[^>]+>", " ", content))


def of_chain(rows: Iterable[Row], window: int | None = None) -> list[Row]:
    return [row for row in rows if row["chain"] == "bitcoin" and (window is None or row["window_blocks"] == window)]


def now_of(found: Answers, view: str) -> Row:
    [row] = of_chain(found.rows("concentration_now", "concentration_at", view=view), 1008)
    return row


def top4(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    named: dict[str, str] = {}
    words: list[str] = []
    for view in ("raw", "entity"):
        row = now_of(found, view)
        named[f"top4-{view}"] = PAGE.share(row["top4_share"])
        words += [
            f"95 % interval {PAGE.share_range(row['top4_share_low'], row['top4_share_high'])}",
            f"last {PAGE.count(row['n'])} blocks",
            f"block {PAGE.count(row['height'])}",
        ]
        if row["unknown"]:
            words.append(f"at most {PAGE.share(row['top4_share_upper'])} with the unknown blocks")
    return named, words, []


def largest(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    named: dict[str, str] = {}
    words: list[str] = []
    for view in ("raw", "entity"):
        row = now_of(found, view)
        one = of_chain(found.rows("top_pools_now", "top_pools_at", view=view))[0]
        assert one["share"] == row["top1_share"]
        named |= {
            f"largest-{view}": PAGE.share(one["share"]),
            f"majority-{view}": PAGE.count(row["nakamoto_half"]) if row["nakamoto_half"] else "none",
        }
        words += [one["name"], f"95 % interval {PAGE.share_range(row['top1_share_low'], row['top1_share_high'])}"]
        words.append(f"{PAGE.count(row['unknown'])} without a known producer")
    return named, words, []


def alerts(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    open_ = found.rows("alerts_open")
    words = [
        part for row in open_[:6] for part in (row["rule_id"], PAGE.minute(row["event_time"]), PAGE.tie(row["summary"]))
    ]
    for row in [row for row in found.rows("alert_spans") if row["cleared_at"] is not None][-3:]:
        words += [row["rule_id"], PAGE.minute(row["fired_at"]), PAGE.minute(row["cleared_at"])]
    return {"firing": f"{sum(row['state'] == 'firing' for row in open_)} firing"}, words, []


def gap(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    last = found.rows("gap_by_quarter", "gap_at")[-1:]
    named: dict[str, str] = {}
    words: list[str] = []
    for row in last:
        three = [row["l_dropped"], row["l_one_owner"], row["l_spread"]]
        named = {"gap": PAGE.doublings_range(min(three), max(three)), "call": LEVELS[row["level"]]}
        words = [
            f"95 % over every treatment {PAGE.doublings_range(row['low'], row['high'])}",
            PAGE.day(row["period_end"]),
        ]
    return named, words, []


def gap_history(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    rows = found.rows("gap_by_quarter", "gap_at")
    lines = [
        [
            PAGE.day(row["day"]),
            *(PAGE.doublings(row[name]) for name in ("l_dropped", "l_one_owner", "l_spread", "low", "high")),
            PAGE.number(row["d2_mining"], 1),
            LEVELS[row["level"]],
        ]
        for row in rows
    ]
    return {}, [], [("The gap L by quarter, in doublings: numbers", lines)] if len(rows) > 1 else []


def shares(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    tables = []
    for view, words in (("raw", "pools"), ("entity", "entities")):
        rows = found.rows("share_recent", view=view)
        lines = [
            [
                PAGE.minute(last["to_time"]),
                PAGE.count(last["to_height"]),
                *(PAGE.share(last[name]) for name in ("share", "low", "high")),
                PAGE.share(min(row["lowest"] for row in stretch)),
                PAGE.share(max(row["highest"] for row in stretch)),
            ]
            for stretch in stretches(rows)
            for last in [stretch[-1]]
        ]
        if len(rows) > 1:
            tables.append((f"Top-4 share of {words}: numbers", lines))
    return {}, [], tables


def moved(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    """Tables of `pool or entity`, shares before and now, and part; the label is not of the query, so it is left out on both sides."""
    tables, words = [], []
    for view in ("raw", "entity"):
        rows = found.rows("top4_parts", view=view)
        if rows:
            change = sum(row["part"] for row in rows)
            words += [f"{PAGE.points(change, 2)} points", f"block {PAGE.count(rows[0]['from_height'])}"]
            parts = {row["pool"]: row for row in rows if row["part"]}
            tables.append(("Parts of the change", [[pool, PAGE.points(row["part"], 2)] for pool, row in parts.items()]))
    return {}, words, tables


def pools(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    tables: Tables = []
    for view, title in (("raw", "Pools, as they sign"), ("entity", "Entities, by ownership and proxies")):
        rows = found.rows("pool_table", view=view)
        course = found.rows("pool_shares_recent", view=view)
        grid = sorted({row["height"] for row in course})
        at = {(row["pool"], row["height"]): PAGE.share(row["share"]) for row in course}
        lines = []
        for row in rows:
            then = [row["share_week_before"], row["share_month_before"]]
            steps = [PAGE.points(row["share_now"] - one) if one and not math.isnan(one) else "–" for one in then]
            drawn = len(grid) > 1 and any(pool == row["pool"] for pool, _ in at)
            lines.append(
                [
                    row["name"],
                    PLOT if drawn else "–",
                    PAGE.count(row["blocks_now"]),
                    PAGE.share(row["share_now"]),
                    *steps,
                ]
            )
        tables.append((title, lines))
        if len(grid) > 1:
            numbers = [[PAGE.count(h), *(at.get((row["pool"], h), "–") for row in rows)] for h in grid]
            tables.append((f"Course of each share, {title}: numbers", numbers))
    row = found.rows("pool_table", view="raw")[0]
    return (
        {},
        [
            f"last {PAGE.count(row['n_now'])} blocks",
            f"block {PAGE.count(row['to_height'])}",
            PAGE.minute(row["to_time"]),
        ],
        tables,
    )


def windows(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    lines = {}
    for view in ("raw", "entity"):
        for row in of_chain(found.rows("concentration_now", "concentration_at", view=view)):
            lines[row["window_blocks"], view != "raw"] = [
                PAGE.count(row["window_blocks"]), view, PAGE.share(row["top4_share"]),
                PAGE.share_range(row["top4_share_low"], row["top4_share_high"]), PAGE.share(row["p_top4_above_75"]),
                PAGE.share(row["top1_share"]), PAGE.count(round(row["hhi_10000"])), PAGE.number(row["effective_pools_d2"], 1),
                PAGE.count(row["nakamoto_half"]),
            ]  # fmt: skip
    return {}, [], [("Windows and views", [lines[key] for key in sorted(lines)])]


def time_windows(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    rows = [row | {"view": view} for view in ("raw", "entity") for row in found.rows("time_windows", view=view)]
    return {}, [], [("Windows of time", hours_shown(rows))]


def blocks(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    lines = []
    for row in found.rows("block_tape"):
        standing = (
            ("provisional" if row["provisional"] else "settled") if row["status"] == "canonical" else str(row["status"])
        )
        lines.append([
            PAGE.count(row["height"]), row["pool_name"] or row["pool"] or "unknown", PAGE.minute(row["time"]),
            "conflict" if row["conflict"] else str(row["method"]), standing,
        ])  # fmt: skip
    return {}, [], [("Newest blocks", lines)]


def meaning(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    """The column of the upper end is of the command; the others are of the queries."""
    raw, entity = (found.rows("risk_now", view=view) for view in ("raw", "entity"))
    chosen = [
        ("largest pool", raw[0]),
        ("largest entity", entity[0]),
        *((f"{row['largest']} largest pools", row) for row in raw[1:]),
    ]
    lines = []
    for label, row in chosen:
        needed = row["confirmations_for_0_1_percent"]
        lines.append([
            label, PAGE.share(row["share"]), "no number suffices" if needed is None else PAGE.count(needed),
            PAGE.age(600 * row["refused_mean_blocks"]), PAGE.age(600 * row["refused_99_percent_blocks"]),
            PAGE.age(600 * row["stop_interval_ratio"]), PAGE.number(row["selfish_mining_pays_from_gamma"], 2),
        ])  # fmt: skip
    words = [
        f"height {raw[0]['height']:,}",
        f"the last {raw[0]['n']:,} blocks",
        f"{raw[0]['unknown']:,} of them unknown",
    ]
    return {}, words, [("What the shares mean", lines)]


def detectors(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    about = {one.name: one.about for one in DETECTORS}
    lines = []
    for row in found.rows("detectors_now"):
        last = [
            "not in 105,120 blocks"
            if row[f"{what}_height"] is None
            else f"block {PAGE.count(row[f'{what}_height'])}, {PAGE.day(row[f'{what}_time'])}"
            for what in ("fired", "cleared")
        ]
        share = PAGE.share(row["evidence"]) if row["evidence"] >= 0.001 else f"under {PAGE.share(0.001)}"
        view = {"raw": "pools", "entity": "entities"}[row["view"]]
        lines.append([about[row["detector"]], view, "firing" if row["firing"] else "clear", share, *last])
    tables: Tables = [("Sequential detectors", lines)]
    return {}, [], [*tables, ("Evidence of the detectors: numbers", [line[:4] for line in lines])] if lines else []


def scorecard(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    tables, words = [], []
    for view, title in (("raw", "Pools as they sign"), ("entity", "Entities")):
        rows = found.rows("forecast_scores", view=view)
        lines = [
            [
                row["part"], PAGE.count(row["forecasts"]), PAGE.share(row["coverage"]), PAGE.number(row["brier_score"], 3),
                PAGE.share(row["stated_above_75"]), PAGE.share(row["came_above_75"]),
            ]
            for row in rows
        ]  # fmt: skip
        if rows:
            tables.append((f"{title}: stated chances and what came: numbers", lines))
            words.append(f"block {PAGE.count(max(row['newest_height'] for row in rows))}")
    return {}, words, tables


def edge(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    lists: dict[str, list[list[str]]] = {}
    for row in found.rows("edge_share_by_list", "edge_share_at"):
        cells = [PAGE.day(row["period_end"]), *(PAGE.share(row[name]) for name in ("edge_share", "lower", "upper"))]
        lists.setdefault(row["list_id"], []).append([*cells, PAGE.count(row["missing"])])
    return (
        {},
        [],
        [(f"Edge share by the list {name}: numbers", lines) for name, lines in lists.items() if len(lines) > 1],
    )


def quality(found: Answers) -> tuple[dict[str, str], list[str], Tables]:
    series = [
        [
            row["series"], PAGE.day(row["period_end"]),
            PAGE.age(None if row["age_days"] is None else 86_400 * row["age_days"]),
            "stale" if row["stale"] else "no", PAGE.count(row.get("missing")),
        ]
        for row in found.rows("series_age", "series_age_at")
    ]  # fmt: skip
    letters = [
        [
            row["reason"],
            row["service"],
            PAGE.count(row["letters"]),
            PAGE.count(row["not_replayed"]),
            PAGE.minute(row["last_seen"]),
        ]
        for row in found.rows("dead_letter_reasons")
    ]
    tables: Tables = [("Market series", series)] if series else []
    return {}, [], [*tables, ("Dead letters", letters)] if letters else tables


CASES: dict[str, Callable[[Answers], tuple[dict[str, str], list[str], Tables]]] = {
    "top4": top4, "largest": largest, "alerts": alerts, "gap": gap, "gap-history": gap_history, "shares": shares, "moved": moved,
    "pools": pools, "windows": windows, "time-windows": time_windows, "blocks": blocks, "meaning": meaning, "detectors": detectors,
    "scorecard": scorecard, "edge": edge, "quality": quality,
}  # fmt: skip


def compared(name: str, tables: Tables) -> Tables:
    """Without columns that no query gives: the label of a change, the upper ends of risks, and words of ranks."""
    keep = {"moved": (0, 3), "meaning": (0, 2, 3, 5, 6, 7, 8)}.get(name)
    if name == "pools":
        return [(title, [line[:-1] if "Course" not in title else line for line in lines]) for title, lines in tables]
    if keep is None:
        return tables
    found = []
    for title, lines in tables:
        cut = [[line[at] for at in keep] for line in lines]
        if name == "moved":  # pools that are no leader, before or now
            cut = [line for line in cut if line[1] != PAGE.points(0.0, 2)]
        if name == "meaning":
            cut = [[line[0], line[1].partition(" to ")[0], *line[2:]] for line in cut]
        found.append((title, cut))
    return found


def assert_every_figure(page: str, ch: ClickHouse) -> set[str]:
    """The panels that have figures; each of these agrees with its SQL."""
    assert CASES.keys() == PANELS.keys()
    filled = set()
    for name in PANELS:
        found = answers_beside(page, name, ch)
        named, words, tables = CASES[name](found)
        shown = shown_words(page, name)
        if "Not known yet." in shown and name != "quality":
            assert not figures(panel_of(page, name)) and not tables, name
            continue
        filled.add(name)
        assert figures(panel_of(page, name).partition("<summary>SQL")[0]) == named, name
        assert [one for one in words if " ".join(one.split()) not in " ".join(shown.split())] == [], name
        on_page = compared(name, shown_tables(page, name))
        assert [title for title, _ in on_page] == [title for title, _ in tables], name
        for (title, lines), (_, wanted) in zip(on_page, tables, strict=True):
            assert lines == wanted, (name, title)
    return filled


@pytest.mark.parametrize("height", [None, FIRST + 300])
def test_figures_of_the_sample(desk: RunningDesk, told: ClickHouse, height: int | None) -> None:
    with desk.opened() as client:
        ready(desk, client, LAST)
        page = client.get("/" if height is None else f"/?height={height}").text
    filled = assert_every_figure(page, told)
    later = () if height is None else ("gap", "gap-history", "edge", "scorecard")
    assert filled >= PANELS.keys() - {"moved", "shares", *later}


def test_figures_of_a_chain_of_eight_days(
    chain: Chain, kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    made = branch(1_300)
    chain.send(made)
    with running_desk(on(chain, kafka, clickhouse, tmp_path)) as served, served.opened() as client:
        page = ready(served, client, made[-1].height)
    with connect(clickhouse.target, chain.dataset) as ch:
        assert {"moved", "shares", "meaning", "pools", "windows", "top4"} <= assert_every_figure(page, ch)
