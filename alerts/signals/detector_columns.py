"""Columns of a series that come from detectors_log: whether a sequential detector fires after a block. Pure.

A column is named by its detector and its promise, as in `detector_top4_above_75_10y`. The view is that of the series.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from counterpoise.detectors.tracks import DETECTORS, PROMISES_YEARS, track_of
from counterpoise.windows import View


class StoredDetector(NamedTuple):
    """A detector under one promise: the expected years between false alarms."""

    name: str
    promise_years: int

    @property
    def column(self) -> str:
        """Its column, and its signal."""
        return f"detector_{self.name}_{self.promise_years}y"

    def sql(self, view: View) -> str:
        """Its value from the column `firing` of detectors_log."""
        return f"bitTest(firing, {track_of(view, self.name, self.promise_years)})"


DETECTOR_COLUMNS: Final[Mapping[str, StoredDetector]] = MappingProxyType(
    {
        found.column: found
        for found in (StoredDetector(one.name, promise) for one in DETECTORS for promise in PROMISES_YEARS)
    }
)
"""Every column by its name."""
