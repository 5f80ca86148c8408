"""Both sides and the gap between them, as the demo shows them: a table of year ends and one sentence to say aloud."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date
from typing import Final

from rich.console import Console
from rich.table import Table

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.endpoints import clickhouse_target
from counterpoise.errors import RetryableError
from counterpoise.series.load import load_catalogue
from counterpoise.settings import Settings
from ingest.market.figures import publish, read_owner_figures

PATIENCE_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.2
FROM_YEAR, TO_YEAR = 2022, 2025

_SERIES: Final = "epoch-ai-compute-owners"

_ROWS: Final = """
SELECT day, d2_ai_dropped, d2_ai_one_owner, d2_ai_spread, d2_mining, d2_mining_low, d2_mining_high, l_dropped, l_one_owner, l_spread,
    least(low_independent, low_correlated), greatest(high_independent, high_correlated),
    level, regime, bucket_owners, known_blocks + unknown_blocks, hindsight
FROM asymmetry
WHERE series = {series:String} AND view = 'raw' AND knowledge = 'latest' AND toMonth(day) = 12 AND toDayOfMonth(day) = 31
  AND toYear(day) BETWEEN {low:UInt16} AND {high:UInt16}
ORDER BY day
"""

_AT_THE_TIP: Final = """
SELECT count() FROM latest_asymmetry WHERE series = {series:String} AND view = 'entity' AND knowledge = 'latest'
"""


@dataclass(frozen=True, slots=True)
class GapRow:
    """Both sides at the end of a year, in effective numbers; L in doublings. `low` and `high` span treatments and error models."""

    day: date
    ai_dropped: float
    ai_one_owner: float
    ai_spread: float
    pools: float
    pools_low: float
    pools_high: float
    l_dropped: float
    l_one_owner: float
    l_spread: float
    low: float
    high: float
    level: str
    regime: str
    bucket_owners: int
    blocks: int
    hindsight: bool


def add_owner_figures(settings: Settings) -> int:
    """Send the packaged figures of the AI side through the line that runs, and return how many quarters, once both views are scored.

    RetryableError where that does not happen within PATIENCE_SECONDS.
    """
    sent = publish(settings, read_owner_figures())
    deadline = time.monotonic() + PATIENCE_SECONDS
    with connect(clickhouse_target(settings), settings.dataset) as clickhouse:
        while not clickhouse.query(_AT_THE_TIP, {"series": _SERIES})[0][0]:
            if time.monotonic() > deadline:
                raise RetryableError(
                    f"the asymmetry was not scored within {PATIENCE_SECONDS:.0f} s: see counterpoise status"
                )
            time.sleep(POLL_SECONDS)
    return sent


def gap_rows(clickhouse: ClickHouse) -> list[GapRow]:
    """The ends of the years, as far as they are scored."""
    parameters = {"series": _SERIES, "low": FROM_YEAR, "high": TO_YEAR}
    return [GapRow(*row) for row in clickhouse.query(_ROWS, parameters)]


def show_gap(console: Console, clickhouse: ClickHouse) -> None:
    """Print the table and the sentence; says plainly where there is no row yet."""
    rows = gap_rows(clickhouse)
    series = load_catalogue()[_SERIES]
    console.print("\n[bold]Is block production compressing while AI compute spreads?[/]")
    if not rows:
        console.print("The two sides have not been compared yet.")
        return
    console.print(
        f"Effective number of equal hands (D₂) on either side: owners of AI compute ({series.source}; {series.licence}) "
        f"against operators of mining pools (last {rows[-1].blocks} blocks). The source's buckets Other and China are left out / one "
        f"owner each / {rows[-1].bucket_owners} owners each. L > 0: AI is spread over more hands than mining; one doubling is a "
        "factor of two.",
        style="dim",
    )
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for name in ("end of", "AI owners", "pools (95 %)", "L in doublings", "95 % interval", "call"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(
            str(row.day.year),
            f"{row.ai_dropped:.1f}/{row.ai_one_owner:.1f}/{row.ai_spread:.1f}",
            f"{row.pools:.1f} ({row.pools_low:.1f} to {row.pools_high:.1f})",
            f"{row.l_dropped:+.2f}/{row.l_one_owner:+.2f}/{row.l_spread:+.2f}",
            f"{row.low:+.2f} to {row.high:+.2f}",
            row.level.replace("_", " "),
        )
    console.print(table)
    console.print(f"\n[bold]{sentence(rows)}[/]")


def sentence(rows: list[GapRow]) -> str:
    """What a desk would say aloud about the newest row: what is compared, how far apart, how surely, and whether it is a call."""
    first, last = rows[0], rows[-1]
    ai = sorted((last.ai_dropped, last.ai_one_owner, last.ai_spread))
    sides = (
        f"ownership of AI compute is worth {ai[0]:.1f} to {ai[-1]:.1f} equal owners, depending on what hides in the unnamed "
        f"rest, and operation of Bitcoin mining {last.pools:.1f} equal pools"
    )
    span = f"between {last.low:+.2f} and {last.high:+.2f} doublings (95 %, every treatment)"
    change = (
        "and over the year the data call no direction"
        if last.regime == "no_call"
        else f"and over the year the two sides are {last.regime.replace('_', ' ')}"
    )
    known = " (in hindsight: the estimates came out later)" if last.hindsight else ""
    if last.level == "no_call":
        never = " as in every year since " + str(first.day.year) if all(row.level == "no_call" for row in rows) else ""
        return (
            f"At the end of {last.day.year} {sides}: the gap is {span}, so which side is the more concentrated is no call{never}, "
            f"{change}{known}."
        )
    wider, narrower = ("AI", "mining") if last.level == "ai_more_dispersed" else ("mining", "AI")
    return (
        f"At the end of {last.day.year} {sides}: {narrower} is in fewer hands than {wider}, by {span}, whatever the unnamed rest is, "
        f"{change}{known}."
    )
