"""The AI side in the demo: the edge share by every list, then both sides and their gap, each with a sentence."""

from __future__ import annotations

import time
from typing import Final

from rich.table import Table

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.errors import RetryableError
from counterpoise.formats import NO_BREAK, TERMINAL
from counterpoise.series.load import load_catalogue
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from counterpoise.windows import VIEWS
from desk.cli.console import Console
from desk.report.edge_sentence import edge_sentence
from desk.report.gap_sentence import LEVELS, sentence, year_ends
from desk.report.gather import EDGE_SERIES, GAP_SERIES, edge_points, gap_rows
from ingest.releases.demo_figures import publish, read_market_figures

PATIENCE_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.2

_SCORED: Final = """
SELECT
    (SELECT uniqExact(view) FROM latest_asymmetry
     WHERE series = {gap:String} AND knowledge = 'latest' AND period_end = {last:Date}) AS views,
    (SELECT count() FROM asymmetry
     WHERE series = {gap:String} AND knowledge = 'latest' AND day >= {last:Date} AND period_end < {last:Date}) AS behind,
    (SELECT uniqExact(period_end) FROM edge_share WHERE series = {edge:String}) AS snapshots
"""


def add_market_figures(settings: Settings) -> None:
    """Send the packaged figures of the AI side through the line that runs, and return once all that follows from them is scored.

    RetryableError where that does not happen within PATIENCE_SECONDS.
    """
    releases = read_market_figures()
    snapshots = sum(release.head.series == EDGE_SERIES for release in releases)
    # The releases may be scored in several steps, and each step one view at a time: the last release in both views is the end.
    last = max(release.head.period_end for release in releases if release.head.series == GAP_SERIES)
    names = {"gap": GAP_SERIES, "edge": EDGE_SERIES, "last": last}
    publish(settings, releases)
    deadline = time.monotonic() + PATIENCE_SECONDS
    with connect(clickhouse_target(settings), settings.dataset) as clickhouse:
        while True:
            [(views, behind, scored)] = clickhouse.query(_SCORED, names)
            if views == len(VIEWS) and not behind and scored == snapshots:
                return
            if time.monotonic() > deadline:
                raise RetryableError(
                    f"the AI side was not scored within {PATIENCE_SECONDS:.0f} s: see counterpoise status"
                )
            time.sleep(POLL_SECONDS)


def show_edge(console: Console, clickhouse: ClickHouse) -> None:
    """Print how the edge share moved by every include-list, or that there is none yet."""
    series = load_catalogue()[EDGE_SERIES]
    console.print("\n[bold]Does AI move to the edge?[/]")
    console.print(f"{series.measures} Source: {series.source}.", style="dim")
    lists = {name: points for name, points in edge_points(clickhouse).items() if len(points) > 1}
    text = edge_sentence(lists) if lists else "There are not two releases of it yet."
    console.print(text.replace(NO_BREAK, " "))


def show_gap(console: Console, clickhouse: ClickHouse, chain: str) -> None:
    """Print the table and the sentence, or that there is no row yet."""
    rows = year_ends(gap_rows(clickhouse, chain))
    series = load_catalogue()[GAP_SERIES]
    console.print("\n[bold]Is block production compressing while AI compute spreads?[/]")
    if not rows:
        console.print("The two sides have not been compared yet.")
        return
    console.print(
        f"Effective number (D₂) of owners of AI compute ({series.source}; {series.licence}) and of mining pools "
        f"(last {rows[-1].blocks} blocks). The source's buckets Other and China are left out / one owner each / "
        f"{rows[-1].bucket_owners} owners each. L > 0: AI is more dispersed than mining. One doubling is a factor of two.",
        style="dim",
    )
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for name in ("year", "AI owners", "pools (95 %)", "L in doublings", "95 % interval", "level"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(
            str(row.day.year),
            "/".join(TERMINAL.number(owners, 1) for owners in (row.ai_dropped, row.ai_one_owner, row.ai_spread)),
            f"{TERMINAL.number(row.pools, 1)} ({TERMINAL.number(row.pools_low, 1)} to {TERMINAL.number(row.pools_high, 1)})",
            "/".join(TERMINAL.doublings(gap) for gap in (row.l_dropped, row.l_one_owner, row.l_spread)),
            f"{TERMINAL.doublings_range(row.low, row.high)}",
            LEVELS.get(row.level, row.level).replace("not determined", "unclear"),  # six columns fit 80 cells
        )
    console.print(table)
    console.print(f"\n[bold]{sentence(rows)}[/]")
