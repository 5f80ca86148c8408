"""What a change of the score is made of: AI by owner, mining by pool, coverage, method and revision apart. Pure and exact.

For two moments, the parts of one treatment add up to L(now) − L(then). The AI side goes a path of up to four steps, each exact:

    revision   the release that was read of the first moment at the time → the one that stands for it now (live rows only)
    coverage   parts of the source that only the old release draws on fall away …
    ai_owner   … the rest changes, owner by owner (`log2_d2_parts`) …
    coverage   … and parts that only the new one draws on come in

Where the source says that it counted differently, the owners' step is `method`: growth and method cannot be told apart. Both windows
of blocks are counted under the attribution of the row, so a change of the registry is no part of it: it scores both ends anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from counterpoise.metrics.dispersion import TREATMENTS, Treatment, owners_per_bucket
from counterpoise.series.basket import make_basket
from counterpoise.series.catalogue import Series
from counterpoise.series.release import Release
from streams.asymmetry.fold.log2_d2_parts import log2_d2_of, log2_d2_parts
from streams.asymmetry.fold.mining_side import MiningSide
from streams.asymmetry.fold.score import AsymmetryInputs, Moment, RowKey

Component = Literal["ai_owner", "coverage", "method", "revision", "mining_pool"]


@dataclass(frozen=True, slots=True)
class GapPart:
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
    part: GapPart


def year_parts(inputs: AsymmetryInputs) -> list[ChangePart]:
    """The parts of a row's change against the year before; none where nothing is there to compare with.

    Of a live row they add up to the difference from the live row of a year before, as it was made then: what became known of that day
    since is `revision`. Without that part it is the change by what is known at the row's own day.
    """
    then = inputs.then
    if then is None:
        return []
    key: RowKey = (
        inputs.pair.key,
        inputs.knowledge,
        inputs.kind,
        inputs.now.day if inputs.kind == "day" else None,
    )
    parts = change_parts(then, inputs.now, inputs.series, inputs.pair.list_id, stood=inputs.stood)
    return [ChangePart(key, inputs.inputs_id, part) for part in parts]


def change_parts(
    then: Moment, now: Moment, series: Series, list_id: str, *, stood: Release | None = None
) -> list[GapPart]:
    """Every treatment's parts of L(now) − L(then), L(then) by `stood` in place of then's release where that is given.

    ValueError where one of the releases names no owner that counts.
    """
    parts: list[GapPart] = []
    for how in TREATMENTS:
        if stood is not None:
            parts += _owner_parts(stood, then.release, how, "revision", reading=(series, list_id))
        if then.release.release_id != now.release.release_id:
            parts += _release_parts(then.release, now.release, how, reading=(series, list_id))
        pools = log2_d2_parts(_counts(then.mining), _counts(now.mining), {})
        parts += [GapPart(how, "mining_pool", pool, -value) for pool, value in pools.items()]
    return parts


def _release_parts(then: Release, now: Release, how: Treatment, *, reading: tuple[Series, str]) -> list[GapPart]:
    """What happened between two periods; parts of the source that only one of them draws on apart."""
    pieces = _pieces(then, now, *reading, how)
    shared = then.parts & now.parts
    narrow = [_amounts(one, *reading, how, shared) for one in (then, now)]
    wide = [_amounts(one, *reading, how) for one in (then, now)]
    if not min(sum(side.values()) for side in narrow) > 0:  # nothing is comparable: all of it is coverage
        step = log2_d2_of(wide[1], pieces) - log2_d2_of(wide[0], pieces)
        return [GapPart(how, "coverage", "nothing in common", step)]
    parts: list[GapPart] = []
    dropped, added = sorted(then.parts - now.parts), sorted(now.parts - then.parts)
    if dropped:
        step = log2_d2_of(narrow[0], pieces) - log2_d2_of(wide[0], pieces)
        parts.append(GapPart(how, "coverage", "without " + ", ".join(dropped), step))
    component: Component = "method" if then.head.method != now.head.method else "ai_owner"
    parts += _owner_parts(then, now, how, component, reading=reading, only=shared)
    if added:
        step = log2_d2_of(wide[1], pieces) - log2_d2_of(narrow[1], pieces)
        parts.append(GapPart(how, "coverage", "with " + ", ".join(added), step))
    return parts


def _owner_parts(
    then: Release,
    now: Release,
    how: Treatment,
    component: Component,
    *,
    reading: tuple[Series, str],
    only: frozenset[str] | None = None,
) -> list[GapPart]:
    amounts = [_amounts(one, *reading, how, only) for one in (then, now)]
    owners = log2_d2_parts(amounts[0], amounts[1], _pieces(then, now, *reading, how))
    return [GapPart(how, component, owner, value) for owner, value in owners.items()]


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
