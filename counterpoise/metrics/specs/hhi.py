"""Herfindahl-Hirschman index: the sum of squared shares, unknown blocks in the denominator, with its interval.

Sampling makes the plug-in estimate too large by about (1 − HHI)/n; see `hhi_unbiased`. The interval is that of `hhi_interval.py`:
of the hashrate's index, and of the lower bound, as the value is.
"""

from __future__ import annotations

from counterpoise.metrics.counts import FloatArray, ratio
from counterpoise.metrics.hhi_interval import NO_PAIR
from counterpoise.metrics.spec import UNIT_RANGE, MetricSpec
from counterpoise.metrics.stored_integers import StoredIntegers


def hhi(integers: StoredIntegers) -> FloatArray:
    """Σ (c/n)², in [0, 1]; 0 where all is unknown, NaN without blocks."""
    return ratio(integers["s2"], integers.n.astype(float) ** 2)


def hhi_upper(integers: StoredIntegers) -> FloatArray:
    """The index were every unknown block the largest pool's: no truth about them makes it larger."""
    largest, unknown = integers.top(1).astype(float), integers.unknown.astype(float)
    return ratio(integers["s2"] + (2.0 * largest + unknown) * unknown, integers.n.astype(float) ** 2)


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
        upper="hhi_upper",
        interval=("hhi_low", "hhi_high"),
    ),
    MetricSpec(
        name="hhi_low",
        order=204,
        group="dispersion",
        title="2.5 % quantile of the HHI",
        unit="index",
        range=UNIT_RANGE,
        formula="q·exp(−z√V/q), at most 0.025^(2/n)",
        undefined="NaN where n = 0",
        comment="2.5 % quantile of the index of the hashrate",
        compute=lambda integers: integers.hhi_interval[0],
        sql="multiIf(n = 0, nan, n < 4 OR same_pairs = 0, 0., least(pair_chance / factor, pow(0.025, 2. / n)))",
    ),
    MetricSpec(
        name="hhi_high",
        order=205,
        group="dispersion",
        title="97.5 % quantile of the HHI",
        unit="index",
        range=UNIT_RANGE,
        formula="q·exp(z√V/q), at least s2/n², at most 1",
        undefined="NaN where n = 0",
        comment="97.5 % quantile of the index of the hashrate",
        compute=lambda integers: integers.hhi_interval[1],
        sql=(
            "multiIf(n = 0, nan, n < 4, 1., "
            f"least(greatest(if(same_pairs = 0, {NO_PAIR!r} / pairs, pair_chance * factor), s2 / (n * n)), 1.))"
        ),
    ),
    MetricSpec(
        name="hhi_upper",
        order=206,
        group="dispersion",
        title="upper bound of the HHI",
        unit="index",
        range=UNIT_RANGE,
        formula="(s2 + (c₁ + unknown)² − c₁²)/n²",
        undefined="NaN where n = 0",
        comment="Upper bound of hhi: every unknown block is of the largest pool",
        compute=hhi_upper,
        sql="(s2 + (2. * c1 + unknown) * unknown) / (n * n)",
    ),
)
