"""Times as ClickHouse's DateTime64(3) holds them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


def ticks_of_seconds(seconds: Iterable[float]) -> npt.NDArray[np.int64]:
    """Milliseconds since 1970 of each time in seconds, to the nearest."""
    return np.array([round(value * 1000) for value in seconds], np.int64)


def ticks_of_millis(millis: Iterable[int]) -> npt.NDArray[np.int64]:
    """The same for times that are milliseconds already."""
    return np.array(list(millis), np.int64)
