"""How far the largest pool is ahead of the second."""

from __future__ import annotations

from alerts.signals.signal import Measured, Signal, SignalSql, SignalSubject
from alerts.signals.window_counts import WindowCounts
from counterpoise.metrics.counts import ratio
from counterpoise.metrics.spec import UNIT_RANGE


def _measure(series: WindowCounts, _pool: str) -> Measured:
    return Measured.exactly(ratio(series.counts[:, 0] - series.counts[:, 1], series.n))


def _sql(_subject: SignalSubject) -> SignalSql:
    return SignalSql("(c1 - c2) / n")


SIGNALS = (
    Signal(
        name="lead_of_the_largest",
        title="lead of the largest pool",
        unit="share",
        kind="percent",
        range=UNIT_RANGE,
        comment="Share of the largest pool less that of the second",
        measure=_measure,
        sql=_sql,
    ),
)
