"""The chance that two different blocks of the window are by one pool: an index that small windows do not make too large."""

from __future__ import annotations

from counterpoise.metrics.counts import FloatArray, ratio
from counterpoise.metrics.spec import UNIT_RANGE, MetricSpec
from counterpoise.metrics.stored_integers import StoredIntegers


def _unbiased(integers: StoredIntegers) -> FloatArray:
    n = integers.n.astype(float)
    return ratio(integers["s2"].astype(float) - integers.known, n * (n - 1.0))


SPECS = (
    MetricSpec(
        name="hhi_unbiased",
        order=203,
        group="dispersion",
        title="unbiased HHI",
        unit="index",
        range=UNIT_RANGE,
        formula="(s2 − m)/(n(n − 1))",
        undefined="NaN where n < 2",
        reference='E. H. Simpson, "Measurement of Diversity", Nature 163 (1949)',
        comment=(
            "Chance that two different blocks of the window are by one pool: free of the bias of small windows; NaN for one block"
        ),
        compute=_unbiased,
        sql="(s2 - known) / (n * (n - 1))",
    ),
)
