"""The registry of metrics: what every spec has to say, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from counterpoise.metrics.spec import GROUPS, MetricSpec
from counterpoise.metrics.specs.metric_registry import SPECS, groups, register
from counterpoise.metrics.stored_integers import STORED_COLUMNS, StoredIntegers

COUNTS = np.array([[1, 4, 0, 2, 1], [0, 0, 0, 0, 0], [144, 0, 0, 0, 0], [30, 30, 30, 30, 24]])
INTERVALS = {
    name: np.array([0.25, 0.5, 0.75, 1.0]) for name in ("top1_lo", "top1_hi", "top4_lo", "top4_hi", "p_top4_above_75")
}


def columns() -> dict[str, np.ndarray]:
    integers = StoredIntegers.of_counts(COUNTS, unknown=[2, 3, 0, 0])
    return {name: integers[name] for name in STORED_COLUMNS if name not in {*INTERVALS, "window_full"}} | INTERVALS


@pytest.mark.parametrize("spec", SPECS.values(), ids=lambda spec: spec.name)
def test_a_spec_is_whole(spec: MetricSpec) -> None:
    assert spec.title and spec.formula and spec.undefined and spec.comment
    assert not spec.comment.endswith(".") and "'" not in spec.comment
    assert spec.inputs, "a metric rests on stored columns"
    # No more than the columns that it names are needed, and the result is one value a window, inside its range.
    values = spec.compute(StoredIntegers({name: columns()[name] for name in spec.inputs}))
    assert values.shape == (4,)
    defined = values[~np.isnan(values)] if spec.type == "Float64" else values[values > 0]
    assert np.all((spec.range.low <= defined) & (defined <= spec.range.high)), values


def test_the_order_is_that_of_the_files() -> None:
    assert list(SPECS) == [spec.name for spec in sorted(SPECS.values(), key=lambda spec: spec.order)]
    assert [spec.name for group in GROUPS for spec in groups()[group]] == list(SPECS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": 999}, "two metrics are named hhi"),
        ({"name": "new"}, "metrics hhi and new have the same order, 201"),
        (
            {"name": "new", "order": 999, "interval": ("new_low", "hhi")},
            "metric new names new_low, which no file defines",
        ),
        ({"name": "new", "order": 999, "upper": "new_upper"}, "metric new names new_upper, which no file defines"),
    ],
)
def test_a_registry_with_a_mistake_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        register([*SPECS.values(), replace(SPECS["hhi"], **change)])  # type: ignore[arg-type]
