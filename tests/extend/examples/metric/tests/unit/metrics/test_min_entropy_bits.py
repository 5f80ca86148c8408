"""Min-entropy by hand."""

import math

import pytest

from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.metrics.stored_integers import StoredIntegers


@pytest.mark.parametrize(
    ("counts", "unknown", "bits"),
    [([8, 4, 2, 2], 0, 1.0), ([8, 4, 2, 2], 16, 1.0), ([5, 5, 5, 5], 0, 2.0), ([7], 0, 0.0), ([0, 0], 9, math.nan)],
)
def test_by_hand(counts: list[int], unknown: int, bits: float) -> None:
    integers = StoredIntegers.of_counts(counts, unknown=unknown)
    assert float(SPECS["min_entropy_bits"].compute(integers)[0]) == pytest.approx(bits, nan_ok=True)
