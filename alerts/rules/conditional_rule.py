"""A rule that follows from conditions on signals: where it stands, its words and its SQL. Pure."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from alerts.rules.condition import Condition
from alerts.rules.rule import WINDOWS_TEXT, HeightRule, Reading, WindowBlocks
from alerts.rules.verdict import BoolArray, Verdict, all_of, any_of
from alerts.rules.when_sql import reproducing_sql
from alerts.signals.levels import LevelArray
from alerts.signals.signal import Measured, SignalSubject
from alerts.signals.window_counts import WindowCounts, WindowPlace
from counterpoise.formats import counted
from counterpoise.windows import WINDOWS_BLOCKS, View

Joint = Literal["all", "any"]


class PlacedCondition(Condition):
    """One of several conditions. It may judge another window, or the other view, of the same blocks."""

    view: View | None = Field(default=None, description="raw or entity; that of the rule if left out")
    window_blocks: WindowBlocks | None = Field(
        default=None,
        description=f"one of {WINDOWS_TEXT}; that of the rule if left out",
        json_schema_extra={"enum": [*WINDOWS_BLOCKS, None]},
    )


class ConditionalRule(HeightRule):
    """A rule that fires while its condition holds, or all or any of several."""

    @property
    @abstractmethod
    def conditions(self) -> tuple[Condition, ...]:
        """Its conditions; the value of the first one is the value of the rule."""

    @property
    def is_single(self) -> bool:
        """Whether it has one condition that stands alone."""
        return True

    @property
    def joint(self) -> Joint:
        """Whether all of its conditions have to hold or any, where it has several."""
        return "all"

    @property
    def main(self) -> Condition:
        """The first condition."""
        return self.conditions[0]

    @property
    def rises(self) -> bool | None:
        return self.main.line.rises

    def place_of(self, condition: Condition) -> WindowPlace:
        """The window that a condition judges."""
        if not isinstance(condition, PlacedCondition):
            return self._place
        return WindowPlace(condition.view or self.view, condition.window_blocks or self.window_blocks)

    @property
    def _place(self) -> WindowPlace:
        return WindowPlace(self.view, self.window_blocks)

    @property
    def beside(self) -> tuple[WindowPlace, ...]:
        return tuple(dict.fromkeys(place for one in self.conditions if (place := self.place_of(one)) != self._place))

    @property
    def lookback_blocks(self) -> int:
        return max(one.change_blocks for one in self.conditions)

    @property
    def further_columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(column for one in self.conditions for column in one.source.columns))

    # Where it stands.

    def judged(self, series: WindowCounts) -> BoolArray:
        """Whether the window at each height is judged at all."""
        judged: BoolArray = series.window_full & (series.n > 0)
        return judged

    def verdict(self, series: WindowCounts) -> Verdict:
        """Where its conditions together stand at each height."""
        verdicts = [one.verdict(of := self._series(one, series), self.judged(of)) for one in self.conditions]
        return verdicts[0] if self.is_single else all_of(verdicts) if self.joint == "all" else any_of(verdicts)

    def levels(self, series: WindowCounts) -> LevelArray:
        return self.verdict(series).levels()

    def _series(self, condition: Condition, series: WindowCounts) -> WindowCounts:
        place = self.place_of(condition)
        return series if place == self._place else series.beside[place]

    def main_measured(self, series: WindowCounts) -> Measured:
        """The signal of the first condition at each height."""
        return self.main.measured(self._series(self.main, series))

    def values(self, series: WindowCounts) -> NDArray[np.float64]:
        return self.main_measured(series).high

    def reading(self, series: WindowCounts, at: int) -> Reading | None:
        """That of the first condition, NaN where only another one has a value; the words have all of them."""
        placed = [(one, self._series(one, series)) for one in self.conditions]
        found = [one.reading(whole, at) for one, whole in placed]
        if not any(math.isfinite(one.value) for one in found):
            return None
        stated = [
            one.stated(reading.words, int(whole.n[at]), self.place_of(one).view, self.chain_word)
            for (one, whole), reading in zip(placed, found, strict=True)
        ]
        return replace(found[0], words=", ".join(stated))

    # Its words.

    @property
    def metric_name(self) -> str:
        return self.main.key

    @property
    def over(self) -> str:
        return self.main.line.word

    @property
    def lines(self) -> tuple[float, float | None]:
        return self.main.line.value, None if self.main.clear is None else self.main.clear.value

    def condition(self) -> str:
        described = [one.described(self.place_of(one)) for one in self.conditions]
        alone = len(described) == 1
        hold = f" for {counted(self.for_blocks, 'block')}" if self.for_blocks else ""
        text = described[0] if alone else f" {'and' if self.joint == 'all' else 'or'} ".join(described)
        if alone and self.main.clear is not None:
            hold += f", clear {self.main.cleared()}"
        return f"{text}{hold}"

    def breach(self, reading: Reading) -> str:
        if len(self.conditions) == 1:
            return self.main.breach()
        return f"with {'all' if self.joint == 'all' else 'one'} of {len(self.conditions)} conditions met"

    def cleared(self) -> str:
        if len(self.conditions) == 1:
            return self.main.cleared()
        return f"no longer with {'all' if self.joint == 'all' else 'any'} of {len(self.conditions)} conditions met"

    def statement(self, reading: Reading, n: int) -> str:
        return reading.words

    def format_value(self, value: float, *beside: float) -> str:
        return self.main.format(value, beside)

    def format_line(self, value: float) -> str:
        return self.main.format_line(value)

    # Its SQL.

    def value_sql(self) -> str:
        return self.main.value_sql(SignalSubject(self.main.pool, self.view))

    def reproducing_sql(self, attribution_id: str, height: int) -> str:
        placed = [(one, self.place_of(one)) for one in self.conditions]
        return reproducing_sql(placed, self.chain, attribution_id, height)
