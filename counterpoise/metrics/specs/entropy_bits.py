"""Shannon entropy of the attributed blocks over pools, in bits."""

from __future__ import annotations

import math

from counterpoise.metrics.spec import MetricSpec, Range

LN_2 = math.log(2.0)

SPECS = (
    MetricSpec(
        name="entropy_bits",
        order=221,
        group="dispersion",
        title="entropy in bits",
        unit="bits",
        range=Range(0.0, math.inf, "0–log₂ K"),
        formula="H/ln 2",
        undefined="NaN where m = 0",
        reference='C. E. Shannon, "A Mathematical Theory of Communication" (1948)',
        comment="Shannon entropy in bits; attributed blocks only, NaN where there are none",
        compute=lambda integers: integers.nats / LN_2,
        sql="nats / log(2.)",
    ),
)
