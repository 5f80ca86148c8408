"""What a change of the score is made of: AI by owner, mining by pool, coverage, method and revision apart. Pure and exact.

For two moments, the parts of one treatment add up to L(now) − L(then). The AI side goes a path of up to four steps, each exact:

    revision   the release of the then period as it stood → as it stands (only where the caller gives both)
    coverage   parts of the source that only the old release draws on fall away …
    ai_owner   … the rest changes, owner by owner (`metrics.asymmetry_change`) …
    coverage   … and parts that only the new one draws on come in

Where the source says that it counted differently, the owners' step is `method`: growth and method cannot be told apart. Where both
releases are of one period, it is `revision`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from counterpoise.metrics.asymmetry_change import log2_d2_of, log2_d2_parts
from counterpoise.metrics.dispersion import TREATMENTS, Treatment, owners_per_bucket
from counterpoise.series.basket import make_basket
from counterpoise.series.catalogue import Series
from counterpoise.series.release import Release
from streams.asymmetry import AsymmetryInputs, Moment, RowKey
from streams.mining_side import MiningSide

Component = Literal["ai_owner", "coverage", "method", "revision", "mining_pool", "mining_attribution"]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a change of L, in doublings; positive parts raise L."""

    treatment: Treatment
    component: Component
    name: str
    doublings: float


@dataclass(frozen=True, slots=True)
class ChangePart:
    """A part of a row's change over the year; (row, treatment, component, name) is the key, `inputs_id` that of the row."""

    row: RowKey
    inputs_id: str
    part: Part


def year_parts(inputs: AsymmetryInputs) -> list[ChangePart]:
    """The parts of a row's change against the year before; none where there is no other release to compare with."""
    then = inputs.then
    if then is None or then.release.release_id == inputs.now.release.release_id:
        return []
    key: RowKey = (
        inputs.pair.key,
        inputs.knowledge,
        inputs.kind,
        inputs.now.day if inputs.kind == "day" else None,
    )
    parts = change_parts(then, inputs.now, inputs.series, inputs.pair.list_id)
    return [ChangePart(key, inputs.inputs_id, part) for part in parts]


def change_parts(
    then: Moment,
    now: Moment,
    series: Series,
    list_id: str,
    *,
    restated: Release | None = None,
    recounted: MiningSide | None = None,
) -> list[Part]:
    """Every treatment's parts of L(now) − L(then).

    `restated` is the release that stands for `then`'s period now, `recounted` its window under `now`'s attribution: with them
    revision and re-attribution are told apart. ValueError where one of the releases names no owner that counts.
    """
    parts: list[Part] = []
    for how in TREATMENTS:
        parts += _ai_parts(then.release, now.release, how, restated, reading=(series, list_id))
        parts += _mining_parts(then.mining, now.mining, how, recounted)
    return parts


def _ai_parts(
    then: Release, now: Release, how: Treatment, restated: Release | None, *, reading: tuple[Series, str]
) -> list[Part]:
    series, list_id = reading
    parts: list[Part] = []
    pieces = _pieces(then, now, series, list_id, how)
    if restated is not None and restated.release_id != then.release_id:
        pieces |= _pieces(restated, now, series, list_id, how)
        stated = [_amounts(one, series, list_id, how) for one in (then, restated)]
        revised = log2_d2_parts(stated[0], stated[1], pieces)
        parts += [Part(how, "revision", owner, value) for owner, value in revised.items()]
        then = restated
    component: Component = "ai_owner"
    if then.period == now.period:
        component = "revision"
    elif then.head.method != now.head.method:
        component = "method"
    shared = then.parts & now.parts
    narrow = [_amounts(one, series, list_id, how, shared) for one in (then, now)]
    if not min(sum(side.values()) for side in narrow) > 0:  # nothing is comparable: all of it is coverage
        wide = [log2_d2_of(_amounts(one, series, list_id, how), pieces) for one in (then, now)]
        return [*parts, Part(how, "coverage", "nothing in common", wide[1] - wide[0])]
    dropped, added = sorted(then.parts - now.parts), sorted(now.parts - then.parts)
    if dropped:
        step = log2_d2_of(narrow[0], pieces) - log2_d2_of(_amounts(then, series, list_id, how), pieces)
        parts.append(Part(how, "coverage", "without " + ", ".join(dropped), step))
    owners = log2_d2_parts(narrow[0], narrow[1], pieces)
    parts += [Part(how, component, owner, value) for owner, value in owners.items()]
    if added:
        step = log2_d2_of(_amounts(now, series, list_id, how), pieces) - log2_d2_of(narrow[1], pieces)
        parts.append(Part(how, "coverage", "with " + ", ".join(added), step))
    return parts


def _mining_parts(then: MiningSide, now: MiningSide, how: Treatment, recounted: MiningSide | None) -> list[Part]:
    steps: list[tuple[Component, MiningSide, MiningSide]] = []
    if recounted is not None and recounted.counts != then.counts:
        steps.append(("mining_attribution", then, recounted))
        then = recounted
    steps.append(("mining_pool", then, now))
    return [
        Part(how, component, pool, -value)
        for component, old, new in steps
        for pool, value in log2_d2_parts(_counts(old), _counts(new), {}).items()
    ]


def _counts(side: MiningSide) -> dict[str, float]:
    return {pool: float(count) for pool, count in side.counts}


def _pieces(one: Release, other: Release, series: Series, list_id: str, how: Treatment) -> dict[str, int]:
    buckets = {owner for release in (one, other) for owner in make_basket(release, series, list_id).residual_owners}
    return dict.fromkeys(buckets, max(owners_per_bucket(how, series.residual_spread_owners), 1))


def _amounts(
    release: Release, series: Series, list_id: str, how: Treatment, parts: frozenset[str] | None = None
) -> Mapping[str, float]:
    """Values by owner; without the buckets where they are dropped."""
    basket = make_basket(release, series, list_id, only_parts=parts)
    amounts = dict(zip(basket.named_owners, basket.named.tolist(), strict=True))
    if how != "dropped":
        amounts |= dict(zip(basket.residual_owners, basket.residual.tolist(), strict=True))
    return amounts
