"""Top-k share: what part of all blocks the k largest pools made, as a lower and an upper bound; of one and of four with an interval.

Lower bound: no unknown block was theirs. Upper bound: all were. The interval is that of `beta_table`: of the lower bound, and of
*these* pools. With fewer than k pools it is the share of all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from counterpoise.metrics.counts import FloatArray, ratio
from counterpoise.metrics.spec import UNIT_RANGE, MetricSpec
from counterpoise.metrics.stored_integers import StoredIntegers
from counterpoise.windows import LEADERS

_INTERVALS = {1: "this largest pool", 4: "these four pools"}
"""The k whose intervals are stored, and how their comments name the leaders."""


def _lower(k: int) -> Callable[[StoredIntegers], FloatArray]:
    return lambda integers: ratio(integers.top(k), integers.n)


def _upper(k: int) -> Callable[[StoredIntegers], FloatArray]:
    return lambda integers: ratio(integers.top(k) + integers.unknown, integers.n)


def _stored(column: str) -> Callable[[StoredIntegers], NDArray[Any]]:
    return lambda integers: integers[column]


def _counts(k: int) -> str:
    return " + ".join(f"c{rank}" for rank in range(1, k + 1))


def _share(k: int) -> MetricSpec:
    name, whose = f"top{k}_share", "its own" if k == 1 else "theirs"
    leaders = "the largest pool" if k == 1 else f"the {k} largest"
    return MetricSpec(
        name=name,
        order=100 + k,
        group="shares",
        title="share of the largest pool" if k == 1 else f"share of the {k} largest pools",
        unit="share",
        range=UNIT_RANGE,
        formula="(c₁ + … + c_k)/n" if k > 1 else "c₁/n",
        undefined="NaN where n = 0",
        reference="concentration ratio CR_k",
        comment=f"Share of {leaders} of all n blocks, a lower bound: no unknown block is {whose}",
        compute=_lower(k),
        sql=f"({_counts(k)}) / n",
        upper=f"{name}_upper",
        interval=(f"{name}_low", f"{name}_high") if k in _INTERVALS else None,
    )


def _bound(k: int) -> MetricSpec:
    whose = "its own" if k == 1 else "theirs"
    return MetricSpec(
        name=f"top{k}_share_upper",
        order=110 + k,
        group="shares",
        title="upper bound of the share of the largest pool"
        if k == 1
        else f"upper bound of the share of the {k} largest pools",
        unit="share",
        range=UNIT_RANGE,
        formula="(c₁ + … + c_k + unknown)/n" if k > 1 else "(c₁ + unknown)/n",
        undefined="NaN where n = 0",
        comment=f"Upper bound of top{k}_share: every unknown block is {whose}",
        compute=_upper(k),
        sql=f"({_counts(k)} + unknown) / n",
    )


def _quantile(k: int, end: str, column: str, order: int) -> MetricSpec:
    percent = "2.5 %" if end == "low" else "97.5 %"
    return MetricSpec(
        name=f"top{k}_share_{end}",
        order=order,
        group="shares",
        title=f"{percent} quantile of the share of {_INTERVALS[k]}",
        unit="share",
        range=UNIT_RANGE,
        formula=f"{percent} quantile of Beta(Σ c + k′/K, n + 1 − Σ c − k′/K)",
        undefined="NaN where n = 0",
        comment=f"{percent} quantile of the share of {_INTERVALS[k]}",
        compute=_stored(column),
        sql=column,
    )


SPECS = (
    *(_share(k) for k in range(1, LEADERS + 1)),
    *(_bound(k) for k in range(1, LEADERS + 1)),
    _quantile(1, "low", "top1_lo", 121),
    _quantile(1, "high", "top1_hi", 122),
    _quantile(4, "low", "top4_lo", 123),
    _quantile(4, "high", "top4_hi", 124),
)
