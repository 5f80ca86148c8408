"""Every metric of a window from its stored integers: the one definition that the SQL views repeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.metrics.counts import FloatArray
from counterpoise.metrics.effective_number import d2_of_sums
from counterpoise.metrics.entropy import LN_2, normalised_entropy_of, shannon_nats_of_sums
from counterpoise.metrics.gini import gini_of_sums
from counterpoise.metrics.hhi import POINTS, hhi_of_sums, hhi_unbiased_of_sums
from counterpoise.metrics.hhi_interval import d2_interval, hhi_interval
from counterpoise.metrics.shares import share_bounds
from counterpoise.metrics.theil import theil_of


@dataclass(frozen=True)
class DerivedMetrics:
    """One row a window, R rows.

    top_share, top_share_upper   (R, 6): bounds of the top-1 … top-6 share
    hhi, hhi_points, hhi_unbiased, hhi_lo, hhi_hi   unknown in the denominator
    hhi_attributed, d1, d2, d2_lo, d2_hi, shannon_nats, shannon_bits, normalised_entropy, gini, theil   attributed blocks only
    """

    top_share: FloatArray
    top_share_upper: FloatArray
    hhi: FloatArray
    hhi_points: FloatArray
    hhi_unbiased: FloatArray
    hhi_lo: FloatArray
    hhi_hi: FloatArray
    hhi_attributed: FloatArray
    d1: FloatArray
    d2: FloatArray
    d2_lo: FloatArray
    d2_hi: FloatArray
    shannon_nats: FloatArray
    shannon_bits: FloatArray
    normalised_entropy: FloatArray
    gini: FloatArray
    theil: FloatArray


def derive(
    *,
    n: NDArray[Any],
    unknown: NDArray[Any],
    pools_seen: NDArray[Any],
    counts: NDArray[Any],
    s2: NDArray[Any],
    s3: NDArray[Any],
    gini_num: NDArray[Any],
    sum_c_ln_c: NDArray[Any],
) -> DerivedMetrics:
    """Metrics of R windows; `counts` (R, 6) is c1…c6, the rest (R,) as in `WindowIntegers`.

    What is undefined is NaN: everything without blocks, what speaks of attributed blocks without one, the unbiased index of
    fewer than two blocks.
    """
    blocks, missing = n.astype(np.int64), unknown.astype(np.int64)
    known = blocks - missing
    lower, upper = share_bounds(np.cumsum(counts.astype(np.int64), axis=1), missing[:, None], blocks[:, None])
    nats = shannon_nats_of_sums(sum_c_ln_c, known)
    hhi_lo, hhi_hi = hhi_interval(s2, s3, known, pools_seen, missing)
    d2_lo, d2_hi = d2_interval(s2, s3, known, pools_seen)
    index = hhi_of_sums(s2, blocks)
    return DerivedMetrics(
        top_share=lower,
        top_share_upper=upper,
        hhi=index,
        hhi_points=index * POINTS,
        hhi_unbiased=hhi_unbiased_of_sums(s2, known, blocks),
        hhi_lo=hhi_lo,
        hhi_hi=hhi_hi,
        hhi_attributed=hhi_of_sums(s2, known),
        d1=np.exp(nats),
        d2=d2_of_sums(s2, known),
        d2_lo=d2_lo,
        d2_hi=d2_hi,
        shannon_nats=nats,
        shannon_bits=nats / LN_2,
        normalised_entropy=normalised_entropy_of(nats, pools_seen),
        gini=gini_of_sums(gini_num, pools_seen, known),
        theil=theil_of(nats, pools_seen),
    )
