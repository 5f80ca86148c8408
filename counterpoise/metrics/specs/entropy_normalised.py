"""Entropy over the largest that as many pools can have: how *even* the pools are, not how many."""

from __future__ import annotations

import math

import numpy as np

from counterpoise.metrics.counts import FloatArray
from counterpoise.metrics.spec import UNIT_RANGE, MetricSpec
from counterpoise.metrics.stored_integers import StoredIntegers


def _evenness(integers: StoredIntegers) -> FloatArray:
    k = integers["pools_seen"].astype(float)
    even = np.minimum(integers.nats / np.log(np.where(k > 1, k, math.e)), 1.0)
    return np.where(k > 1, even, np.where(k == 1, 0.0, np.nan))


SPECS = (
    MetricSpec(
        name="entropy_normalised",
        order=223,
        group="dispersion",
        title="normalised entropy",
        unit="index",
        range=UNIT_RANGE,
        formula="H/ln K, and 0 for one pool",
        undefined="NaN where m = 0",
        reference="E. C. Pielou, J. Theoretical Biology 13 (1966)",
        comment="Entropy over the largest that as many pools can have, 0 to 1; 0 for one pool",
        compute=_evenness,
        sql="multiIf(known = 0, nan, pools_seen = 1, 0., least(nats / log(k), 1.))",
    ),
)
