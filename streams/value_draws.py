"""Draws of a release's values, and of what follows from them. Pure; seeded by the release, so equal releases give equal draws."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from counterpoise.metrics.counts import FloatArray
from counterpoise.metrics.dispersion import TREATMENTS, Treatment, dispersion_sums, hill_numbers_of_sums
from counterpoise.metrics.dispersion_draws import (
    DRAWS,
    dirichlet_draws,
    generator,
    lognormal_draws,
    lognormal_sigma,
)
from counterpoise.series.basket import Basket

ErrorModel = Literal["independent", "correlated"]
ERROR_MODELS: tuple[ErrorModel, ...] = get_args(ErrorModel)

_MAX_VALUES = 1 << 19
_MIN_DRAWS = 512


def draws_for(observations: int) -> int:
    """How many draws a release of so many observations gets: DRAWS up to 64 of them, then fewer, at least 512."""
    return int(np.clip(_MAX_VALUES // max(observations, 1), _MIN_DRAWS, DRAWS))


@dataclass(frozen=True)
class ValueDraws:
    """The draws of one basket. Where its series states no uncertainty there is one draw: the values themselves."""

    basket: Basket

    @property
    def is_certain(self) -> bool:
        """Whether nothing is known about the error, so that there is no interval to give."""
        return self.basket.series.uncertainty == "none" or not len(self.basket.value)

    @cached_property
    def imputed(self) -> int:
        """How many observations got the others' relative error because they have none of their own."""
        return self._sigma[1] if self.basket.series.uncertainty == "p5_p95" else 0

    def named_and_residual(
        self, model: ErrorModel, only_parts: frozenset[str] | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """(draws, K) values of the named owners and (draws, R) of the buckets; with `only_parts`, from these parts alone."""
        values = self._values(model)
        if only_parts is not None:
            values = values * np.array([part in only_parts for part in self.basket.parts])
        by_owner = self.basket.by_owner(values)
        return by_owner[:, ~self.basket.is_residual], by_owner[:, self.basket.is_residual]

    def by_mask(self, model: ErrorModel, mask: NDArray[np.bool_]) -> FloatArray:
        """(draws,) sums over the observations of a mask (N,)."""
        result: FloatArray = self._values(model)[:, mask].sum(axis=1)
        return result

    def log2_d2(self, model: ErrorModel, only_parts: frozenset[str] | None = None) -> dict[Treatment, FloatArray]:
        """(draws,) log₂ D₂ under each treatment; m is the series' own."""
        sums = dispersion_sums(*self.named_and_residual(model, only_parts))
        spread = self.basket.series.residual_spread_owners
        return {how: np.log2(hill_numbers_of_sums(sums, how, spread).d2) for how in TREATMENTS}

    @cached_property
    def _sigma(self) -> tuple[FloatArray, int]:
        return lognormal_sigma(self.basket.p5, self.basket.p95)

    @cached_property
    def _independent(self) -> FloatArray:
        basket = self.basket
        draws = draws_for(len(basket.value))
        random = generator("independent", basket.release.release_id, basket.include_list.id)
        if basket.series.uncertainty == "counts":
            shares: FloatArray = dirichlet_draws(basket.value, random, draws)
            return shares * float(basket.value.sum())
        return lognormal_draws(basket.value, self._sigma[0], random.standard_normal((draws, len(basket.value))))

    @cached_property
    def _correlated(self) -> FloatArray:
        basket = self.basket
        if basket.series.uncertainty == "counts":  # a sample's errors are what they are; there is one model only
            return self._independent
        # Seeded by the series and not by the release: what moves all values of one release moves those of the others too.
        normal = generator("correlated", basket.series.series).standard_normal(DRAWS)[: draws_for(len(basket.value))]
        return lognormal_draws(basket.value, self._sigma[0], normal[:, None])

    def _values(self, model: ErrorModel) -> FloatArray:
        if self.is_certain:
            return self.basket.value[None, :]
        return self._independent if model == "independent" else self._correlated
