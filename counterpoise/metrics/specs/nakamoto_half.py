"""Nakamoto coefficient at one half, the line of a majority attack."""

from __future__ import annotations

from counterpoise.metrics.spec import UP_TO_POOLS, MetricSpec

SPECS = (
    MetricSpec(
        name="nakamoto_half",
        order=302,
        group="risk",
        title="Nakamoto coefficient",
        unit="pools",
        range=UP_TO_POOLS,
        formula="smallest k with 2·(c₁ + … + c_k) > n",
        undefined="0 where the known pools do not reach it",
        reference="B. Srinivasan and L. Lee (2017)",
        comment="Fewest pools that together hold strictly more than half of all n blocks; 0 where the known pools do not",
        compute=lambda integers: integers["nakamoto_half"],
        sql="nakamoto_half",
        type="UInt16",
    ),
)
