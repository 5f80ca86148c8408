"""Delays of the stored detectors in simulated chains. Part of scripts/studies.py, which writes docs/studies.md.

    python scripts/studies.py --only delays     # prints the table

It also writes counterpoise/detectors/delays.py, which alerts quote.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from counterpoise.detectors.tracks import (
    ALTERNATIVES,
    BLOCKS_PER_YEAR,
    DETECTORS,
    HHI,
    HHI_GROUP_BLOCKS,
    PROMISES_YEARS,
    Observed,
    ratios,
)
from scripts.detector_studies import BELOW_EVERY_LINE, BELOW_HALF

SEED = 20_261_129
RUNS = 2_000
LIMIT_BLOCKS = 20_000
TOP4_SHARES = (0.76, 0.77, 0.78, 0.79, 0.80, 0.81, 0.82)
SMALL_POOLS = 50
STRETCH_BLOCKS = 64
"""A multiple of HHI_GROUP_BLOCKS; short, so that the products of ratios stay in range."""
MODULE = Path(__file__).resolve().parents[1] / "counterpoise" / "detectors" / "delays.py"


@dataclass(frozen=True)
class Delay:
    """How long a detector takes at a constant true value: quantiles in blocks, and the part of chains without an alarm.

    `value` is what the detector is about: a share of the hashrate, or HHI. A quantile beyond `LIMIT_BLOCKS` is None.
    """

    detector: str
    promise_years: int
    top4_share: float
    value: float
    p10: int | None
    p50: int | None
    p90: int | None
    undetected: float


def pools_of(leaders: tuple[float, ...], top4_share: float) -> NDArray[np.float64]:
    """Shares of the four leaders in their proportions, then of fifty equal pools."""
    first = np.array(leaders) * top4_share / sum(leaders)
    return np.concatenate([first, np.full(SMALL_POOLS, (1.0 - top4_share) / SMALL_POOLS)])


def first_alarms(shares: NDArray[np.float64], runs: int, blocks: int, key: int) -> NDArray[np.int64]:
    """(detectors, promises, runs) blocks to the first alarm in chains of constant shares; `blocks` + 1 where there is none.

    The forms and their steps are those that the workers store.
    """
    rng = np.random.default_rng([SEED, key, round(1e4 * shares[:4].sum())])
    ends, g = np.cumsum(shares)[:-1], HHI_GROUP_BLOCKS
    steps = np.array([detector.step_blocks for detector in DETECTORS])
    thresholds = np.array(PROMISES_YEARS)[:, None] * BLOCKS_PER_YEAR / steps
    weights = np.zeros((runs, len(DETECTORS), ALTERNATIVES))
    found = np.full((len(DETECTORS), len(PROMISES_YEARS), runs), blocks + 1, np.int64)
    for begin in range(0, blocks, STRETCH_BLOCKS):
        pools = np.searchsorted(ends, rng.random((runs, STRETCH_BLOCKS)), side="right")
        groups = np.sort(pools.reshape(runs, -1, g), axis=2)
        pairs = np.full(pools.shape, np.nan)
        pairs[:, g - 1 :: g] = sum((groups[..., k:] == groups[..., :-k]).sum(axis=2) for k in range(1, g)) / (
            g * (g - 1) / 2
        )
        fire, _, stepped = ratios(Observed(np.where(pools < 4, pools + 1, 0).astype(np.int8), pairs, pairs))
        for place in range(min(STRETCH_BLOCKS, blocks - begin)):
            weights = fire[place] * (weights + stepped[place][:, :, None])
            alarm = weights.mean(axis=2).T[:, None, :] >= thresholds.T[:, :, None]
            found[alarm & (found > blocks)] = begin + place + 1
        # Behind the longest promise nothing is read any more.
        np.minimum(weights, 1e12, out=weights)
        if (found <= blocks)[_watched(shares)].all():
            break
    return found


def _watched(shares: NDArray[np.float64]) -> list[int]:
    """Places of the detectors whose line these shares are above."""
    return [place for place, detector in enumerate(DETECTORS) if value_of(detector.name, shares) > detector.line]


def value_of(detector: str, shares: NDArray[np.float64]) -> float:
    """What a detector is about, of these shares of pools."""
    if detector == HHI:
        return float((shares**2).sum())
    return float(shares[:4].sum()) if detector == "top4_above_75" else float(shares.max())


def delays(runs: int = RUNS, shares: tuple[float, ...] = TOP4_SHARES) -> list[Delay]:
    """Every detector under every promise at these shares of the top four.

    The leaders are in the proportions of the study of false alarms: at 74.9 % each detector is just below its line.
    """
    rows = []
    for share in shares:
        chains = {leaders: pools_of(leaders, share) for leaders in (BELOW_EVERY_LINE, BELOW_HALF)}
        found = {
            leaders: first_alarms(pools, runs, LIMIT_BLOCKS, key) for key, (leaders, pools) in enumerate(chains.items())
        }
        for d, detector in enumerate(DETECTORS):
            leaders = BELOW_HALF if detector.line == 0.5 else BELOW_EVERY_LINE
            for p, promise in enumerate(PROMISES_YEARS):
                blocks = found[leaders][d, p]
                quantiles = [_within(value) for value in np.quantile(blocks, [0.1, 0.5, 0.9])]
                late = float((blocks > LIMIT_BLOCKS).mean())
                value = round(value_of(detector.name, chains[leaders]), 4)
                rows.append(Delay(detector.name, promise, share, value, *quantiles, late))
    order = [detector.name for detector in DETECTORS]
    return sorted(rows, key=lambda row: (order.index(row.detector), row.promise_years, row.top4_share))


def _within(blocks: float) -> int | None:
    return round(blocks) if blocks <= LIMIT_BLOCKS else None


def table_rows(rows: list[Delay]) -> list[list[str]]:
    """One row for each detector and share, with the quantiles and the part without an alarm under each promise."""
    found: dict[tuple[str, float], list[str]] = {}
    for row in rows:
        key = row.detector, row.top4_share
        value = f"{row.value:.4f}" if row.detector == HHI else f"{100 * row.value:.1f} %"
        line = found.setdefault(key, [f"`{row.detector}`", f"{100 * row.top4_share:.0f} %", value])
        quantiles = " / ".join("–" if blocks is None else f"{blocks:,}" for blocks in (row.p10, row.p50, row.p90))
        line.append(f"{quantiles} ({100 * row.undetected:.1f} %)")
    return list(found.values())


def module(rows: list[Delay]) -> str:
    """The text of counterpoise/detectors/delays.py: what an alert quotes."""
    lines = [
        f'"""Median delays of the detectors in blocks, of {RUNS:,} simulated chains each. Pure. `make studies` writes this file."""',
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "from types import MappingProxyType",
        "from typing import Final",
        "",
        f"LIMIT_BLOCKS: Final = {LIMIT_BLOCKS:_}",
        "MEDIAN_DELAYS: Final[Mapping[tuple[str, int], tuple[tuple[float, int | None], ...]]] = MappingProxyType(",
        "    {",
    ]
    for name, promise in dict.fromkeys((row.detector, row.promise_years) for row in rows):
        own = [row for row in rows if (row.detector, row.promise_years) == (name, promise)]
        lines.append(f'        ("{name}", {promise}): (')
        lines += [
            f"            ({row.value:.4g}, {'None' if row.p50 is None else format(row.p50, '_')})," for row in own
        ]
        lines.append("        ),")
    lines += [
        "    }",
        ")",
        '"""By detector and promise in years: (true value, median blocks to the alarm), None where that is beyond `LIMIT_BLOCKS`."""',
        "",
    ]
    return "\n".join(lines)
