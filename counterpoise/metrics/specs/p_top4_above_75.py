"""How probable it is that the four largest pools hold more than three quarters of the hashrate."""

from __future__ import annotations

from counterpoise.metrics.spec import UNIT_RANGE, MetricSpec

SPECS = (
    MetricSpec(
        name="p_top4_above_75",
        order=131,
        group="shares",
        title="probability that the four largest pools hold more than 75 % of the hashrate",
        unit="probability",
        range=UNIT_RANGE,
        formula="P(Beta(Σ c + k′/K, n + 1 − Σ c − k′/K) > 0.75)",
        undefined="NaN where n = 0",
        comment="Probability that these four pools hold more than 75 % of the hashrate",
        compute=lambda integers: integers["p_top4_above_75"],
        sql="p_top4_above_75",
    ),
)
