"""`counterpoise estimates`: one share, three meanings: the blocks seen, the hashrate behind them now, and the next blocks."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from counterpoise.formats import TEXT
from counterpoise.windows import RAW, USUAL_WINDOW_BLOCKS
from desk.cli.console import Console, cell, plain_table
from desk.cli.options import ChainOption, HeightOption, JsonOption, ViewOption, WindowOption, checked_view, number
from desk.cli.say import say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from desk.share_now import WindowSums

_NEXT = (144, 1_008, 2_016)


def estimates(
    *,
    view: ViewOption = RAW,
    window: WindowOption = USUAL_WINDOW_BLOCKS,
    height: HeightOption = None,
    chain: ChainOption = "bitcoin",
    line: Annotated[float, number("--line", help="The share whose probability is shown.")] = 0.75,
    as_json: JsonOption = False,
) -> None:
    """Show shares of the largest, HHI and D₂ of the blocks seen, of the hashrate now, and of the next 144, 1008 and 2016 blocks.

    The intervals are of 95 % and include the drift of hashrate as it was fitted last. They are of these pools, which luck helped to
    be the largest. "Weighed by age" is the hashrate now from up to 8,640 blocks, the newer the heavier. Luck counts little there.
    """
    from counterpoise.chain.chain_registry import BITCOIN, chain_named
    from counterpoise.clickhouse.client import connect
    from counterpoise.clickhouse.pool_blocks import read_pool_blocks
    from counterpoise.errors import ConfigError
    from counterpoise.estimates.drift import HHI_FAMILY
    from counterpoise.estimates.measured_coverage import MEASURED
    from counterpoise.estimates.share_intervals import best_window
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings
    from desk.share_now import NewestBlocks, read_drift, read_sums

    chain_named(chain)
    chosen = checked_view(view)
    if not 0.0 < line < 1.0:
        raise ConfigError(f"--line {line}: expected a share between 0 and 1, such as 0.75")
    settings = Settings.load()
    with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
        read = read_pool_blocks(clickhouse, chain, window, height)
        drift = read_drift(clickhouse, chain, chosen, read.height)
        newest = NewestBlocks(clickhouse, read, chosen)
        sums = read_sums(clickhouse, read, chosen)
    seen = read.views[chosen]
    if not seen.leaders:
        raise ConfigError(f"no block of the window at height {read.height} has a known producer")
    rows = [
        estimate(
            seen.leaders[:k], seen.n, drift[f"top{k}"], newest.hits(tuple(pool for pool, _ in seen.leaders[:k])), line
        )
        for k in range(1, len(seen.leaders) + 1)
    ]
    dispersion = estimate_dispersion(sums, drift[HHI_FAMILY])
    if as_json:
        for k, row in enumerate(rows, start=1):
            measured = MEASURED.get((f"top {k}", window)) if chain == BITCOIN.name else None
            row["measured_coverage_of_next_2016"] = None if measured is None else measured.coverage
        answer = {**read.to_json(), "view": chosen, "level": 0.95, "estimates": rows, "dispersion": dispersion}
        say(json.dumps(answer, ensure_ascii=False, indent=2, allow_nan=False))
        return
    console = Console(highlight=False)
    console.print(_table(rows, dispersion, line))
    console.print(f"{chosen} view: {read.denominator}.", style="dim")
    console.print("95 % intervals with drift; docs/studies.md has their measured coverage on real blocks.", style="dim")
    measured = MEASURED.get(("top 1", window)) if chain == BITCOIN.name else None
    if measured is not None:
        console.print(
            f"The interval of the largest covered the next 2,016 real blocks in {TEXT.share(measured.coverage)} of windows "
            f"(± {TEXT.points_line(measured.standard_error)} points). Read it as one of that level.",
            style="dim",
        )
    top = rows[min(4, len(rows)) - 1]
    if 0 < top["blocks_seen"] < 1:
        blocks = float(best_window(top["blocks_seen"], top["drift"]))
        many = min(4, len(rows))
        of = "the largest" if many == 1 else f"the {many} largest together"
        console.print(
            f"The window that estimates the hashrate now of {of} best has about {blocks:,.0f} blocks.", style="dim"
        )


def _table(rows: Sequence[dict[str, Any]], dispersion: Sequence[dict[str, Any]], line: float) -> Table:
    """A row for each number of leaders, then one for HHI and one for D₂."""
    above = f"above {TEXT.share(line)}"
    table = plain_table(
        "largest", "up to", "blocks seen", "hashrate now", "weighed by age", above, *(f"next {m:,}" for m in _NEXT)
    )
    for k, row in enumerate(rows, start=1):
        table.add_row(
            str(k),
            cell(row["pools"][-1]),
            TEXT.share(row["blocks_seen"]),
            _range(row["hashrate_now"]),
            _range(row["weighed_by_age"]["interval"]),
            TEXT.share(row["weighed_by_age"]["above_line"]),
            *(_range(row[f"next_{m}_blocks"]) for m in _NEXT),
        )
    for row in dispersion:
        digits = 4 if row["metric"] == "hhi" else 2
        table.add_row(
            {"hhi": "HHI"}.get(row["metric"], "D₂"),
            "all pools",
            TEXT.number(row["blocks_seen"], digits),
            _numbers(row["hashrate_now"], digits),
            "–",
            "–",
            *(_numbers(row[f"next_{m}_blocks"], digits) for m in _NEXT),
        )
    return table


def estimate(
    leaders: tuple[tuple[str, int], ...], n: int, drift: float, hits: NDArray[np.float64], line: float
) -> dict[str, Any]:
    """The estimates of the share that these pools have together. `hits`: 1 for each of the newest blocks that is theirs."""
    from counterpoise.estimates.discounted import share_of_hits
    from counterpoise.estimates.share_intervals import next_interval, now_interval

    count = sum(blocks for _, blocks in leaders)
    weighed = share_of_hits(hits, count / n, drift)
    return {
        "pools": [pool for pool, _ in leaders],
        "blocks": count,
        "blocks_seen": count / n,
        "drift": drift,
        "hashrate_now": [float(end) for end in now_interval(count, n, drift)],
        "weighed_by_age": {
            "share": weighed.share,
            "interval": list(weighed.interval),
            "blocks": weighed.blocks,
            "line": line,
            "above_line": weighed.above(line),
        },
        **{f"next_{m}_blocks": [float(end) for end in next_interval(count, n, m, drift)] for m in _NEXT},
    }


def estimate_dispersion(sums: WindowSums, drift: float) -> list[dict[str, Any]]:
    """The estimates of HHI and of D₂. `drift` is σ² of HHI a block; an end that nothing bounds is None."""
    from counterpoise.metrics.hhi_estimates import d2_next, d2_now, hhi_next, hhi_now

    s2, s3, known, n = sums
    found = []
    for metric, seen, now, later in (
        ("hhi", s2 / n**2, hhi_now, hhi_next),
        ("effective_pools_d2", known**2 / s2 if s2 else None, d2_now, d2_next),
    ):
        found.append(
            {
                "metric": metric,
                "blocks_seen": seen,
                "drift_of_hhi": drift,
                "hashrate_now": _bounded(now(s2, s3, known, n, drift=drift)),
                **{f"next_{m}_blocks": _bounded(later(s2, s3, known, n, m, drift=drift)) for m in _NEXT},
            }
        )
    return found


def _bounded(ends: tuple[NDArray[np.float64], NDArray[np.float64]]) -> list[float | None]:
    return [float(end) if math.isfinite(end) else None for end in ends]


def _numbers(ends: list[float | None], digits: int) -> str:
    return f"{TEXT.number(ends[0], digits)} to {TEXT.number(ends[1], digits)}"


def _range(ends: list[float]) -> str:
    return TEXT.share_range(ends[0], ends[1])
