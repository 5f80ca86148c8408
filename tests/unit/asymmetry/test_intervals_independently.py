"""Intervals and probabilities again, by other code: scipy's distributions, 100,000 draws, the files read anew."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from datetime import date
from functools import cache

import numpy as np
import pytest
import scipy
from numpy.typing import NDArray

from counterpoise.metrics.dispersion import TREATMENTS
from counterpoise.series.release import to_events
from streams.asymmetry.fold.asymmetry_fold import AsymmetryFold
from streams.asymmetry.fold.score import AsymmetryRow
from streams.releases.fold.release_fold import ReleaseFold
from streams.releases.fold.value_draws import ERROR_MODELS
from tests.shared import shared_data
from tests.unit.asymmetry import real

N = 100_000
QUARTERS = [
    date(2022, 12, 31),
    date(2023, 12, 31),
    date(2024, 12, 31),
    date(2025, 6, 30),
    date(2025, 12, 31),
]
BUCKETS = ("Other", "China")


@cache
def rows() -> dict[date, AsymmetryRow]:
    releases = ReleaseFold(real.catalogue())
    releases.apply(event for release in real.epoch() for event in to_events(release))
    fold = AsymmetryFold(real.catalogue(), [real.PAIR], given_days_only=True)
    changes = fold.apply(releases, changed_series={real.PAIR.series}, days=real.windows(QUARTERS))
    return {row.day: row for row in changes.rows}


@cache
def simulated_ai(day: date, model: str) -> dict[str, NDArray[np.float64]]:
    """log₂ D₂ of AI owners, by treatment."""
    random = np.random.default_rng([day.toordinal(), len(model)])
    with shared_data("edge_ai/ai_compute_owner_quarterly.csv").open(newline="", encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["quarter_end"] == day.isoformat()]
    widths = [
        math.log(float(line["h100e_p95"]) / float(line["h100e_p5"]))
        / (scipy.stats.norm.ppf(0.95) - scipy.stats.norm.ppf(0.05))
        for line in lines
        if line["h100e_p5"]
    ]
    common = scipy.stats.uniform.rvs(size=N, random_state=random)
    owners: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(N))
    for line in lines:
        has_own = bool(line["h100e_p5"])
        width = (
            math.log(float(line["h100e_p95"]) / float(line["h100e_p5"])) / 3.289707253902945
            if has_own
            else float(np.median(widths))
        )
        quantiles = common if model == "correlated" else scipy.stats.uniform.rvs(size=N, random_state=random)
        median = float(line["h100e_median"])
        owners[line["owner"]] += (
            scipy.stats.lognorm.ppf(quantiles, s=width, scale=median) if width > 0 else np.full(N, median)
        )
    named = [draws for owner, draws in owners.items() if owner not in BUCKETS]
    out = {}
    for treatment, copies in (("dropped", 0), ("one_owner", 1), ("spread", 25)):
        pieces = named + [owners[bucket] / copies for bucket in BUCKETS for _ in range(copies)]
        total = np.sum(pieces, axis=0)
        out[treatment] = -np.log2(np.sum([(piece / total) ** 2 for piece in pieces], axis=0))
    return out


@cache
def simulated_mining(day: date) -> NDArray[np.float64]:
    """log₂ D₂ of pools: Dirichlet by scipy, from the slugs of the last 1008 blocks before midnight."""
    times, slugs = real.chain()
    midnight = (day.toordinal() + 1 - date(1970, 1, 1).toordinal()) * 86_400
    end = max(place for place, time in enumerate(times.tolist()) if time < midnight) + 1
    _, counts = np.unique([slug for slug in slugs[end - 1008 : end] if slug != "unknown"], return_counts=True)
    shares = scipy.stats.dirichlet.rvs(counts + 1 / len(counts), size=N, random_state=day.toordinal())
    result: NDArray[np.float64] = -np.log2(np.square(shares).sum(axis=1))
    return result


@pytest.mark.parametrize("model", ERROR_MODELS)
@pytest.mark.parametrize("day", QUARTERS)
def test_interval_and_probability(day: date, model: str) -> None:
    row, ai, mining = rows()[day], simulated_ai(day, model), simulated_mining(day)
    for score in row.treatments:
        estimate = getattr(score, model)
        draws = ai[score.treatment] - mining
        assert [estimate.lo, estimate.hi] == pytest.approx(np.quantile(draws, [0.025, 0.975]).tolist(), abs=0.02)
        assert estimate.p_positive == pytest.approx(float((draws > 0).mean()), abs=0.02)
    assert [score.treatment for score in row.treatments] == list(TREATMENTS)


@pytest.mark.parametrize("day", QUARTERS)
def test_interval_of_the_mining_side(day: date) -> None:
    row = rows()[day]
    expected = np.exp2(np.quantile(simulated_mining(day), [0.025, 0.975])).tolist()
    assert [row.d2_mining_lo, row.d2_mining_hi] == pytest.approx(expected, rel=0.01)
