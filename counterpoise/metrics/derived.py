"""Every metric of windows from their stored integers: a walk over the specs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from counterpoise.metrics.spec import MetricSpec
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.metrics.stored_integers import StoredIntegers


def derive(integers: StoredIntegers, specs: Mapping[str, MetricSpec] = SPECS) -> dict[str, NDArray[Any]]:
    """The metrics of R windows by name, (R,) each, in the specs' order; NaN is "undefined", each spec says when."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: spec.compute(integers) for name, spec in specs.items()}
