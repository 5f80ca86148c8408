"""The trend of a score over the periods of a source: the median of all pairwise slopes.

Reference: P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MIN_POINTS = 5
"""Fewer periods carry no trend: one odd quarter would set the slope."""


def slope_per_year(years: Sequence[float], values: Sequence[float]) -> float | None:
    """Theil–Sen slope a year, or None below MIN_POINTS points with different times. ValueError where lengths differ.

    >>> slope_per_year([0, 1, 2, 3, 4], [0, 2, 4, 6, 100])
    2.0
    """
    if len(years) != len(values):
        raise ValueError(f"{len(years)} times but {len(values)} values")
    x, y = np.asarray(years, np.float64), np.asarray(values, np.float64)
    if len(np.unique(x)) < MIN_POINTS:
        return None
    first, second = np.triu_indices(len(x), k=1)
    apart = x[first] != x[second]
    return float(np.median((y[second] - y[first])[apart] / (x[second] - x[first])[apart]))
