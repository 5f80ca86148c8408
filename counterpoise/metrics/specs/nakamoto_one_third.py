"""Nakamoto coefficient at one third, the line of the selfish-mining literature."""

from __future__ import annotations

from counterpoise.metrics.spec import UP_TO_POOLS, MetricSpec

SPECS = (
    MetricSpec(
        name="nakamoto_one_third",
        order=301,
        group="risk",
        title="Nakamoto coefficient at one third",
        unit="pools",
        range=UP_TO_POOLS,
        formula="smallest k with 3·(c₁ + … + c_k) > n",
        undefined="0 where the known pools do not reach it",
        reference="B. Srinivasan and L. Lee (2017); I. Eyal and E. G. Sirer (2014) for the line",
        comment="Fewest pools that together hold strictly more than a third of all n blocks; 0 where the known pools do not",
        compute=lambda integers: integers["nakamoto_one_third"],
        sql="nakamoto_one_third",
        type="UInt16",
    ),
)
