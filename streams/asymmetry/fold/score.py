"""The asymmetry of one pair at one moment: a pure function of the inputs of both sides, which `asymmetry_fold` chooses.

A pair is a market series under one include-list, against a chain under one view and window. The sides are different layers (owners of
hardware against operators of pools); every row names both.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np

from counterpoise.contracts.releases import Layer
from counterpoise.metrics.counts import FloatArray
from counterpoise.metrics.dispersion import TREATMENTS, Treatment
from counterpoise.metrics.dispersion_draws import DRAWS, generator, interval
from counterpoise.series.catalogue import Series
from counterpoise.series.release import Release
from streams.asymmetry.fold.doublings import (
    DAYS_PER_YEAR,
    MINING_DRIFT_LOG2_PER_SQRT_YEAR,
    Estimate,
    Level,
    agreed_sign,
    bounded,
    level_call,
    stale_spread,
)
from streams.asymmetry.fold.mining_side import MINING_LAYER, MiningSide
from streams.asymmetry.fold.regime import Gap, Regime, gap_trend, regime, scanned_sign
from streams.asymmetry.fold.score_cache import ScoreCache
from streams.asymmetry.fold.trend import slope_per_year
from streams.releases.fold.value_draws import ERROR_MODELS, ErrorModel

Knowledge = Literal["live", "latest"]
"""live: only what had been published by the end of the row's day. latest: all that is known; may be hindsight."""

RowKind = Literal["day", "latest"]

RowKey = tuple[str, Knowledge, RowKind, date | None]

SCORE_FORMAT = "counterpoise-asymmetry/3"
"""Part of every `inputs_id`: another number of draws or another formula is another format."""

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Pair:
    """What is compared with what."""

    series: str
    list_id: str
    chain: str
    view: str
    window_blocks: int

    @property
    def key(self) -> str:
        """`series/list/chain/view/window`: the key of the pair's topic and tables."""
        return f"{self.series}/{self.list_id}/{self.chain}/{self.view}/{self.window_blocks}"


@dataclass(frozen=True, slots=True)
class Moment:
    """Both sides as they stand at the end of `day`."""

    day: date
    release: Release
    mining: MiningSide


@dataclass(frozen=True)
class AsymmetryInputs:
    """All that a row rests on.

    now       both sides at `valid_at_ms`
    then      both a year before, with what is known now; None where there is nothing
    stood     of live rows: the release that the row of a year before read, where that is another than `then`'s
    trend     both at the end of each period of the series in the last two years, oldest first
    release_changed, mining_changed   against the day before; a rule fires only where one of them is true, never for an age
    """

    pair: Pair
    series: Series
    knowledge: Knowledge
    kind: RowKind
    valid_at_ms: int
    now: Moment
    then: Moment | None
    stood: Release | None
    trend: tuple[Moment, ...]
    release_changed: bool
    mining_changed: bool

    @property
    def moments(self) -> tuple[Moment, ...]:
        """Every moment that the row looks at."""
        return (self.now, *((self.then,) if self.then else ()), *self.trend)

    @property
    def known_at_ms(self) -> int:
        """When the last of the inputs became known: a release by its publication, a block by its header time."""
        return max(max(one.release.head.published_at_ms, one.mining.tip_time_ms) for one in self.moments)

    @cached_property
    def inputs_id(self) -> str:
        """32 hexadecimal digits of SHA-256 over everything here: rows of equal id are equal rows."""
        moments = [
            (
                one.day.isoformat(),
                one.release.release_id,
                one.mining.identity,
                one.mining.tip_time_ms,
                one.mining.counts,
            )
            for one in self.moments
        ]
        content = (
            SCORE_FORMAT,
            self.pair.key,
            self.series.catalogue_id,
            self.knowledge,
            self.kind,
            self.valid_at_ms,
            self.then is not None,
            self.stood.release_id if self.stood else None,
            self.release_changed,
            self.mining_changed,
            self.now.mining.unknown,
            moments,
        )
        return hashlib.sha256(repr(content).encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class TreatmentScore:
    """The score under one residual treatment; estimates under both error models."""

    treatment: Treatment
    d2_ai: float
    l: float  # noqa: E741  # the score's name
    a: float
    independent: Estimate
    correlated: Estimate
    trend_per_year: float | None


@dataclass(frozen=True, slots=True)
class AsymmetryRow:
    """One row; `key` is its key.

    valid_at_ms, known_at_ms   the moment that it speaks of; when the last of its inputs became known
    hindsight       known only after the end of the day
    l_min, l_max    envelope of the three treatments' points; lo and hi of their intervals, for each error model
    level           which side is spread wider, or no_call; regime and gap over the year before, or no_call
    coverage_changed   the year's two releases draw on different parts, and the regime compares what they share
    ai_age_days, mining_age_days   age at valid_at; what they add to the spread is in the intervals, as `drift_sd`
    """

    pair: Pair
    catalogue_id: str
    inputs_id: str
    ai_layer: Layer
    mining_layer: str
    knowledge: Knowledge
    kind: RowKind
    day: date
    valid_at_ms: int
    known_at_ms: int
    hindsight: bool
    release_id: str
    period_end: str
    published_at_ms: int
    ai_age_days: float
    bucket_owners: int
    attribution_id: str
    tip_height: int
    tip_hash: str
    known_blocks: int
    unknown_blocks: int
    mining_age_days: float
    d2_mining: float
    d2_mining_lo: float
    d2_mining_hi: float
    drift_sd: float
    treatments: tuple[TreatmentScore, ...]
    l_min: float
    l_max: float
    lo_independent: float
    hi_independent: float
    lo_correlated: float
    hi_correlated: float
    level: Level
    regime: Regime
    gap: Gap
    horizon_release_id: str | None
    horizon_tip_height: int | None
    coverage_changed: bool
    trend_periods: int
    release_changed: bool
    mining_changed: bool

    @property
    def key(self) -> RowKey:
        """(pair, knowledge, kind, day); there is one `latest` row, whatever its day, and its key has none."""
        return self.pair.key, self.knowledge, self.kind, self.day if self.kind == "day" else None


def score(inputs: AsymmetryInputs, cache: ScoreCache | None = None) -> AsymmetryRow:
    """Return the row. Equal inputs give equal rows: draws are seeded by the releases and windows themselves."""
    cache = cache or ScoreCache()
    pair, now, series = inputs.pair, inputs.now, inputs.series
    mining = cache.mining_log2_d2(now.mining)
    mining_lo, mining_hi = interval(np.exp2(mining))
    levels = _levels(inputs, now, inputs.valid_at_ms, cache)
    scores = tuple(_treatment_score(inputs, how, levels, cache) for how in TREATMENTS)
    regime_call, gap_call, coverage_changed = _over_the_year(inputs, levels, cache)
    by_model = {model: [levels[model, how] for how in TREATMENTS] for model in ERROR_MODELS}
    head = now.release.head
    ai_age, mining_age = ages_days(now, inputs.valid_at_ms)
    return AsymmetryRow(
        pair=pair,
        catalogue_id=series.catalogue_id,
        inputs_id=inputs.inputs_id,
        ai_layer=head.layer,
        mining_layer=MINING_LAYER,
        knowledge=inputs.knowledge,
        kind=inputs.kind,
        day=now.day,
        valid_at_ms=inputs.valid_at_ms,
        known_at_ms=inputs.known_at_ms,
        hindsight=inputs.known_at_ms >= end_of_day_ms(now.day),
        release_id=now.release.release_id,
        period_end=head.period_end,
        published_at_ms=head.published_at_ms,
        ai_age_days=ai_age,
        bucket_owners=series.residual_spread_owners,
        attribution_id=now.mining.attribution_id,
        tip_height=now.mining.tip_height,
        tip_hash=now.mining.tip_hash,
        known_blocks=now.mining.known,
        unknown_blocks=now.mining.unknown,
        mining_age_days=mining_age,
        d2_mining=2.0**now.mining.log2_d2,
        d2_mining_lo=mining_lo,
        d2_mining_hi=mining_hi,
        drift_sd=math.hypot(*_drift_sds(series, now, inputs.valid_at_ms)),
        treatments=scores,
        l_min=min(one.l for one in scores),
        l_max=max(one.l for one in scores),
        lo_independent=min(one.lo for one in by_model["independent"]),
        hi_independent=max(one.hi for one in by_model["independent"]),
        lo_correlated=min(one.lo for one in by_model["correlated"]),
        hi_correlated=max(one.hi for one in by_model["correlated"]),
        level=level_call(levels.values()),
        regime=regime_call,
        gap=gap_call,
        horizon_release_id=inputs.then.release.release_id if inputs.then else None,
        horizon_tip_height=inputs.then.mining.tip_height if inputs.then else None,
        coverage_changed=coverage_changed,
        trend_periods=len(inputs.trend),
        release_changed=inputs.release_changed,
        mining_changed=inputs.mining_changed,
    )


def ages_days(moment: Moment, at_ms: int) -> tuple[float, float]:
    """(days since the end of the release's period, days since the window's last block), at a time; never below 0."""
    ai = (at_ms - end_of_day_ms(moment.release.period_end)) / DAY_MS
    return max(ai, 0.0), max((at_ms - moment.mining.tip_time_ms) / DAY_MS, 0.0)


def end_of_day_ms(day: date) -> int:
    """The first millisecond after a UTC day."""
    return (day.toordinal() + 1 - date(1970, 1, 1).toordinal()) * DAY_MS


_Levels = dict[tuple[ErrorModel, Treatment], Estimate]


def _treatment_score(inputs: AsymmetryInputs, how: Treatment, levels: _Levels, cache: ScoreCache) -> TreatmentScore:
    series, list_id = inputs.series, inputs.pair.list_id
    ai = cache.ai_points(inputs.now.release, series, list_id)[how]
    point = ai - inputs.now.mining.log2_d2
    years = [one.day.toordinal() / DAYS_PER_YEAR for one in inputs.trend]
    past = [cache.ai_points(one.release, series, list_id)[how] - one.mining.log2_d2 for one in inputs.trend]
    return TreatmentScore(
        treatment=how,
        d2_ai=2.0**ai,
        l=point,
        a=float(bounded(point)),
        independent=levels["independent", how],
        correlated=levels["correlated", how],
        trend_per_year=slope_per_year(years, past),
    )


def _levels(inputs: AsymmetryInputs, moment: Moment, at_ms: int, cache: ScoreCache) -> _Levels:
    """Estimates of L at a moment."""
    draws = cache.ai_log2_d2(moment.release, inputs.series, inputs.pair.list_id)
    if draws is None:
        raise ValueError(f"release {moment.release.release_id} names no owner that counts: there is no score")
    mining = _sum(cache.mining_log2_d2(moment.mining), _drifts(inputs.series, moment, at_ms)[1])
    drift = _drifts(inputs.series, moment, at_ms)[0]
    return {which: Estimate.of(_sum(values, drift, -mining)) for which, values in draws.items()}


def _over_the_year(inputs: AsymmetryInputs, levels: _Levels, cache: ScoreCache) -> tuple[Regime, Gap, bool]:
    """Regime and gap against a year before, over the parts that both releases draw on; and whether these differ."""
    then, now = inputs.then, inputs.now
    if then is None or then.release.release_id == now.release.release_id:
        return "no_call", "no_call", False
    series, list_id = inputs.series, inputs.pair.list_id
    shared = then.release.parts & now.release.parts
    coverage_changed = then.release.parts != now.release.parts
    before, after = (
        cache.ai_log2_d2(one.release, series, list_id, shared if coverage_changed else None) for one in (then, now)
    )
    if before is None or after is None:
        return "no_call", "no_call", coverage_changed
    then_ms = inputs.valid_at_ms - end_of_day_ms(now.day) + end_of_day_ms(then.day)
    ai_now, mining_now = _drifts(series, now, inputs.valid_at_ms)
    ai_then, mining_then = _drifts(series, then, then_ms)
    mining = _sum(cache.mining_log2_d2(now.mining), mining_now, -cache.mining_log2_d2(then.mining), -mining_then)
    ai = [_sum(after[which], ai_now, -before[which], -ai_then) for which in after]
    regime_call: Regime = "no_call"
    gap_call: Gap = "no_call"
    mining_sign = scanned_sign(mining)
    if mining_sign:  # otherwise nothing that the AI side does makes a call
        regime_call = regime([Estimate.of(change) for change in ai], mining_sign)
    if agreed_sign(levels.values()):
        before_levels = _levels(inputs, then, then_ms, cache)
        changes = [Estimate.of(_sum(change, -mining)) for change in ai]
        gap_call = gap_trend(list(levels.values()), list(before_levels.values()), changes)
    return regime_call, gap_call, coverage_changed


def _drift_sds(series: Series, moment: Moment, at_ms: int) -> tuple[float, float]:
    """Standard deviations, in doublings, that the ages of the two sides add."""
    ai_age, mining_age = ages_days(moment, at_ms)
    rate = series.drift.log2_per_sqrt_year if series.drift else 0.0
    return stale_spread(rate, ai_age), stale_spread(MINING_DRIFT_LOG2_PER_SQRT_YEAR, mining_age)


def _drifts(series: Series, moment: Moment, at_ms: int) -> tuple[FloatArray, FloatArray]:
    """Draws of what the ages add to log₂ D₂ of either side."""
    ai_sd, mining_sd = _drift_sds(series, moment, at_ms)
    return (
        ai_sd * _normal("ai-age", moment.release.release_id),
        mining_sd * _normal("mining-age", *moment.mining.identity),
    )


@lru_cache(maxsize=1_024)
def _normal(*key: object) -> FloatArray:
    normal: FloatArray = generator(*key).standard_normal(DRAWS)
    return normal


def _sum(*vectors: FloatArray) -> FloatArray:
    """Sum of vectors of draws; a single draw stands for a certain value, longer vectors are cut to the shortest."""
    lengths = [len(vector) for vector in vectors if len(vector) > 1]
    total: FloatArray = np.zeros(min(lengths, default=1))
    for vector in vectors:
        total = total + vector[: len(total)]
    return total
