"""A table gives what the function gives, row by row."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.metrics.count_tables import looked_up
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.metrics.stored_integers import StoredIntegers

ROWS = st.lists(
    st.sampled_from([0, 1, 7, 144, 150, 1_008]).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    max_size=300,
)


@given(ROWS)
@settings(deadline=None)
def test_a_table_is_its_function(rows: list[tuple[int, int]]) -> None:
    def function(counts: np.ndarray, blocks: np.ndarray) -> np.ndarray:
        return np.asarray(3 * counts + blocks, np.uint16)

    counts, blocks = (np.array([row[i] for row in rows], np.int64) for i in (0, 1))
    assert looked_up(function)(counts, blocks).tolist() == function(counts, blocks).tolist()


@given(st.lists(st.lists(st.integers(0, 60), min_size=3, max_size=3), min_size=1, max_size=40), st.integers(0, 9))
@settings(deadline=None)
def test_metrics_of_many_windows_are_those_of_each(counts: list[list[int]], unknown: int) -> None:
    names = [name for name in SPECS if name.startswith(("confirmations", "nakamoto"))]
    for extra in (0, 400):  # a column long enough for tables, and one that is not
        rows = counts + [[20, 10, 5]] * extra
        together = StoredIntegers.of_counts(rows, unknown=unknown)
        for name in names:
            found = SPECS[name].compute(together)[: len(counts)].tolist()
            alone = [SPECS[name].compute(StoredIntegers.of_counts(row, unknown=unknown))[0] for row in counts]
            assert found == alone, name
