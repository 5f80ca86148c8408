"""Each metric spec is a signal under its name. Its bounds and quantiles are metrics too, and so are signals."""

from __future__ import annotations

from functools import cache

import numpy as np

from alerts.signals.signal import FloatArray, Measured, Signal, SignalSql
from alerts.signals.window_counts import WindowCounts
from counterpoise.contracts.scores import WindowScore
from counterpoise.metrics.spec import MetricSpec
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.metrics.sql_terms import SQL_TERMS, terms_of


def values_of(spec: MetricSpec, series: WindowCounts) -> FloatArray:
    """A metric at each height; NaN where it is undefined, a value outside its range among it."""
    found: FloatArray = np.asarray(spec.compute(series.integers()), np.float64)
    return np.where((found >= spec.range.low) & (found <= spec.range.high), found, np.nan)


def _signal(spec: MetricSpec) -> Signal:
    upper = None if spec.upper is None else SPECS[spec.upper]
    ends = tuple(SPECS[name] for name in spec.interval or ())
    parts = [spec, *([] if upper is None else [upper])]

    def measure(series: WindowCounts, _pool: str) -> Measured:
        return Measured.exactly(values_of(spec, series), None if upper is None else values_of(upper, series))

    def interval(series: WindowCounts) -> tuple[FloatArray, FloatArray]:
        return values_of(ends[0], series), values_of(ends[1], series)

    @cache
    def expressions() -> SignalSql:
        terms = tuple((term, SQL_TERMS[term]) for term in terms_of([part.sql for part in parts]))
        return SignalSql(spec.sql, "" if upper is None else upper.sql, terms)

    needed = dict.fromkeys(column for part in (*parts, *ends) for column in part.inputs)
    return Signal(
        name=spec.name,
        title=spec.title,
        unit=spec.unit,
        kind=spec.kind,
        range=spec.range,
        comment=spec.comment,
        measure=measure,
        sql=lambda _subject: expressions(),
        interval=interval if ends else None,
        columns=tuple(column for column in needed if column not in WindowScore.NAMED),
        metric=spec.name,
    )


SIGNALS = tuple(_signal(spec) for spec in SPECS.values())
