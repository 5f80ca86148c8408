"""Effective number of pools of order 2: how many equal pools would be as concentrated as these are; attributed blocks only.

Its interval is the reciprocals of the ends of the index's over attributed blocks alone. Reference: M. O. Hill, Ecology 54 (1973).
"""

from __future__ import annotations

from counterpoise.metrics.counts import FloatArray, ratio
from counterpoise.metrics.hhi_interval import NO_PAIR
from counterpoise.metrics.spec import MetricSpec, Range
from counterpoise.metrics.stored_integers import StoredIntegers


def _d2(integers: StoredIntegers) -> FloatArray:
    known = integers.known.astype(float)
    return ratio(known * known, integers["s2"])


FROM_ONE = Range(1.0, float("inf"), "from 1")
"""Pools that were not seen count too: the ends are not bounded by the number of pools seen."""

SPECS = (
    MetricSpec(
        name="effective_pools_d2",
        order=211,
        group="dispersion",
        title="effective number of pools",
        unit="pools",
        range=Range(1.0, float("inf"), "1–D₁"),
        formula="m²/s2",
        undefined="NaN where m = 0",
        reference='M. O. Hill, "Diversity and Evenness", Ecology 54 (1973)',
        comment=(
            "Effective number of pools of order 2: how many equal pools would have this index; attributed blocks only, "
            "NaN where there are none"
        ),
        compute=_d2,
        sql="known * known / s2",
        interval=("effective_pools_d2_low", "effective_pools_d2_high"),
    ),
    MetricSpec(
        name="effective_pools_d2_low",
        order=212,
        group="dispersion",
        title="2.5 % quantile of the effective number of pools",
        unit="pools",
        range=FROM_ONE,
        formula="1/(97.5 % quantile of the index over attributed blocks)",
        undefined="NaN where m = 0",
        comment="2.5 % quantile of effective_pools_d2",
        compute=lambda integers: integers.d2_interval[0],
        sql=(
            "multiIf(known = 0, nan, known < 4, 1., 1. / "
            f"least(greatest(if(same_pairs = 0, {NO_PAIR!r} / known_pairs, known_chance * known_factor), s2 / (known * known)), 1.))"
        ),
    ),
    MetricSpec(
        name="effective_pools_d2_high",
        order=213,
        group="dispersion",
        title="97.5 % quantile of the effective number of pools",
        unit="pools",
        range=FROM_ONE,
        formula="1/(2.5 % quantile of the index over attributed blocks)",
        undefined="NaN where m < 4 or no two blocks are by one pool",
        comment="97.5 % quantile of effective_pools_d2",
        compute=lambda integers: integers.d2_interval[1],
        sql="if(known < 4 OR same_pairs = 0, nan, 1. / least(known_chance / known_factor, pow(0.025, 2. / known)))",
    ),
)
