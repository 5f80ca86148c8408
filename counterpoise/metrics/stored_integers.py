"""The stored integers of many windows, as every metric's numpy function takes them, with what several metrics share.

They are the columns of `concentration_log` by their names. A caller that needs few metrics gives few columns (`MetricSpec.inputs`): a
column is looked up when a metric asks for it, KeyError where it is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from counterpoise.metrics.counts import FloatArray, IntArray, as_counts, as_unknown
from counterpoise.metrics.entropy import shannon_nats_of_sums
from counterpoise.metrics.hhi_interval import d2_interval, hhi_interval
from counterpoise.metrics.integers import window_integers
from counterpoise.windows import LEADERS

_SUMS: Final = ("s2", "s3", "s4", "gini_num", "sum_c_ln_c", "nakamoto_one_third", "nakamoto_half")

COUNTED_COLUMNS: Final = (
    "pools_seen",
    *(f"c{rank}" for rank in range(1, LEADERS + 1)),
    *(f"l{rank}" for rank in range(1, LEADERS + 1)),
    *_SUMS,
)
"""What follows from the counts of a window's pools alone."""

STORED_COLUMNS: Final = (
    "n",
    "unknown",
    "window_full",
    *COUNTED_COLUMNS,
    "top1_lo",
    "top1_hi",
    "top4_lo",
    "top4_hi",
    "p_top4_above_75",
)
"""What the fold computes of a window and `concentration_log` stores under the same names."""


class StoredIntegers:
    """R windows. `integers["c1"]` is a stored column (R,); the properties are what several metrics need, each computed once."""

    def __init__(self, columns: Mapping[str, NDArray[Any]]) -> None:
        self._columns = columns
        self._top: list[IntArray] = []

    @classmethod
    def of_counts(cls, counts: ArrayLike, *, unknown: ArrayLike = 0) -> StoredIntegers:
        """The integers of count vectors, (P,) or (R, P), with `unknown` blocks beside each; without the intervals of shares.

        Raises ValueError for a negative or fractional count.
        """
        vectors = np.atleast_2d(as_counts(counts))
        missing = as_unknown(unknown, vectors)
        n = vectors.sum(axis=-1) + missing
        found = window_integers(vectors, np.arange(1, vectors.shape[1] + 1, dtype=np.uint16), n)
        columns: dict[str, NDArray[Any]] = {name: getattr(found, name) for name in ("pools_seen", *_SUMS)}
        columns |= {f"c{rank}": found.counts[:, rank - 1] for rank in range(1, LEADERS + 1)}
        columns |= {f"l{rank}": found.leaders[:, rank - 1] for rank in range(1, LEADERS + 1)}
        return cls(columns | {"n": n, "unknown": missing})

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._columns[name]

    def __len__(self) -> int:
        return len(self._columns["n"])

    @cached_property
    def n(self) -> IntArray:
        """All blocks of the window."""
        return self["n"].astype(np.int64)

    @cached_property
    def unknown(self) -> IntArray:
        """Blocks that nobody is known to have produced."""
        return self["unknown"].astype(np.int64)

    @cached_property
    def known(self) -> IntArray:
        """Attributed blocks, m."""
        return self.n - self.unknown

    def top(self, k: int) -> IntArray:
        """Blocks of the k largest pools together, k = 1…6."""
        while len(self._top) < k:
            count = self[f"c{len(self._top) + 1}"].astype(np.int64)
            self._top.append(self._top[-1] + count if self._top else count)
        return self._top[k - 1]

    @cached_property
    def nats(self) -> FloatArray:
        """Shannon entropy of the attributed blocks; NaN without one."""
        return shannon_nats_of_sums(self["sum_c_ln_c"], self.known)

    @cached_property
    def hhi_interval(self) -> tuple[FloatArray, FloatArray]:
        """95 % interval of the index, unknown in the denominator."""
        return hhi_interval(self["s2"], self["s3"], self.known, self.n)

    @cached_property
    def d2_interval(self) -> tuple[FloatArray, FloatArray]:
        """95 % interval of the effective number of order 2."""
        return d2_interval(self["s2"], self["s3"], self.known)
