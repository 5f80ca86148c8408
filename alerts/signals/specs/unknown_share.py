"""The share of a window's blocks without a known producer."""

from __future__ import annotations

from alerts.signals.signal import Measured, Signal, SignalSql, SignalSubject
from alerts.signals.window_counts import WindowCounts
from counterpoise.metrics.counts import ratio
from counterpoise.metrics.spec import UNIT_RANGE


def _measure(series: WindowCounts, _pool: str) -> Measured:
    return Measured.exactly(ratio(series.unknown, series.n))


def _sql(_subject: SignalSubject) -> SignalSql:
    return SignalSql("unknown / n")


SIGNALS = (
    Signal(
        name="unknown_share",
        title="share of unknown blocks",
        unit="share",
        kind="percent",
        range=UNIT_RANGE,
        comment="Share of the window's blocks without a known producer",
        measure=_measure,
        sql=_sql,
    ),
)
