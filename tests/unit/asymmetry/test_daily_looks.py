"""What looking every day does: years of mining in which no pool's hashrate changes, and on how many of them a change is seen."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.blocks.sources.simulated import read_figures
from streams.asymmetry.fold.doublings import mining_log2_d2_draws
from streams.asymmetry.fold.regime import SCANNED_SDS, scanned_sign

YEARS = 400
BLOCKS_A_DAY, WINDOW_DAYS = 144, 7
MONTHS = ("2022-12", "2025-12")


def true_shares(month: str) -> NDArray[np.float64]:
    """Of the blocks of a real month, those of nobody known left out."""
    (figures,) = [one for one in read_figures().months if one.name == month]
    counts = np.array([blocks for pool, blocks in sorted(figures.blocks_by_pool.items()) if pool != "unknown"], float)
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def windows_of_two_years(shares: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.int64]:
    """(737 days, K) blocks of the last seven days."""
    days = random.multinomial(BLOCKS_A_DAY, shares, size=2 * 365 + 2 * WINDOW_DAYS)
    sums = np.cumsum(days, axis=0)
    windows: NDArray[np.int64] = sums[WINDOW_DAYS:] - sums[:-WINDOW_DAYS]
    return windows


def changes_in_sds(windows: NDArray[np.int64]) -> NDArray[np.float64]:
    """(days,) change of log₂ D₂ over 365 days over its standard error, by the delta method: no code of the package."""
    shares = windows / windows.sum(axis=1, keepdims=True)
    squares = (shares**2).sum(axis=1)
    variance = 4 * ((shares**3).sum(axis=1) - squares**2) / windows.sum(axis=1) / squares**2
    logs = -np.log(squares)
    result: NDArray[np.float64] = (logs[365:] - logs[:-365]) / np.sqrt(variance[365:] + variance[:-365])
    return result


@pytest.mark.parametrize("month", MONTHS)
def test_a_year_without_change_shows_one_at_95_percent_and_hardly_ever_at_the_level_of_the_regime(month: str) -> None:
    random = np.random.default_rng(20_260_501)
    shares = true_shares(month)
    largest = np.array([np.abs(changes_in_sds(windows_of_two_years(shares, random))).max() for _ in range(YEARS)])
    seen, called = (largest > 1.96).mean(), (largest > SCANNED_SDS).mean()
    print(f"{month}: a change is seen in {seen:.1%} of years, at the regime's level in {called:.1%}")
    assert seen > 0.99
    assert called < 0.05 + 0.033  # three standard errors of a share of 5 % in 400 years
    assert np.quantile(largest, 0.95) == pytest.approx(SCANNED_SDS, abs=0.25)


def test_the_sign_is_read_from_draws_as_from_that_standard_error() -> None:
    random = np.random.default_rng(5)
    before = true_shares("2022-12")
    for moved in np.linspace(0, 0.3, 9):
        after = before.copy()
        top = int(before.argmax())
        after[top] += moved
        after /= after.sum()
        counts = [random.multinomial(1008, shares) for shares in (before, after)]
        far = float(changes_in_sds(np.array([counts[0]] * 365 + [counts[1]]))[0])
        draws = [mining_log2_d2_draws(one, key=(moved, at)) for at, one in enumerate(counts)]
        if abs(abs(far) - SCANNED_SDS) > 0.4:
            assert scanned_sign(draws[1] - draws[0]) == (np.sign(far) if abs(far) > SCANNED_SDS else 0)
