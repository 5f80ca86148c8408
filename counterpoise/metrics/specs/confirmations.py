"""Confirmations after which the largest pool (or entity) undoes a payment with less than a stated probability: Rosenfeld's model.

The attacker is the largest producer of the view *as one*, with its share of blocks as its share of hashrate. A pool is not its
miners. The columns are UInt16: 65535 stands for "as many or more" and, from one half on, for "no number suffices". The value
grows with the share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.metrics.count_tables import looked_up
from counterpoise.metrics.counts import IntArray, ratio
from counterpoise.metrics.spec import MetricSpec, Range
from counterpoise.metrics.stored_integers import StoredIntegers
from counterpoise.risk.confirmations_closed_form import (
    NO_NUMBER,
    ONE_IN_100_000,
    ONE_PER_MILLE,
    ONE_PERCENT,
    confirmations_sql,
    confirmations_whole,
)


def _of_largest(risk: float) -> Callable[[StoredIntegers], NDArray[Any]]:
    @looked_up
    def needed(counts: IntArray, blocks: IntArray) -> NDArray[np.uint16]:
        some = blocks > 0
        share = np.where(some, ratio(counts, blocks), 0.0)
        return np.where(some, confirmations_whole(share, risk), np.uint16(0))

    return lambda integers: needed(integers.top(1), integers.n)


def _spec(digits: str, risk: float, order: int) -> MetricSpec:
    percent = digits.replace("_", ".")
    return MetricSpec(
        name=f"confirmations_for_{digits}_percent",
        order=order,
        group="risk",
        title=f"confirmations for a double-spend risk below 1 in {round(1 / risk):,}",
        unit="blocks",
        range=Range(1.0, float(NO_NUMBER), "1–65,535"),
        formula=f"smallest z with I₄q₍₁₋q₎(z, ½) < {percent} %, q = c₁/n; 65,535 where no number suffices",
        undefined="0 where n = 0",
        reference="M. Rosenfeld, arXiv:1402.2009 (2014)",
        comment=(
            f"Confirmations after which the largest undoes a payment with a probability below {percent} percent; "
            f"{NO_NUMBER}: as many or more, or no number suffices"
        ),
        compute=_of_largest(risk),
        sql=confirmations_sql(risk),
        type="UInt16",
    )


SPECS = (
    _spec("1", ONE_PERCENT, 311),
    _spec("0_1", ONE_PER_MILLE, 312),
    _spec("0_001", ONE_IN_100_000, 313),
)
