"""Studies of the shares of leaders: luck in picking them, the chance of a share above a line, and real blocks by block bootstrap.

Part of scripts/studies.py, which writes docs/studies.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from counterpoise.estimates.discounted import HISTORY_BLOCKS, share_of_hits
from counterpoise.estimates.drift import DRIFT_WINDOW_BLOCKS, TOP4_DRIFT
from counterpoise.estimates.forecast import FORECAST_BLOCKS
from counterpoise.estimates.nakamoto_bounds import wilson_excess
from counterpoise.estimates.share_intervals import next_interval
from counterpoise.metrics.beta_table import top_share_posterior
from counterpoise.windows import LEADERS, WINDOWS_BLOCKS
from ingest.blocks.sources.simulated import read_figures
from streams.blocks.fold.drift_history import DriftHistory, EntityEpochs
from streams.blocks.fold.forecasts import ForecastRow, forecast_rows

SEED = 20_261_127
WALKS = 8_000
LINES = (0.65, 0.675, 0.70, 0.725, 0.75, 0.775, 0.80)
SEGMENT = 48
"""Blocks for which a simulated share stands still."""
EVERY = 144
"""Blocks from one real window to the next."""
FOLLOWING = 2_016
RESAMPLES = 2_000
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Simulated:
    """What is stated and what is true of the four leaders of one window, over W walks; the chances (W, lines) of each of LINES."""

    window: NDArray[np.float64]
    weighed: NDArray[np.float64]
    covered: NDArray[np.bool_]
    truth: NDArray[np.float64]
    stored_chance: NDArray[np.float64]
    chance: NDArray[np.float64]


def walks(count: int, seed: int = SEED) -> dict[int, Simulated]:
    """Chains of pools whose shares walk from those of real months, so that the top four of then have the fitted drift."""
    months = read_figures().months
    found: dict[int, list[tuple[object, ...]]] = {window: [] for window in WINDOWS_BLOCKS}
    for walk in range(count):
        rng = np.random.default_rng([seed, walk])
        month = months[int(rng.integers(len(months)))].blocks_by_pool
        known = np.array(sorted((c for pool, c in month.items() if pool != "unknown" and c), reverse=True), float)
        start = np.append(known, month.get("unknown", 0)) / (known.sum() + month.get("unknown", 0))
        inside = np.arange(len(start)) < 4
        per_step = float((start**2 * (inside - start[inside].sum()) ** 2).sum())
        steps = rng.normal(0.0, np.sqrt(SEGMENT * TOP4_DRIFT / per_step), (HISTORY_BLOCKS // SEGMENT, len(start)))
        shares = np.empty_like(steps)
        now = start
        for place, step in enumerate(steps):  # a martingale: no share is expected to rise or fall
            now = np.maximum(now * (1.0 + step - float((now * step).sum())), 1e-9)
            now = shares[place] = now / now.sum()
        counts = rng.multinomial(SEGMENT, shares)
        for window in WINDOWS_BLOCKS:
            total = counts[-window // SEGMENT :].sum(axis=0)[:-1]
            best = np.lexsort((np.arange(len(total)), -total))[:4]
            in_segment = counts[:, best].sum(axis=1)
            # In any order: newer blocks weigh more.
            hits = rng.permuted(np.arange(SEGMENT) < in_segment[:, None], axis=1).reshape(-1)
            share = float(total[best].sum()) / window
            weighed = share_of_hits(hits, share, TOP4_DRIFT)
            truth = float(shares[-1, best].sum())
            low, high = weighed.interval
            count, seen = total[best].sum(), int((total > 0).sum())
            stored = [float(top_share_posterior(window, count, seen, 4, line)[2]) for line in LINES]
            chances = [weighed.above(line) for line in LINES]
            found[window].append((share, weighed.share, low <= truth <= high, truth, stored, chances))
    return {window: Simulated(*map(np.array, zip(*rows, strict=True))) for window, rows in found.items()}


def bias_rows(simulated: dict[int, Simulated]) -> list[list[str]]:
    """The mean error of the leaders' share, in points: of the window, and of the blocks weighed by age; and that one's coverage."""
    rows = []
    for window, found in simulated.items():
        errors = [100 * (share - found.truth) for share in (found.window, found.weighed)]
        rows.append(
            [
                f"{window:,}",
                *(f"{error.mean():+.2f}" for error in errors),
                *(f"{error.std():.2f}" for error in errors),
                f"{100 * found.covered.mean():.1f} %",
            ]
        )
    return rows


def calibration(stated: NDArray[np.float64], true: NDArray[np.bool_]) -> list[tuple[float, float, int]]:
    """(mean stated chance, how often it was true, cases) of five bins; NaN for an empty bin."""
    place = np.clip(np.digitize(stated, BINS[1:-1]), 0, len(BINS) - 2)
    found = []
    for b in range(len(BINS) - 1):
        own = place == b
        cases = int(own.sum())
        found.append((float(stated[own].mean()), float(true[own].mean()), cases) if cases else (np.nan, np.nan, 0))
    return found


def calibration_rows(simulated: dict[int, Simulated]) -> list[list[str]]:
    """Stated chance and how often it was true, in five bins, of both statements."""
    rows = []
    for window, found in simulated.items():
        true = (found.truth[:, None] > np.array(LINES)).reshape(-1)
        for name, stated in (("`p_top4_above_75`", found.stored_chance), ("weighed by age", found.chance)):
            cells = [
                f"{100 * said:.0f} → {100 * was:.0f} %" if cases else "–"
                for said, was, cases in calibration(stated.reshape(-1), true)
            ]
            rows.append([f"{window:,}", name, *cells])
    return rows


def nakamoto_rows(draws: int, seed: int = SEED) -> list[list[str]]:
    """Coverage of the ranges of the Nakamoto coefficient over the real months: the worst, the median and the best month."""
    rows = []
    for window in WINDOWS_BLOCKS:
        for name, line in (("one half", 0.5), ("one third", 1.0 / 3.0)):
            covered = []
            for place, month in enumerate(read_figures().months):
                counts = np.array(sorted(month.blocks_by_pool.items(), key=lambda item: item[0] == "unknown"), object)
                shares = counts[:, 1].astype(float) / counts[:, 1].astype(float).sum()
                unknown = int(counts[-1, 0] == "unknown")
                known = np.sort(shares[: len(shares) - unknown])[::-1].cumsum()
                truth = int(np.argmax(known > line)) + 1 if (known > line).any() else 0
                rng = np.random.default_rng([seed, 7, window, place])
                drawn = rng.multinomial(window, shares, draws)[:, : len(shares) - unknown]
                held = np.sort(drawn, axis=1)[:, ::-1][:, :LEADERS].cumsum(axis=1)
                may, must = (wilson_excess(held, window, line, sign) > 0 for sign in (1, -1))
                low = np.where(may.any(axis=1), may.argmax(axis=1) + 1, LEADERS + 1)
                high = np.where(must.any(axis=1), must.argmax(axis=1) + 1, LEADERS + 1_000)
                true = truth or LEADERS + 1
                covered.append(float(((low <= true) & (true <= high)).mean()))
            cells = (f"{100 * f(covered):.1f} %" for f in (np.min, np.median, np.max))
            rows.append([f"{window:,}", name, " / ".join(cells)])
    return rows


def fitted_drift(first: int, codes: NDArray[np.int64]) -> dict[tuple[int, str], float]:
    """The drift that a worker stores, by height and family, of the raw view."""
    history, found = DriftHistory(), {}
    table = np.arange(int(codes.max()) + 1, dtype=np.uint16)[None]
    maps = EntityEpochs(table, np.zeros(len(codes), np.intp), first)
    for row in history.score(codes.astype(np.uint16), first, range(first, first + len(codes)), maps, first):
        if row.view_code == 0:
            found[row.height, row.family] = row.drift
    return found


def forecast_score_rows(first: int, codes: NDArray[np.int64], test_from: int) -> list[list[str]]:
    """Coverage, Brier score and calibration of the daily forecasts on real blocks, before and after `test_from`."""
    drift = fitted_drift(first, codes)
    table = np.arange(int(codes.max()) + 1, dtype=np.uint16)[None]
    maps = EntityEpochs(table, np.zeros(len(codes), np.intp), first)

    def drift_at(view: int, height: int) -> float:
        return drift.get((height // DRIFT_WINDOW_BLOCKS * DRIFT_WINDOW_BLOCKS, "top4"), TOP4_DRIFT)

    heights = range(first, first + len(codes))
    made = forecast_rows(codes.astype(np.uint16), first, heights, maps, drift_at, first_height=first)
    raw = {row.height: row for row in made if row.view_code == 0}
    scored = [
        (row, raw[row.height + FORECAST_BLOCKS].outcome) for row in raw.values() if row.height + FORECAST_BLOCKS in raw
    ]
    rows = []
    for name, of in (
        (f"below {test_from:,}", [one for one in scored if one[0].height < test_from]),
        (f"from {test_from:,}", [one for one in scored if one[0].height >= test_from]),
    ):
        rows.append([name, *_score_cells(of)])
    return rows


def _score_cells(scored: list[tuple[ForecastRow, float]]) -> list[str]:
    outcome = np.array([came for _, came in scored])
    stated = np.array([row.above_75 for row, _ in scored])
    inside = np.array([row.low <= came <= row.high for row, came in scored])
    above = outcome > 0.75
    bins = [
        f"{100 * said:.0f} → {100 * was:.0f} % ({cases})" if cases else "–"
        for said, was, cases in calibration(stated, above)
    ]
    base = float(above.mean())
    return [
        f"{len(scored):,}",
        f"{100 * inside.mean():.1f} %",
        f"{((stated - above) ** 2).mean():.3f}",
        f"{base * (1 - base):.3f}",
        *bins,
    ]


def bootstrap(covered: NDArray[np.bool_], length: int, rng: np.random.Generator) -> tuple[float, float]:
    """(standard error, effective number) of a mean of dependent windows, by circular blocks of `length` windows."""
    total = len(covered)
    blocks = -(-total // length)
    starts = rng.integers(0, total, (RESAMPLES, blocks))
    places = (starts[:, :, None] + np.arange(length)) % total
    means = covered[places.reshape(RESAMPLES, -1)[:, :total]].mean(axis=1)
    error = float(means.std())
    mean = float(covered.mean())
    return error, mean * (1 - mean) / error**2 if error else float(total)


def bootstrap_rows(first: int, codes: NDArray[np.int64], test_from: int) -> list[list[str]]:
    """Coverage of the next 2,016 real blocks by intervals with the stored drift, over windows that overlap."""
    drift = fitted_drift(first, codes)
    rows = []
    for family, k in (("top4", 4), ("top1", 1)):
        for window in WINDOWS_BLOCKS:
            own, weighed, errors = [], [], []
            for end in range(test_from, first + len(codes) - FOLLOWING, EVERY):
                place = end - first + 1
                counts = np.bincount(codes[place - window : place], minlength=int(codes.max()) + 1)
                counts[0] = -1
                best = np.lexsort((np.arange(len(counts)), -counts))[:k]
                hits = np.isin(codes[place - HISTORY_BLOCKS : place + FOLLOWING], best)
                after = float(hits[HISTORY_BLOCKS:].mean())
                share = float(hits[HISTORY_BLOCKS - window : HISTORY_BLOCKS].mean())
                sigma2 = drift[end // DRIFT_WINDOW_BLOCKS * DRIFT_WINDOW_BLOCKS, family]
                low, high = (float(value) for value in next_interval(share * window, window, FOLLOWING, sigma2))
                own.append(low <= after <= high)
                found = share_of_hits(hits[:HISTORY_BLOCKS], share, sigma2)
                low, high = found.of_next(FOLLOWING, sigma2).interval
                weighed.append(low <= after <= high)
                errors.append((share - after, found.share - after))
            rng = np.random.default_rng([SEED, 8, k, window])
            length = (window + FOLLOWING) // EVERY
            miss = 100 * np.sqrt((np.array(errors) ** 2).mean(axis=0))
            cells = []
            for covered in (own, weighed):
                error, effective = bootstrap(np.array(covered), length, rng)
                cells.append(f"{100 * np.mean(covered):.1f} % ± {100 * error:.1f} ({effective:.0f})")
            rows.append([f"top {k}", f"{window:,}", str(len(own)), *cells, f"{miss[0]:.2f}", f"{miss[1]:.2f}"])
    return rows
