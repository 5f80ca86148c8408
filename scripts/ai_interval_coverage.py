"""How often the 95 % interval of L holds the truth: simulated publications and windows of blocks, of known shares.

    python scripts/ai_interval_coverage.py

A truth is the AI side of one packaged quarter and the blocks of its last month. Of each, 2,000 times a source publishes its figures
with the errors that it states, correlated by ρ from entry to entry, and 1008 blocks are mined; the interval of L is computed as
everywhere else, with fewer draws. Fixed seed: every run prints the same table.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from counterpoise.metrics.dispersion import TREATMENTS, dispersion_sums, hill_numbers_of_sums
from counterpoise.metrics.dispersion_draws import interval, lognormal_draws, lognormal_sigma
from counterpoise.series.basket import Basket, make_basket
from counterpoise.series.load import load_catalogue
from ingest.blocks.sources.simulated import read_figures
from ingest.releases.demo_figures import read_owner_figures
from ingest.releases.sources.parse.epoch import SERIES as OWNERS
from streams.asymmetry.fold.doublings import mining_log2_d2_draws

QUARTERS = ("2022-12-31", "2023-12-31", "2024-12-31", "2025-12-31")
CORRELATIONS = (0.0, 0.5, 1.0)
SIMULATIONS, DRAWS = 2_000, 1_024
WINDOW_BLOCKS = 1_008
SEED = 20_260_501

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cell:
    """Of SIMULATIONS intervals of one treatment, the shares that hold the truth: by either error model, and by each alone."""

    either: float
    independent: float
    correlated: float


def coverage(quarter: str, correlation: float, simulations: int = SIMULATIONS) -> tuple[Cell, ...]:
    """Publish, mine and count; a cell for each treatment."""
    basket, pools = _owners(quarter), _pools(quarter[:7])
    sigma, _ = lognormal_sigma(basket.p5, basket.p95)
    truth = _log2_d2(basket, basket.value) + np.log2(np.square(pools).sum())
    random = np.random.default_rng([SEED, int(quarter.replace("-", "")), round(100 * correlation)])
    hits = np.zeros((len(TREATMENTS), 3))
    entries = len(basket.value)
    for number in range(simulations):
        errors = correlation**0.5 * random.standard_normal() + (1 - correlation) ** 0.5 * random.standard_normal(
            entries
        )
        published = lognormal_draws(basket.value, sigma, errors)
        mining = mining_log2_d2_draws(random.multinomial(WINDOW_BLOCKS, pools), (quarter, correlation, number), DRAWS)
        drawn = [
            _log2_d2(basket, lognormal_draws(published, sigma, random.standard_normal((DRAWS, errors_drawn))))
            - mining[:, None]
            for errors_drawn in (entries, 1)
        ]
        for place in range(len(TREATMENTS)):
            ends = [interval(draws[:, place]) for draws in drawn]
            held = [low <= truth[place] <= high for low, high in ends]
            either = min(low for low, _ in ends) <= truth[place] <= max(high for _, high in ends)
            hits[place] += (either, *held)
    return tuple(Cell(*row) for row in (hits / simulations).tolist())


def line(quarter: str, correlation: float) -> str:
    """A line of the table of docs/methodology-ai.md."""
    cells = (f"{100 * cell.either:.1f} % ({100 * cell.correlated:.0f} %)" for cell in coverage(quarter, correlation))
    return f"| {quarter} | {correlation:g} | " + " | ".join(cells) + " |"


def _owners(quarter: str) -> Basket:
    (release,) = [one for one in read_owner_figures() if one.head.period_end == quarter]
    return make_basket(release, load_catalogue()[OWNERS], "all-owners")


def _pools(month: str) -> Array:
    (figures,) = [one for one in read_figures().months if one.name == month]
    counts = np.array([blocks for pool, blocks in sorted(figures.blocks_by_pool.items()) if pool != "unknown"], float)
    shares: Array = counts / counts.sum()
    return shares


def _log2_d2(basket: Basket, values: Array) -> Array:
    """(…, N) values → (…, 3): by treatment."""
    by_owner = basket.by_owner(values)
    sums = dispersion_sums(by_owner[..., ~basket.is_residual], by_owner[..., basket.is_residual])
    return np.log2(np.stack([hill_numbers_of_sums(sums, how).d2 for how in TREATMENTS], axis=-1))


if __name__ == "__main__":
    sys.stdout.write("| truth | ρ | dropped | one owner | spread over 25 |\n|---|---|---|---|---|\n")
    for each in QUARTERS:
        for rho in CORRELATIONS:
            sys.stdout.write(line(each, rho) + "\n")
