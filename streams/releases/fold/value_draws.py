"""Draws of a release's values, and of what follows from them. Pure; seeded by the release, so equal releases give equal draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from counterpoise.metrics.counts import FloatArray, ratio
from counterpoise.metrics.dispersion import (
    TREATMENTS,
    DispersionSums,
    Treatment,
    dispersion_sums,
    hill_numbers_of_sums,
    top_sums,
)
from counterpoise.metrics.dispersion_draws import (
    DRAWS,
    dirichlet_draws,
    generator,
    lognormal_draws,
    lognormal_sigma,
    quantile_normals,
)
from counterpoise.series.basket import Basket

ErrorModel = Literal["independent", "correlated"]
ERROR_MODELS: tuple[ErrorModel, ...] = get_args(ErrorModel)

_MAX_VALUES = 1 << 19
_MIN_DRAWS = 512
_BLOCK_VALUES = 1 << 17
"""Drawn at once, a megabyte: about what a core's own cache holds, and the memory that draws need."""


def draws_for(observations: int) -> int:
    """How many draws a release of so many observations gets: DRAWS up to 64 of them, then fewer, at least 512.

    With 512 the ends of a 95 % interval are good to 0.12 standard deviations.
    """
    return int(np.clip(_MAX_VALUES // max(observations, 1), _MIN_DRAWS, DRAWS))


@dataclass(frozen=True)
class DrawnSums:
    """What each draw adds up to, (draws,): all that Hill numbers, top shares and edge shares need.

    top           the largest TOP named owners together
    edge_share    of what has a known venue; None where all of that is on one side, whatever the errors
    """

    sums: DispersionSums
    top: FloatArray
    edge_share: FloatArray | None


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

    def sums(self, only_parts: frozenset[str] | None = None) -> dict[ErrorModel, DrawnSums]:
        """Draw, and add up; with `only_parts`, from these parts of the source alone."""
        independent = self._sums("independent", only_parts)
        # A sample's errors are what they are; there is one model only.
        is_sample = self.is_certain or self.basket.series.uncertainty == "counts"
        return {
            "independent": independent,
            "correlated": independent if is_sample else self._sums("correlated", only_parts),
        }

    def log2_d2(self, only_parts: frozenset[str] | None = None) -> dict[tuple[ErrorModel, Treatment], FloatArray]:
        """(draws,) log₂ D₂ under each error model and treatment; m is the series' own."""
        spread = self.basket.series.residual_spread_owners
        return {
            (model, how): np.log2(hill_numbers_of_sums(drawn.sums, how, spread).d2)
            for model, drawn in self.sums(only_parts).items()
            for how in TREATMENTS
        }

    def _sums(self, model: ErrorModel, only_parts: frozenset[str] | None) -> DrawnSums:
        basket = self.basket
        kept = None if only_parts is None else np.array([part in only_parts for part in basket.parts])
        is_split = bool(basket.at_edge.any() and basket.elsewhere.any())
        sums: list[DispersionSums] = []
        tops: list[FloatArray] = []
        edge_shares: list[FloatArray] = []
        for values in self._blocks(model):
            if kept is not None:
                np.multiply(values, kept, out=values)
            by_owner = basket.by_owner(values)
            named = by_owner[:, ~basket.is_residual]
            sums.append(dispersion_sums(named, by_owner[:, basket.is_residual]))
            tops.append(top_sums(named)[:, -1])
            if is_split:
                edge, other = (values[:, mask].sum(axis=1) for mask in (basket.at_edge, basket.elsewhere))
                edge_shares.append(ratio(edge, edge + other))
        return DrawnSums(
            DispersionSums.joined(sums), np.concatenate(tops), np.concatenate(edge_shares) if is_split else None
        )

    @cached_property
    def _sigma(self) -> tuple[FloatArray, int]:
        return lognormal_sigma(self.basket.p5, self.basket.p95)

    def _blocks(self, model: ErrorModel) -> Iterator[FloatArray]:
        """(n, N) values, some draws after the other; a block is good until the next is asked for."""
        basket = self.basket
        if self.is_certain:
            yield basket.value[None, :].copy()
            return
        draws, observations = draws_for(len(basket.value)), len(basket.value)
        rows = -(-_BLOCK_VALUES // observations // 4) * 4  # at least 4; see `quantile_normals`
        sizes = [min(rows, draws - start) for start in range(0, draws, rows)]
        if basket.series.uncertainty == "counts":
            random = generator("independent", basket.release.release_id, basket.include_list.id)
            for size in sizes:
                yield dirichlet_draws(basket.value, random, size) * float(basket.value.sum())
            return
        block = np.empty((sizes[0], observations))
        if model == "independent":
            random = generator("independent", basket.release.release_id, basket.include_list.id)
            for size in sizes:
                values = block[:size]
                if draws == DRAWS:
                    random.standard_normal(out=values)
                else:
                    quantile_normals(random, values)
                yield lognormal_draws(basket.value, self._sigma[0], values, out=values)
            return
        # Seeded by the series and not by the release: what moves all values of one release moves those of the others too.
        normal = generator("correlated", basket.series.series).standard_normal(DRAWS)[:draws, None]
        for start, size in zip(range(0, draws, rows), sizes, strict=True):
            yield lognormal_draws(basket.value, self._sigma[0], normal[start : start + size], out=block[:size])
