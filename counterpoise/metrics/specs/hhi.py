"""Herfindahl-Hirschman index: the sum of squared shares, unknown blocks in the denominator, with its interval.

Sampling makes the plug-in estimate too large by about (1 − HHI)/n; see `hhi_unbiased`. The interval is that of `hhi_interval.py`.
"""

from __future__ import annotations

from counterpoise.metrics.counts import FloatArray, ratio
from counterpoise.metrics.spec import UNIT_RANGE, MetricSpec
from counterpoise.metrics.stored_integers import StoredIntegers


def hhi(integers: StoredIntegers) -> FloatArray:
    """Σ (c/n)², in [0, 1]; 0 where all is unknown, NaN without blocks."""
    return ratio(integers["s2"], integers.n.astype(float) ** 2)


SPECS = (
    MetricSpec(
        name="hhi",
        order=201,
        group="dispersion",
        title="HHI",
        unit="index",
        range=UNIT_RANGE,
        formula="s2/n²",
        undefined="NaN where n = 0",
        reference="O. C. Herfindahl (1950); A. O. Hirschman (1945)",
        comment="Herfindahl-Hirschman index, 0 to 1: sum of squared shares, unknown in the denominator (a lower bound)",
        compute=hhi,
        sql="s2 / (n * n)",
        interval=("hhi_low", "hhi_high"),
    ),
    MetricSpec(
        name="hhi_low",
        order=204,
        group="dispersion",
        title="2.5 % quantile of the HHI",
        unit="index",
        range=UNIT_RANGE,
        formula="f + e/√(1 + v) · exp(−z·√(ln(1 + v)))",
        undefined="NaN where n = 0",
        comment="2.5 % quantile of the index of the hashrate",
        compute=lambda integers: integers.hhi_interval[0],
        sql="multiIf(n = 0, nan, certain, if(pools_seen = 0, 0., 1.), lowest + middle / factor)",
    ),
    MetricSpec(
        name="hhi_high",
        order=205,
        group="dispersion",
        title="97.5 % quantile of the HHI",
        unit="index",
        range=UNIT_RANGE,
        formula="f + e/√(1 + v) · exp(z·√(ln(1 + v))), at most 1",
        undefined="NaN where n = 0",
        comment="97.5 % quantile of the index of the hashrate",
        compute=lambda integers: integers.hhi_interval[1],
        sql="multiIf(n = 0, nan, certain, if(pools_seen = 0, 0., 1.), least(lowest + middle * factor, 1.))",
    ),
)
