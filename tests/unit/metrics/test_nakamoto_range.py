"""The stored range of the Nakamoto coefficient against the estimate over all pools, and its order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.metrics.stored_integers import StoredIntegers
from tests.plain_nakamoto_range import nakamoto_range


@given(st.lists(st.integers(0, 400), min_size=1, max_size=12), st.integers(0, 400))
@settings(deadline=None)
def test_it_is_the_estimate_over_all_pools_up_to_six(counts: list[int], unknown: int) -> None:
    integers = StoredIntegers.of_counts(counts, unknown=unknown)
    n = sum(counts) + unknown
    for name, line in (("one_third", 1 / 3), ("half", 1 / 2)):
        low, high, point = (int(SPECS[f"nakamoto_{name}{end}"].compute(integers)[0]) for end in ("_low", "_high", ""))
        wanted = nakamoto_range(counts, n, line)
        assert (low, high) == tuple(k if k <= 6 else 0 for k in wanted)
        # The coefficient of the blocks lies in the range.
        if 0 < point <= 6:
            assert 0 < low <= point and (high == 0 or point <= high)
