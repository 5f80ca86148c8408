"""Whether a sequential detector fires: 1 from the block that fires to the block before the one that clears, else 0.

The detector has its own line and mirror, and a stated rate of false alarms. A rule on it needs no hold and no clearing line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from alerts.signals.detector_columns import DETECTOR_COLUMNS, StoredDetector
from alerts.signals.signal import Measured, Signal, SignalSql, SignalSubject, SwitchWords
from alerts.signals.window_counts import WindowCounts
from counterpoise.detectors.delays import LIMIT_BLOCKS, MEDIAN_DELAYS
from counterpoise.detectors.tracks import DETECTOR_OF, HHI
from counterpoise.formats import TEXT
from counterpoise.metrics.spec import UNIT_RANGE

_QUOTED: Final = (0, 2, -1)
"""Places among the simulated values: at shares of the top four of 76, 78 and 82 %."""


def promise(of: StoredDetector) -> str:
    """The promise in words. A year counts 52,560 blocks, which a faster chain has sooner."""
    years = f"{of.promise_years} years" if of.promise_years > 1 else "a year"
    return f"one false alarm in {years} of 52,560 blocks expected"


def delay(of: StoredDetector) -> str:
    """The simulated median delays in words."""
    found = [MEDIAN_DELAYS[of][place] for place in _QUOTED]
    values = [f"{1e4 * value:,.0f} points" if of.name == HHI else TEXT.share(value) for value, _ in found]
    blocks = [f"more than {LIMIT_BLOCKS:,}" if median is None else f"{median:,}" for _, median in found]
    first, *others = [f"{count} blocks at {value}" for count, value in zip(blocks, values, strict=True)]
    return ", ".join([f"median delay {first}", *(other.replace(" blocks", "") for other in others)])


def _measure(column: str) -> Callable[[WindowCounts, str], Measured]:
    return lambda series, _pool: Measured.exactly(np.asarray(series.further[column], np.float64))


def _sql(of: StoredDetector) -> Callable[[SignalSubject], SignalSql]:
    return lambda subject: SignalSql(of.sql(subject.view), tables=(("detectors_log", ("firing",)),))


def _signal(of: StoredDetector) -> Signal:
    return Signal(
        name=of.column,
        title=f"detector of {DETECTOR_OF[of.name].about}",
        unit="index",
        kind="whole",
        range=UNIT_RANGE,
        comment=f"1 while the detector of {DETECTOR_OF[of.name].about} fires, else 0: {promise(of)}",
        measure=_measure(of.column),
        sql=_sql(of),
        columns=(of.column,),
        switch=SwitchWords("clear", "firing", "past its mirror's line", "past its line", f"{promise(of)}; {delay(of)}"),
    )


SIGNALS = tuple(_signal(found) for found in DETECTOR_COLUMNS.values())
