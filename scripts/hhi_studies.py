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
from scripts.share_studies import EVERY, FOLLOWING, SEGMENT, bootstrap, fitted_drift

SEED = 20_261_130


def _starts(walks: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(walks, pools + 1) shares of real months, drawn at random; the last column is unknown."""
    months = [month.blocks_by_pool for month in read_figures().months]
    width = max(len(month) for month in months) + 1
    table = np.zeros((len(months), width))
    for place, month in enumerate(months):
        counts = sorted((blocks for pool, blocks in month.items() if pool != "unknown"), reverse=True)
        table[place, : len(counts)] = counts
        table[place, -1] = month.get("unknown", 0)
    table /= table.sum(axis=1, keepdims=True)
    return np.asarray(table[rng.integers(len(months), size=walks)])


def paths(walks: int, segments: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(segments, walks, pools + 1) shares that walk, with no drift to either side, so that HHI has the fitted σ² a block."""
    now = _starts(walks, rng)
    found = np.empty((segments, *now.shape))
    for place in range(segments):
        hhi = (now[:, :-1] ** 2).sum(axis=1, keepdims=True)
        weight = now**2 - now * hhi
        weight[:, -1] = -now[:, -1] * hhi[:, 0]
        per_step = 4.0 * (weight**2).sum(axis=1, keepdims=True)
        step = rng.normal(0.0, 1.0, now.shape) * np.sqrt(SEGMENT * HHI_DRIFT / per_step)
        now = np.maximum(now * (1.0 + step - (now * step).sum(axis=1, keepdims=True)), 0.0)
        now = found[place] = now / now.sum(axis=1, keepdims=True)
    return found


def coverage(window: int, walks: int) -> dict[str, list[float]]:
    """Coverage of both indices: now and next without drift, then with it."""
    rng = np.random.default_rng([SEED, window])
    first, after = window // SEGMENT, FOLLOWING // SEGMENT
    shares = paths(walks, first + after, rng)
    counts = rng.multinomial(SEGMENT, shares)
    seen, following = counts[:first].sum(axis=0)[:, :-1], counts[first:].sum(axis=0)[:, :-1]
    s2, s3, known = ((seen**power).sum(axis=1).astype(float) for power in (2, 3, 1))
    now = shares[first - 1, :, :-1]
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


def coverage_rows(walks: int) -> list[list[str]]:
    """One row for each index and window."""
    by_window = {window: coverage(window, walks) for window in WINDOWS_BLOCKS}
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
