"""Draws that many rows share, kept by a caller from one row to the next. Bounded; what falls out is drawn again, equal."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np

from counterpoise.metrics.counts import FloatArray
from counterpoise.metrics.dispersion import TREATMENTS, Treatment, hill_numbers
from counterpoise.series.basket import make_basket
from counterpoise.series.catalogue import Series
from counterpoise.series.release import Release
from streams.asymmetry.fold.doublings import mining_log2_d2_draws
from streams.asymmetry.fold.mining_side import MiningSide
from streams.releases.fold.value_draws import ErrorModel, ValueDraws

V = TypeVar("V")

MINING_ENTRIES = 400
"""A year of days and some: a row compares itself with the year before. 64 KiB each."""

RELEASE_ENTRIES = 64
"""Releases × lists × sets of parts; six vectors of at most 64 KiB each."""


class _Bounded(Generic[V]):
    """What came first falls out first.

    Not what was used least: a day looks at the window of a year before for the last time, and would keep it in place of the next's.
    """

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._values: dict[Hashable, V] = {}

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        if key in self._values:
            return self._values[key]
        value = self._values[key] = make()
        if len(self._values) > self._entries:
            self._values.pop(next(iter(self._values)))
        return value


class ScoreCache:
    """One thread at a time."""

    def __init__(self) -> None:
        self._mining: _Bounded[FloatArray] = _Bounded(MINING_ENTRIES)
        self._releases: _Bounded[dict[tuple[ErrorModel, Treatment], FloatArray] | None] = _Bounded(RELEASE_ENTRIES)
        self._points: _Bounded[dict[Treatment, float]] = _Bounded(8 * RELEASE_ENTRIES)

    def mining_log2_d2(self, side: MiningSide) -> FloatArray:
        """Draws of log₂ D₂ of a window's hashrate."""
        counts = [count for _, count in side.counts]
        return self._mining.get((side.identity, side.counts), lambda: mining_log2_d2_draws(counts, key=side.identity))

    def ai_log2_d2(
        self, release: Release, series: Series, list_id: str, parts: frozenset[str] | None = None
    ) -> dict[tuple[ErrorModel, Treatment], FloatArray] | None:
        """Draws of log₂ D₂ of a release, of these parts of it alone where given; None where no named owner is above zero."""

        def make() -> dict[tuple[ErrorModel, Treatment], FloatArray] | None:
            if not make_basket(release, series, list_id, only_parts=parts).named.sum() > 0:
                return None
            return ValueDraws(make_basket(release, series, list_id)).log2_d2(parts)

        return self._releases.get((release.release_id, series.catalogue_id, list_id, parts), make)

    def ai_points(self, release: Release, series: Series, list_id: str) -> dict[Treatment, float]:
        """log₂ D₂ of a release's values as published, by treatment; NaN where no named owner is above zero."""

        def make() -> dict[Treatment, float]:
            basket = make_basket(release, series, list_id)
            if not basket.named.sum() > 0:
                return dict.fromkeys(TREATMENTS, float("nan"))
            spread = series.residual_spread_owners
            return {
                how: float(np.log2(hill_numbers(basket.named, basket.residual, how, spread).d2)) for how in TREATMENTS
            }

        return self._points.get((release.release_id, series.catalogue_id, list_id), make)
