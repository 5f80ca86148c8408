"""Coverage of HHI and D₂ now and next, simulated under the fitted drift and on real blocks.

Part of scripts/studies.py, which writes docs/studies.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from counterpoise.estimates.drift import DRIFT_WINDOW_BLOCKS, HHI_DRIFT, HHI_FAMILY
from counterpoise.metrics.hhi_estimates import d2_next, d2_now, hhi_next, hhi_now
from counterpoise.windows import WINDOWS_BLOCKS
from ingest.blocks.sources.simulated import read_figures
from scripts.share_studies import EVERY, FOLLOWING, bootstrap, fitted_drift

SEED = 20_261_130
WALKS = 20_000
"""Walks a window: the standard error of a coverage of 95 % is 0.15 points."""
SIMULATED_SEGMENT = 144
"""Blocks for which a simulated share stands still."""

FloatArray = NDArray[np.float64]


def months_shares() -> FloatArray:
    """(months, pools + 1) shares of real months, the largest first; the last column is unknown."""
    months = [month.blocks_by_pool for month in read_figures().months]
    width = max(len(month) for month in months) + 1
    table = np.zeros((len(months), width))
    for place, month in enumerate(months):
        counts = sorted((blocks for pool, blocks in month.items() if pool != "unknown"), reverse=True)
        table[place, : len(counts)] = counts
        table[place, -1] = month.get("unknown", 0)
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def step(shares: FloatArray, blocks: float, rng: np.random.Generator) -> FloatArray:
    """The shares so many blocks later, in a walk that is that of the intervals: HHI moves by σ² a block and has no trend.

    Unknown blocks keep their share k, since a block without attribution moves no hashrate. With x the shares of the attributed
    blocks and h = Σx², HHI is k²h, and each pool's share is multiplied by 1 + τz. Two conditions make the step:

        Var(ΔHHI) = 4k⁴τ²Σ(x² − xh)²  = σ²·blocks
        E(Δh)     = τ²Σx²(1 − 2x + h) = 2c(Σx³ − h²)

    Squares grow where shares have no trend. So x(1 − c(x − h)) first takes that mean back.
    """
    known = 1.0 - shares[:, -1:]
    x = shares[:, :-1] / known
    h = (x**2).sum(axis=1, keepdims=True)
    tau2 = blocks * HHI_DRIFT / (4.0 * known**4 * ((x**2 - x * h) ** 2).sum(axis=1, keepdims=True))
    rise = tau2 * (x**2 * (1.0 - 2.0 * x + h)).sum(axis=1, keepdims=True)
    x = x * (1.0 - rise / (2.0 * ((x**3).sum(axis=1, keepdims=True) - h**2)) * (x - h))
    z = rng.normal(0.0, 1.0, x.shape) * np.sqrt(tau2)
    x = np.maximum(x * (1.0 + z - (x * z).sum(axis=1, keepdims=True)), 0.0)
    return np.concatenate([known * x / x.sum(axis=1, keepdims=True), shares[:, -1:]], axis=1)


def draw(
    window: int, shares: FloatArray, rng: np.random.Generator
) -> tuple[NDArray[np.int64], FloatArray, NDArray[np.int64]]:
    """(blocks of the window, shares at its end, blocks of the next 2,016) of a walk from each row; the last column is unknown.

    A segment has the shares of its middle, so the window ends half a segment after its last one: at the segment itself, the
    walk of 2,016 blocks would be a tenth too short.
    """
    size = SIMULATED_SEGMENT
    seen, following = np.zeros(shares.shape, np.int64), np.zeros(shares.shape, np.int64)
    for _ in range(window // size):
        shares = step(shares, size, rng)
        seen += rng.multinomial(size, shares)
    now = shares = step(shares, size / 2, rng)
    for place in range(FOLLOWING // size):
        shares = step(shares, size if place else size / 2, rng)
        following += rng.multinomial(size, shares)
    return seen, now, following


def coverage(window: int, shares: FloatArray, rng: np.random.Generator) -> dict[str, list[float]]:
    """Coverage of both indices over a walk from each row of shares: now and next without drift, then with it."""
    drawn, shares, after = draw(window, shares, rng)
    seen, now, following = drawn[:, :-1], shares[:, :-1], after[:, :-1]
    s2, s3, known = ((seen**power).sum(axis=1).astype(float) for power in (2, 3, 1))
    true_hhi, known_share = (now**2).sum(axis=1), now.sum(axis=1)
    k = following.sum(axis=1)
    pairs = (following**2).sum(axis=1) - k
    next_hhi, next_d2 = pairs / (FOLLOWING * (FOLLOWING - 1)), k * (k - 1) / pairs
    found: dict[str, list[float]] = {"HHI": [], "D₂": []}
    for drift in (0.0, HHI_DRIFT):
        for name, ends, truth in (
            ("HHI", hhi_now(s2, s3, known, window, drift=drift), true_hhi),
            ("HHI", hhi_next(s2, s3, known, window, FOLLOWING, drift=drift), next_hhi),
            ("D₂", d2_now(s2, s3, known, window, drift=drift), known_share**2 / true_hhi),
            ("D₂", d2_next(s2, s3, known, window, FOLLOWING, drift=drift), next_d2),
        ):
            found[name].append(float(((ends[0] <= truth) & (truth <= ends[1])).mean()))
    return found


def mixed_coverage(window: int, walks: int) -> dict[str, list[float]]:
    """The coverage of walks that begin at real months, drawn at random."""
    rng, months = np.random.default_rng([SEED, window]), months_shares()
    return coverage(window, months[rng.integers(len(months), size=walks)], rng)


def month_rows(walks: int) -> list[list[str]]:
    """Coverage at 144 blocks, month by month: the worst, the median and the best, now and next with drift."""
    window = WINDOWS_BLOCKS[0]
    found = [
        coverage(window, np.repeat(month[None], walks, axis=0), np.random.default_rng([SEED, window, place]))
        for place, month in enumerate(months_shares())
    ]
    rows = []
    for name in ("HHI", "D₂"):
        cells = []
        for column in (2, 3):
            values = [one[name][column] for one in found]
            cells.append(" / ".join(f"{100 * f(values):.1f} %" for f in (np.min, np.median, np.max)))
        rows.append([name, f"{window:,}", *cells])
    return rows


def coverage_rows() -> list[list[str]]:
    """One row for each index and window."""
    by_window = {window: mixed_coverage(window, WALKS) for window in WINDOWS_BLOCKS}
    return [
        [name, f"{window:,}", *(f"{100 * part:.1f} %" for part in found[name])]
        for name in ("HHI", "D₂")
        for window, found in by_window.items()
    ]


def real_rows(first: int, codes: NDArray[np.int64], test_from: int) -> list[list[str]]:
    """Coverage of the next 2,016 real blocks with the drift that a worker had stored by then, over windows that overlap."""
    drift = fitted_drift(first, codes)
    sums = np.zeros((len(codes) + 1, int(codes.max())), np.int32)
    sums[1:] = np.cumsum(codes[:, None] == np.arange(1, int(codes.max()) + 1), axis=0, dtype=np.int32)
    ends = np.arange(test_from, first + len(codes) - FOLLOWING, EVERY)
    places = ends - first + 1
    sigma2 = np.array([drift[end // DRIFT_WINDOW_BLOCKS * DRIFT_WINDOW_BLOCKS, HHI_FAMILY] for end in ends])
    following = (sums[places + FOLLOWING] - sums[places]).astype(float)
    k = following.sum(axis=1)
    pairs = (following**2).sum(axis=1) - k
    truths = {"HHI": pairs / (FOLLOWING * (FOLLOWING - 1)), "D₂": k * (k - 1) / pairs}
    rows = []
    for name, interval in (("HHI", hhi_next), ("D₂", d2_next)):
        for window in WINDOWS_BLOCKS:
            seen = (sums[places] - sums[places - window]).astype(float)
            s2, s3, known = ((seen**power).sum(axis=1) for power in (2, 3, 1))
            low, high = interval(s2, s3, known, window, FOLLOWING, drift=sigma2)
            covered = (low <= truths[name]) & (truths[name] <= high)
            rng = np.random.default_rng([SEED, 8, window])
            error, effective = bootstrap(covered, (window + FOLLOWING) // EVERY, rng)
            cell = f"{100 * covered.mean():.1f} % ± {100 * error:.1f} ({effective:.0f})"
            rows.append([name, f"{window:,}", str(len(ends)), cell])
    return rows
