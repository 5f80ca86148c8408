"""Min-entropy, in bits: what a guess at the producer of a block is worth, were it always the largest pool; attributed blocks only."""

from __future__ import annotations

import math

import numpy as np

from counterpoise.metrics.counts import FloatArray
from counterpoise.metrics.spec import MetricSpec, Range
from counterpoise.metrics.stored_integers import StoredIntegers


def _min_entropy(integers: StoredIntegers) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        bits: FloatArray = np.log2(integers.known) - np.log2(integers.top(1))
    return np.where(integers.known > 0, np.maximum(bits, 0.0), np.nan)


SPECS = (
    MetricSpec(
        name="min_entropy_bits",
        order=224,
        group="dispersion",
        title="min-entropy",
        unit="bits",
        range=Range(0.0, math.inf, "0–log₂ K"),
        formula="−log₂(c₁/m)",
        undefined="NaN where m = 0",
        reference='A. Rényi, "On measures of entropy and information" (1961), order ∞',
        comment="Min-entropy in bits, of the largest share; attributed blocks only",
        compute=_min_entropy,
        sql="if(known = 0, nan, greatest(log2(known) - log2(c1), 0.))",
    ),
)
