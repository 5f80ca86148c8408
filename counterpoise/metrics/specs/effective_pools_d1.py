"""Effective number of pools of order 1: how many equal pools would have this entropy; attributed blocks only."""

from __future__ import annotations

import numpy as np

from counterpoise.metrics.spec import UP_TO_POOLS, MetricSpec

SPECS = (
    MetricSpec(
        name="effective_pools_d1",
        order=214,
        group="dispersion",
        title="effective number of pools of order 1",
        unit="pools",
        range=UP_TO_POOLS,
        formula="exp(H)",
        undefined="NaN where m = 0",
        reference='M. O. Hill, "Diversity and Evenness", Ecology 54 (1973)',
        comment="Effective number of pools of order 1: exp(entropy_nats); attributed blocks only",
        compute=lambda integers: np.exp(integers.nats),
        sql="exp(nats)",
    ),
)
