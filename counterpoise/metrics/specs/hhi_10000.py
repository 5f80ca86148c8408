"""The Herfindahl-Hirschman index in points, as authorities write it (bands: 1000/1800 in 2023, 1500/2500 in 2010)."""

from __future__ import annotations

from counterpoise.metrics.counts import FloatArray
from counterpoise.metrics.spec import MetricSpec, Range
from counterpoise.metrics.specs.hhi import hhi
from counterpoise.metrics.stored_integers import StoredIntegers

POINTS = 10_000.0
"""Points to one: 10,000 is a monopoly."""


def _points(integers: StoredIntegers) -> FloatArray:
    return hhi(integers) * POINTS


SPECS = (
    MetricSpec(
        name="hhi_10000",
        order=202,
        group="dispersion",
        title="HHI in points",
        unit="points",
        range=Range(0.0, POINTS, "0–10,000"),
        formula="10,000 · s2/n²",
        undefined="NaN where n = 0",
        reference="U.S. DOJ and FTC, Merger Guidelines (2023), 2.1",
        comment="The same in points, 0 to 10000",
        compute=_points,
        sql="10000. * (s2 / (n * n))",
    ),
)
