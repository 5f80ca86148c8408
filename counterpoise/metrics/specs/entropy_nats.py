"""Shannon entropy of the attributed blocks over pools, in nats."""

from __future__ import annotations

import math

from counterpoise.metrics.spec import MetricSpec, Range

SPECS = (
    MetricSpec(
        name="entropy_nats",
        order=222,
        group="dispersion",
        title="entropy in nats",
        unit="nats",
        range=Range(0.0, math.inf, "0–ln K"),
        formula="H = ln m − sum_c_ln_c/m",
        undefined="NaN where m = 0",
        reference='C. E. Shannon, "A Mathematical Theory of Communication" (1948)',
        comment="Shannon entropy in nats; attributed blocks only",
        compute=lambda integers: integers.nats,
        sql="nats",
    ),
)
