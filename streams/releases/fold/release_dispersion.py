"""Rows of dispersion and placement: what one release says by one include-list. Pure functions of release and catalogue entry.

A row never changes: a later release of the same period has rows of its own, and which of them stands for the period is a pointer
(`streams.releases.fold.release_fold.Current`). So a late release cannot touch any other row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from counterpoise.contracts.releases import VENUES, Layer
from counterpoise.metrics.counts import ratio
from counterpoise.metrics.dispersion import (
    TREATMENTS,
    Treatment,
    hill_numbers,
    hill_numbers_of_sums,
    owners_per_bucket,
    top_shares,
)
from counterpoise.metrics.dispersion_draws import interval
from counterpoise.series.basket import EDGE_VENUES, Basket, make_basket
from counterpoise.series.catalogue import Series
from counterpoise.series.release import Release
from streams.releases.fold.value_draws import ERROR_MODELS, DrawnSums, ErrorModel, ValueDraws

Bounds = tuple[float, float] | None
"""(2.5 %, 97.5 %), or None where the series states no uncertainty."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """95 % intervals under one error model."""

    d2: Bounds
    d1: Bounds
    hhi: Bounds
    top4: Bounds


_UNSTATED = Intervals(None, None, None, None)


@dataclass(frozen=True, slots=True)
class _ListedRelease:
    """Whose row it is: one release under one list of its series."""

    series: str
    list_id: str
    catalogue_id: str
    release_id: str
    layer: Layer
    unit: str
    period_start: str
    period_end: str
    published_at_ms: int


@dataclass(frozen=True, slots=True)
class DispersionRow(_ListedRelease):
    """Dispersion of one release by one list under one treatment; (series, list_id, release_id, treatment) is its key.

    bucket_owners   into how many owners each residual bucket is cut: 0, 1 or m
    total           the denominator: what is treated as there; residual_share is of all, whatever the treatment
    top1…top4       of the named owners together; a bucket is never ranked, so with buckets in the denominator a lower bound
    missing         owners of the list that the release lacks: not known, never zero
    imputed         observations without an error of their own
    """

    treatment: Treatment
    bucket_owners: int
    owners: int
    buckets: int
    missing: int
    outside: int
    imputed: int
    total: float
    residual_share: float
    d2: float
    d1: float
    hhi: float
    top1: float
    top2: float
    top3: float
    top4: float
    independent: Intervals
    correlated: Intervals


@dataclass(frozen=True, slots=True)
class PlacementRow(_ListedRelease):
    """Where the values of one release run and how replaceable providers are; (series, list_id, release_id) is its key.

    venue_totals      by `VENUES`
    edge_share        of what has a known venue, None where nothing has
    edge_share_lower, edge_share_upper   with the unknown venues, and every missing owner at the cutoff, put against it and for it
    edge_independent, edge_correlated    its interval where the series states uncertainty
    items             distinct things offered (layer serving only, otherwise 0); providers_mean, providers_median of an item;
                      single_provider_share of the items
    """

    venue_totals: tuple[float, ...]
    missing: tuple[str, ...]
    outside: tuple[str, ...]
    cutoff: float | None
    edge_share: float | None
    edge_share_lower: float | None
    edge_share_upper: float | None
    edge_independent: Bounds
    edge_correlated: Bounds
    items: int
    providers_mean: float | None
    providers_median: float | None
    single_provider_share: float | None


@dataclass(frozen=True, slots=True)
class ReleaseRows:
    """All rows of one release."""

    dispersion: tuple[DispersionRow, ...]
    placement: tuple[PlacementRow, ...]


def release_rows(release: Release, series: Series) -> ReleaseRows:
    """Return a placement row for each list that reads the release, and a dispersion row for each treatment with an owner above zero.

    A release that is not scorable has none.
    """
    dispersion: list[DispersionRow] = []
    placement: list[PlacementRow] = []
    owners = frozenset(observation.owner for observation in release.observations)
    reading = (one for one in series.lists if release.is_scorable and one.reads(owners))
    for one in reading:
        draws = ValueDraws(make_basket(release, series, one.id))
        drawn = {} if draws.is_certain else draws.sums()
        placement.append(_placement_row(draws.basket, drawn))
        if draws.basket.named.sum() > 0:
            intervals = {
                model: _intervals(sums, series.residual_spread_owners) for model, sums in drawn.items()
            } or dict.fromkeys(ERROR_MODELS, dict.fromkeys(TREATMENTS, _UNSTATED))
            dispersion += [
                _dispersion_row(draws, how, intervals["independent"][how], intervals["correlated"][how])
                for how in TREATMENTS
            ]
    return ReleaseRows(tuple(dispersion), tuple(placement))


def _listed(basket: Basket) -> dict[str, Any]:
    head = basket.release.head
    return {
        "series": head.series,
        "list_id": basket.include_list.id,
        "catalogue_id": basket.series.catalogue_id,
        "release_id": basket.release.release_id,
        "layer": head.layer,
        "unit": head.unit,
        "period_start": head.period_start,
        "period_end": head.period_end,
        "published_at_ms": head.published_at_ms,
    }


def _dispersion_row(
    draws: ValueDraws, treatment: Treatment, independent: Intervals, correlated: Intervals
) -> DispersionRow:
    basket = draws.basket
    spread = basket.series.residual_spread_owners
    named, residual = basket.named, basket.residual
    hill = hill_numbers(named, residual, treatment, spread)
    top = top_shares(named, residual, treatment)
    everything = float(named.sum() + residual.sum())
    return DispersionRow(
        **_listed(basket),
        treatment=treatment,
        bucket_owners=owners_per_bucket(treatment, spread),
        owners=int(np.count_nonzero(named)),
        buckets=int(np.count_nonzero(residual)),
        missing=len(basket.missing),
        outside=len(basket.outside),
        imputed=draws.imputed,
        total=float(named.sum()) if treatment == "dropped" else everything,
        residual_share=float(residual.sum()) / everything,
        d2=float(hill.d2),
        d1=float(hill.d1),
        hhi=float(hill.hhi),
        top1=float(top[0]),
        top2=float(top[1]),
        top3=float(top[2]),
        top4=float(top[3]),
        independent=independent,
        correlated=correlated,
    )


def _intervals(drawn: DrawnSums, spread_over: int) -> dict[Treatment, Intervals]:
    sums = drawn.sums
    found: dict[Treatment, Intervals] = {}
    # Shares of all are the same whatever a bucket is cut into, because it is never ranked.
    of_named = interval(ratio(drawn.top, sums.named_total))
    of_all = interval(ratio(drawn.top, sums.named_total + sums.bucket_total))
    for how in TREATMENTS:
        hill = hill_numbers_of_sums(sums, how, spread_over)
        shares = of_named if how == "dropped" else of_all
        found[how] = Intervals(interval(hill.d2), interval(hill.d1), interval(hill.hhi), shares)
    return found


def _placement_row(basket: Basket, drawn: dict[ErrorModel, DrawnSums]) -> PlacementRow:
    head = basket.release.head
    is_known = basket.at_edge | basket.elsewhere
    edge, known = (float(basket.value[mask].sum()) for mask in (basket.at_edge, is_known))
    total = float(basket.value.sum())
    lower, upper = _edge_bounds(basket, edge, total - known, total)
    providers = _providers_per_item(basket) if head.layer == "serving" else []
    return PlacementRow(
        **_listed(basket),
        venue_totals=tuple(float(basket.value[basket.venue_code == code].sum()) for code in range(len(VENUES))),
        missing=basket.missing,
        outside=basket.outside,
        cutoff=head.cutoff,
        edge_share=edge / known if known > 0 else None,
        edge_share_lower=lower,
        edge_share_upper=upper,
        edge_independent=_edge_interval(basket, known, drawn.get("independent")),
        edge_correlated=_edge_interval(basket, known, drawn.get("correlated")),
        items=len(providers),
        providers_mean=float(np.mean(providers)) if providers else None,
        providers_median=float(np.median(providers)) if providers else None,
        single_provider_share=float(np.mean([count == 1 for count in providers])) if providers else None,
    )


def _edge_interval(basket: Basket, known: float, drawn: DrawnSums | None) -> Bounds:
    if drawn is None or not known > 0:
        return None
    if drawn.edge_share is None:  # all of it or none, whatever the errors
        return (1.0, 1.0) if basket.at_edge.any() else (0.0, 0.0)
    return interval(drawn.edge_share)


def _edge_bounds(basket: Basket, edge: float, unknown: float, total: float) -> tuple[float | None, float | None]:
    """What the share would be were everything that is not known against the edge, and for it."""
    if total <= 0:
        return None, None
    cutoff = basket.release.head.cutoff or 0.0
    venues = [basket.include_list.by_name[name].venue or "unknown" for name in basket.missing]
    unseen_edge = cutoff * sum(venue in EDGE_VENUES for venue in venues)
    unseen_elsewhere = cutoff * sum(venue not in EDGE_VENUES for venue in venues)
    unseen_unknown = cutoff * sum(venue == "unknown" for venue in venues)
    lower = edge / (total + unseen_elsewhere)
    gained = unseen_edge + unseen_unknown
    return lower, (edge + unknown + gained) / (total + gained)


def _providers_per_item(basket: Basket) -> list[int]:
    """How many owners with a value above zero each item has, buckets left out; items in order."""
    owners: dict[str, set[int]] = {}
    for item, owner, value in zip(basket.items, basket.owner_index.tolist(), basket.value.tolist(), strict=True):
        if item and value > 0 and not basket.is_residual[owner]:
            owners.setdefault(item, set()).add(owner)
    return [len(owners[item]) for item in sorted(owners)]
