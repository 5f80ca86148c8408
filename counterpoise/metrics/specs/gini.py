"""Gini coefficient over the pools seen: half the mean difference of two pools over their mean; attributed blocks only.

A pool that made no block is no member, for a list of possible pools has no natural end.
"""

from __future__ import annotations

from counterpoise.metrics.counts import FloatArray, ratio
from counterpoise.metrics.spec import MetricSpec, Range
from counterpoise.metrics.stored_integers import StoredIntegers


def _gini(integers: StoredIntegers) -> FloatArray:
    return ratio(integers["gini_num"], integers["pools_seen"].astype(float) * integers.known)


SPECS = (
    MetricSpec(
        name="gini",
        order=231,
        group="dispersion",
        title="Gini coefficient",
        unit="index",
        range=Range(0.0, 1.0, "0–(1 − 1/K)"),
        formula="gini_num/(K·m)",
        undefined="NaN where m = 0",
        reference='C. Gini, "Variabilità e mutabilità" (1912)',
        comment="Gini coefficient over the pools seen; attributed blocks only",
        compute=_gini,
        sql="gini_num / (pools_seen * known)",
    ),
)
