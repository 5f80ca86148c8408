"""Dispersion of a quantity over owners, some of whom are residual buckets: Hill numbers, HHI and top-k shares, three ways.

A bucket ("Other") is many owners or one, nobody knows. It is treated three ways, and the three are always shown together:

    dropped     the buckets are left out
    one_owner   each bucket is one owner: no truth about it concentrates more
    spread      each bucket is m equal owners: it adds r²/m to Σx² and r·ln(r/m) to Σx·ln x

Values are float64, unlike the counts of the rest of this package; the last axis runs over owners, so a matrix of draws goes through
at once. References: M. O. Hill, "Diversity and Evenness", Ecology 54 (1973); US DOJ and FTC, Merger Guidelines (2023), for the HHI.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from counterpoise.metrics.counts import FloatArray, ratio

Treatment = Literal["dropped", "one_owner", "spread"]
TREATMENTS: tuple[Treatment, ...] = get_args(Treatment)

TOP = 4
"""Shares are given for the largest 1…TOP owners."""


@dataclass(frozen=True)
class HillNumbers:
    """d1 = exp(−Σp·ln p) and d2 = 1/Σp², of p = x/Σx; 1 ≤ d2 ≤ d1. hhi = Σp². NaN where everything is zero."""

    d1: FloatArray
    d2: FloatArray
    hhi: FloatArray


def owners_per_bucket(treatment: Treatment, spread_over: int) -> int:
    """How many equal owners a bucket is; 0 where it is dropped. ValueError for `spread_over` below 1."""
    if spread_over < 1:
        raise ValueError(f"a bucket is spread over at least one owner, got {spread_over}")
    return {"dropped": 0, "one_owner": 1, "spread": spread_over}[treatment]


@dataclass(frozen=True)
class DispersionSums:
    """Sums over the named owners and over the buckets, each (…,): all that Hill numbers need, under any treatment."""

    named_total: FloatArray
    named_squares: FloatArray
    named_logs: FloatArray
    bucket_total: FloatArray
    bucket_squares: FloatArray
    bucket_logs: FloatArray

    @classmethod
    def joined(cls, blocks: Sequence[DispersionSums]) -> DispersionSums:
        """The sums of consecutive blocks of draws, as of one."""
        return cls(*(np.concatenate([getattr(block, one.name) for block in blocks]) for one in fields(cls)))


def dispersion_sums(named: ArrayLike, residual: ArrayLike) -> DispersionSums:
    """Σx, Σx² and Σx·ln x of (…, K) named and (…, R) bucket values, finite and not negative (ValueError)."""
    known, buckets = _checked(named), _checked(residual)
    return DispersionSums(
        *(total for side in (known, buckets) for total in (side.sum(-1), (side * side).sum(-1), _x_ln_x(side).sum(-1)))
    )


def hill_numbers_of_sums(sums: DispersionSums, treatment: Treatment, spread_over: int = 25) -> HillNumbers:
    """`hill_numbers` from the sums."""
    m = owners_per_bucket(treatment, spread_over)
    total, squares, logs = sums.named_total, sums.named_squares, sums.named_logs
    if m:
        total = total + sums.bucket_total
        squares = squares + sums.bucket_squares / m
        logs = logs + sums.bucket_logs - sums.bucket_total * np.log(m)
    entropy = np.log(np.where(total > 0, total, 1.0)) - ratio(logs, total)
    index = ratio(squares, total * total)
    return HillNumbers(d1=np.exp(np.maximum(entropy, 0.0)), d2=ratio(1.0, index), hhi=index)


def hill_numbers(named: ArrayLike, residual: ArrayLike, treatment: Treatment, spread_over: int = 25) -> HillNumbers:
    """Effective numbers of owners; shapes (…, K) and (…, R) → (…). Values must be finite and not negative (ValueError).

    >>> [float(hill_numbers([4, 4], [4], how, 4).d2) for how in TREATMENTS]
    [2.0, 3.0, 4.0]
    """
    return hill_numbers_of_sums(dispersion_sums(named, residual), treatment, spread_over)


def top_shares(named: ArrayLike, residual: ArrayLike, treatment: Treatment) -> FloatArray:
    """Shares of the 1…TOP largest *named* owners together, shape (…, TOP).

    A bucket is never ranked: where it is dropped the shares are of the named owners, otherwise of all, and then a lower bound. With
    fewer owners than k it is the share of all of them.

    >>> top_shares([3, 1], [4], "dropped")[0].item(), top_shares([3, 1], [4], "spread")[0].item()
    (0.75, 0.375)
    """
    known, buckets = _checked(named), _checked(residual)
    total = known.sum(-1) if treatment == "dropped" else known.sum(-1) + buckets.sum(-1)
    return ratio(top_sums(known), np.asarray(total)[..., None])


def top_sums(values: FloatArray) -> FloatArray:
    """Sums of the 1…TOP largest of (…, K) values, shape (…, TOP)."""
    if values.shape[-1] < TOP:
        values = np.concatenate([values, np.zeros((*values.shape[:-1], TOP - values.shape[-1]))], axis=-1)
    largest = np.sort(np.partition(values, -TOP, axis=-1)[..., -TOP:], axis=-1)[..., ::-1]
    return np.cumsum(largest, axis=-1)


def _checked(values: ArrayLike) -> FloatArray:
    array = np.asarray(values, np.float64)
    if array.ndim == 0:
        raise ValueError(f"values must be a vector or a matrix over owners, got the scalar {values!r}")
    if array.size and not (np.isfinite(array).all() and array.min() >= 0):
        raise ValueError("values must be finite and not negative")
    return array


def _x_ln_x(values: FloatArray) -> FloatArray:
    logs = np.log(values, out=np.zeros_like(values), where=values > 0)
    return np.multiply(values, logs, out=logs)
