"""A release seen through an include-list: the owners that count, their values, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from counterpoise.contracts.releases import VENUES, Venue
from counterpoise.series.catalogue import IncludeList, Series
from counterpoise.series.release import Release

FloatArray = NDArray[np.float64]

EDGE_VENUES: frozenset[Venue] = frozenset(("device", "edge"))
"""What counts as the edge: the user's device and the machine beside it. On-premises servers do not."""

_CODES = {venue: code for code, venue in enumerate(VENUES)}
_EDGE_CODES = tuple(_CODES[venue] for venue in EDGE_VENUES)
_COLUMNS = attrgetter("owner", "venue", "item", "part", "value", "value_p5", "value_p95", "residual")


@dataclass(frozen=True)
class Basket:
    """N observations that count, in the order of their keys.

    owners         the O distinct owners, in order; `owner_index` (N,) maps each observation to one
    is_residual    (O,) whether the owner is a residual bucket
    venue_code     (N,) where each value runs, as its place in VENUES: by the list's entry, otherwise as the source has it
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
    venue_code: NDArray[np.int8]
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

    @cached_property
    def at_edge(self) -> NDArray[np.bool_]:
        """(N,) whether each value runs at the edge."""
        return np.isin(self.venue_code, _EDGE_CODES)

    @cached_property
    def elsewhere(self) -> NDArray[np.bool_]:
        """(N,) whether each value runs at a known venue that is not the edge."""
        return np.isin(self.venue_code, (*_EDGE_CODES, _CODES["unknown"]), invert=True)

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

    An owner is a residual bucket if the source or the catalogue marks it. Nothing counts in a release that the list does not read.
    """
    chosen = series.include_list(list_id)
    seen = dict.fromkeys(observation.owner for observation in release.observations)
    reads = chosen.reads(seen)
    counting = {owner: reads and chosen.counts(owner) for owner in seen}
    counted = [
        _COLUMNS(observation)
        for observation in release.observations
        if counting[observation.owner] and (only_parts is None or observation.part in only_parts)
    ]
    owner, venue, item, part, value, p5, p95, residual = zip(*counted, strict=True) if counted else ((),) * 8
    owners = tuple(dict.fromkeys(owner))  # in order, because keys begin with the owner
    place = {name: index for index, name in enumerate(owners)}
    buckets = series.residual_owners.union(compress(owner, residual))
    listed = {name: _CODES[entry.venue] for name, entry in chosen.by_name.items() if entry.venue is not None}
    return Basket(
        release=release,
        series=series,
        include_list=chosen,
        owners=owners,
        is_residual=np.array([name in buckets for name in owners], dtype=np.bool_),
        owner_index=np.array([place[name] for name in owner], dtype=np.intp),
        venue_code=np.array(
            [listed.get(name, _CODES[where]) for name, where in zip(owner, venue, strict=True)], dtype=np.int8
        ),
        items=item,
        parts=part,
        value=np.array(value, dtype=np.float64),
        p5=np.array(p5, dtype=np.float64),  # None is NaN
        p95=np.array(p95, dtype=np.float64),
        missing=tuple(name for name in chosen.by_name if name not in seen),
        outside=tuple(name for name, counts in counting.items() if not counts),
    )
