"""Theil index over the pools seen, in nats: how far the pools are from being equal; attributed blocks only."""

from __future__ import annotations

import math

import numpy as np

from counterpoise.metrics.counts import FloatArray
from counterpoise.metrics.spec import MetricSpec, Range
from counterpoise.metrics.stored_integers import StoredIntegers


def _theil(integers: StoredIntegers) -> FloatArray:
    k = integers["pools_seen"].astype(float)
    index: FloatArray = np.maximum(np.log(np.where(k > 0, k, 1.0)) - integers.nats, 0.0)
    return index


SPECS = (
    MetricSpec(
        name="theil_nats",
        order=232,
        group="dispersion",
        title="Theil index",
        unit="nats",
        range=Range(0.0, math.inf, "0–ln K"),
        formula="ln K − H",
        undefined="NaN where m = 0",
        reference='H. Theil, "Economics and Information Theory" (1967)',
        comment="Theil index over the pools seen, in nats: ln(pools_seen) - entropy_nats",
        compute=_theil,
        sql="if(known = 0, nan, greatest(log(k) - nats, 0.))",
    ),
)
