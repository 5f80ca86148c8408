"""What a signal is: a value of a window of blocks that rules may judge, with its words, its unit and its SQL.

The signals themselves are in `alerts.signals.specs`, one file each. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.signals.window_counts import WindowCounts
from counterpoise.formats import TEXT
from counterpoise.metrics.spec import Kind, Range, Unit
from counterpoise.windows import RAW, View

FloatArray = NDArray[np.float64]


_ROUNDINGS: Final = 4 * float(np.finfo(np.float64).eps)
"""Half a unit in the last place for each of two values and their difference, with as much again."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A signal at R heights, each array (R,); NaN where it is undefined.

    The value lies in `low` to `high`, which are equal where the stored integers determine it. `upper` is what the value would be
    were every unknown block made by those it is about; None for a signal without such a bound. `rounding` is how far from the true
    value a difference may lie, because both of its values are doubles; None for a value that is as exact as its integers.
    """

    low: FloatArray
    high: FloatArray
    upper: FloatArray | None = None
    rounding: FloatArray | None = None

    @classmethod
    def exactly(cls, values: FloatArray, upper: FloatArray | None = None) -> Measured:
        """A value that the stored integers determine."""
        return cls(values, values, upper)

    def change(self, blocks: int) -> Measured:
        """The difference to `blocks` heights before; NaN at the first ones. Unknown blocks do not bound a difference."""
        size = len(self.low)
        after = self._part(slice(blocks, None)).minus(self._part(slice(0, max(0, size - blocks))))
        missing = np.full(min(blocks, size), np.nan)
        assert after.rounding is not None  # noqa: S101 - `minus` gives one
        return Measured(
            np.concatenate([missing, after.low]),
            np.concatenate([missing, after.high]),
            rounding=np.concatenate([missing, after.rounding]),
        )

    def minus(self, earlier: Measured) -> Measured:
        """The difference of each value to another one."""
        size, its = (np.maximum(np.abs(one.low), np.abs(one.high)) for one in (self, earlier))
        rounding = _ROUNDINGS * np.maximum(size, its)
        return Measured(self.low - earlier.high, self.high - earlier.low, rounding=rounding)

    def _part(self, at: slice) -> Measured:
        return Measured(self.low[at], self.high[at])


class SwitchWords(NamedTuple):
    """The words of a signal that is 0 or 1, and has no window: each state, where it stands then, and what a reader has to know."""

    off: str
    on: str
    past_off: str
    past_on: str
    note: str


class SignalSubject(NamedTuple):
    """What the SQL of a signal is about: a pool's slug (empty where the signal has none), a view and an attribution set."""

    pool: str = ""
    view: View = RAW
    attribution_id: str = ""


@dataclass(frozen=True, slots=True)
class SignalSql:
    """Expressions over a row of `concentration_log`; `terms` names what they use: term to expression.

    `tables` are further tables with one row for each height of a set, and the columns that the expressions use. `value` and `low`
    are the ends `high` and `low` of `Measured`; `low` is empty where the two are equal.
    """

    value: str
    upper: str = ""
    terms: tuple[tuple[str, str], ...] = ()
    low: str = ""
    tables: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal.

    name       as rules name it
    title      for people, as the subject of a sentence; `{pool}` stands for the pool or entity
    range      the values that it can take
    comment    one sentence without a full stop
    measure    its values at R heights, of the pool with this slug
    sql        the same in SQL
    interval   its 95 % interval at R heights, where it has one
    columns    further columns of `concentration_log` that it needs, or of `detectors_log` by the names of `detector_columns`
    per_pool   whether it is about one pool or entity, which the condition names
    metric     the metric spec whose words it has; None for a signal that is no metric
    switch     its words, where it is 0 or 1 and not about a window
    """

    name: str
    title: str
    unit: Unit
    kind: Kind
    range: Range
    comment: str
    measure: Callable[[WindowCounts, str], Measured]
    sql: Callable[[SignalSubject], SignalSql]
    interval: Callable[[WindowCounts], tuple[FloatArray, FloatArray]] | None = None
    columns: tuple[str, ...] = ()
    per_pool: bool = False
    metric: str | None = None
    switch: SwitchWords | None = None

    def format(self, value: float, lines: Sequence[float] = ()) -> str:
        """A value in its unit, on its side of these lines."""
        if self.switch is not None and value in (0.0, 1.0):
            return self.switch.on if value else self.switch.off
        return TEXT.metric(value, self.kind, self.unit, lines=lines)

    def format_line(self, value: float) -> str:
        """A line as a rules file has it."""
        if self.switch is not None:
            return f"{value:g}"
        return TEXT.metric_line(value, self.kind)

    def format_change(self, value: float, lines: Sequence[float] = ()) -> str:
        """A signed difference of two values: percentage points of a share, else the unit itself.

        >>> from alerts.signals.specs.signal_registry import SIGNALS
        >>> SIGNALS["top4_share"].format_change(0.052), SIGNALS["hhi_10000"].format_change(-120.0)
        ('+5.2 points', '-120')
        """
        if self.kind == "percent":
            return f"{TEXT.points(value, lines=lines)} points"
        return ("+" if value >= 0 else "") + self.format(value, lines)

    def format_change_line(self, value: float) -> str:
        """A line on a difference, with no more decimals than it has."""
        if self.kind == "percent":
            return f"{'-' if value < 0 else ''}{TEXT.points_line(abs(value))} points"
        return self.format_line(value)
