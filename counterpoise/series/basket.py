"""A release seen through an include-list: the owners that count, their values, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from counterpoise.contracts.releases import Venue
from counterpoise.series.catalogue import IncludeList, Series
from counterpoise.series.release import Release

FloatArray = NDArray[np.float64]

EDGE_VENUES: frozenset[Venue] = frozenset(("device", "edge"))
"""What counts as the edge: the user's device and the machine beside it. On-premises servers do not."""


@dataclass(frozen=True)
class Basket:
    """N observations that count, in the order of their keys.

    owners         the O distinct owners, in order; `owner_index` (N,) maps each observation to one
    is_residual    (O,) whether the owner is a residual bucket
    venues         (N,) where each value runs: by the list's entry, otherwise as the source has it
    value, p5, p95 (N,); NaN where the source has no quantiles
    missing        entries of the list without an observation: below the source's cutoff or not in it, never zero
    outside        owners of the release that do not count by this list
    """

    release: Release
    series: Series
    include_list: IncludeList
    owners: tuple[str, ...]
    is_residual: NDArray[np.bool_]
    owner_index: NDArray[np.intp]
    venues: tuple[Venue, ...]
    items: tuple[str, ...]
    parts: tuple[str, ...]
    value: FloatArray
    p5: FloatArray
    p95: FloatArray
    missing: tuple[str, ...]
    outside: tuple[str, ...]

    def by_owner(self, values: FloatArray) -> FloatArray:
        """Add (…, N) values up by owner: (…, O). An owner's observations stand together, because keys begin with it."""
        if not len(self.owners):
            return np.zeros((*values.shape[:-1], 0))
        if len(self.owners) == len(self.value):
            return values
        starts = np.searchsorted(self.owner_index, np.arange(len(self.owners)))
        sums: FloatArray = np.add.reduceat(values, starts, axis=-1)
        return sums

    @cached_property
    def named(self) -> FloatArray:
        """(K,) the values of the owners that are no residual bucket, in the order of `owners`."""
        return self.by_owner(self.value)[~self.is_residual]

    @cached_property
    def residual(self) -> FloatArray:
        """(R,) the values of the residual buckets."""
        return self.by_owner(self.value)[self.is_residual]

    @property
    def named_owners(self) -> tuple[str, ...]:
        """The owners of `named`."""
        return tuple(owner for owner, residual in zip(self.owners, self.is_residual, strict=True) if not residual)

    @property
    def residual_owners(self) -> tuple[str, ...]:
        """The buckets of `residual`."""
        return tuple(owner for owner, residual in zip(self.owners, self.is_residual, strict=True) if residual)


def make_basket(release: Release, series: Series, list_id: str, *, only_parts: frozenset[str] | None = None) -> Basket:
    """Return the release as the list sees it; with `only_parts`, restricted to these parts of the source.

    An owner is a residual bucket where the source or the catalogue says so.
    """
    chosen = series.include_list(list_id)
    seen = {observation.owner for observation in release.observations}
    counted = [
        observation
        for observation in release.observations
        if chosen.counts(observation.owner) and (only_parts is None or observation.part in only_parts)
    ]
    owners = tuple(sorted({observation.owner for observation in counted}))
    place = {owner: index for index, owner in enumerate(owners)}
    buckets = series.residual_owners | {observation.owner for observation in counted if observation.residual}
    nan = float("nan")
    return Basket(
        release=release,
        series=series,
        include_list=chosen,
        owners=owners,
        is_residual=np.array([owner in buckets for owner in owners], dtype=np.bool_),
        owner_index=np.array([place[observation.owner] for observation in counted], dtype=np.intp),
        venues=tuple(_venue(chosen, observation.owner, observation.venue) for observation in counted),
        items=tuple(observation.item for observation in counted),
        parts=tuple(observation.part for observation in counted),
        value=np.array([observation.value for observation in counted], dtype=np.float64),
        p5=np.array([nan if o.value_p5 is None else o.value_p5 for o in counted], dtype=np.float64),
        p95=np.array([nan if o.value_p95 is None else o.value_p95 for o in counted], dtype=np.float64),
        missing=tuple(name for name in chosen.by_name if name not in seen),
        outside=tuple(sorted(owner for owner in seen if not chosen.counts(owner))),
    )


def _venue(chosen: IncludeList, owner: str, venue: Venue) -> Venue:
    entry = chosen.by_name.get(owner)
    return venue if entry is None or entry.venue is None else entry.venue
