"""`metric`: any metric of pool concentration past a line, in either direction."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from alerts.rules.rule import LEADERS_ADVICE, HeightRule, Reading, Unfit
from alerts.signals.levels import LevelArray, levels
from alerts.signals.window_counts import WindowCounts
from counterpoise.contracts.base import Slug
from counterpoise.contracts.scores import WindowScore
from counterpoise.formats import TEXT
from counterpoise.metrics.spec import MetricSpec
from counterpoise.metrics.specs.registry import SPECS
from counterpoise.metrics.sql_terms import SQL_TERMS, terms_of

Line = Annotated[float, Field(strict=True, allow_inf_nan=False)]

_LINE_WANTED = "a number in the unit of the metric, such as 0.75 of a share or 2500 of points"


class MetricRule(HeightRule):
    """Over while the metric is above `above`, strictly; clears below `clear_below`, strictly. Or, for what is worse when it is
    low: over while it is below `below`, and clears above `clear_above`. Without a clearing line it clears where it is not over.

    Possible while only the metric's upper bound is over the line, where its spec names one. A window that is not full, and one
    for which the metric is undefined (NaN, or a value outside its range), are not judged.
    """

    advice: ClassVar[str] = LEADERS_ADVICE

    SCHEMA: ClassVar[Mapping[str, Any]] = {
        "oneOf": [
            {"required": ["above"], "properties": {"below": {"type": "null"}, "clear_above": {"type": "null"}}},
            {"required": ["below"], "properties": {"above": {"type": "null"}, "clear_below": {"type": "null"}}},
        ]
    }

    type: Literal["metric"] = "metric"
    metric: Slug = Field(
        description="a metric of docs/methodology.md, such as hhi_10000", json_schema_extra={"enum": list(SPECS)}
    )
    above: Line | None = Field(default=None, description=_LINE_WANTED)
    clear_below: Line | None = Field(default=None, description=_LINE_WANTED)
    below: Line | None = Field(default=None, description=_LINE_WANTED)
    clear_above: Line | None = Field(default=None, description=_LINE_WANTED)

    def unfit(self) -> tuple[Unfit, ...]:
        found = []
        if self.metric not in SPECS:
            expected = f"a metric of docs/methodology.md: {', '.join(SPECS)}"
            found.append(Unfit("metric", self.metric, expected, among=tuple(SPECS)))
        if (self.above is None) == (self.below is None):
            both = "either `above` or `below`, one of the two"
            found.append(Unfit("above", self.above, both, ("below",)))
        elif self.metric in SPECS:
            found += self._unfit_lines()
        return (*found, *super().unfit())

    def _unfit_lines(self) -> Iterator[Unfit]:
        """Lines that the metric cannot pass, and a clearing line on the wrong side."""
        side, ours, theirs = ("above", "clear_below", "clear_above")
        if not self.rises:
            side, ours, theirs = ("below", "clear_above", "clear_below")
        if getattr(self, theirs) is not None:
            nothing = f"nothing: beside `{side}` the clearing line is `{ours}`"
            yield Unfit(theirs, getattr(self, theirs), nothing, (side,))
        bounds = self.spec.range
        outside: set[str] = set()
        for name in (side, ours):
            value = getattr(self, name)
            if value is not None and not bounds.low <= value <= bounds.high:
                outside.add(name)
                yield Unfit(name, value, f"a value in the range of {self.metric}, {bounds}", ("metric",))
        end = bounds.high if self.rises else bounds.low
        if side not in outside and self.line == end:
            never = f"a line that {self.metric} can pass: no value is {self.over} {self.format_line(end)}"
            yield Unfit(side, self.line, never, ("metric",))
        clear = self.clear_line
        if clear is not None and not outside and ((clear > self.line) if self.rises else (clear < self.line)):
            limit = "not over `above`" if self.rises else "not under `below`"
            yield Unfit(ours, clear, f"a value {limit} ({self.line:g})", (side,))

    @property
    def spec(self) -> MetricSpec:
        """The metric."""
        return SPECS[self.metric]

    @property
    def rises(self) -> bool:
        """Whether it fires above its line, not below."""
        return self.above is not None

    @property
    def line(self) -> float:
        """The line at which it fires."""
        line = self.above if self.above is not None else self.below
        assert line is not None  # noqa: S101 - `unfit` asks for one of the two
        return line

    @property
    def clear_line(self) -> float | None:
        """The line at which it clears, where one was given."""
        return self.clear_below if self.rises else self.clear_above

    @property
    def over(self) -> str:
        return "over" if self.rises else "below"

    @property
    def lines(self) -> tuple[float, float | None]:
        return self.line, self.clear_line

    def cleared(self) -> str:
        if self.clear_line is None:
            return f"no longer {self.over} {self.format_line(self.line)}"
        return f"{'below' if self.rises else 'over'} {self.format_line(self.clear_line)}"

    @property
    def metric_name(self) -> str:
        return self.metric

    @property
    def further_columns(self) -> tuple[str, ...]:
        spec = self.spec
        names = [spec.name, *(() if spec.upper is None else (spec.upper,)), *(spec.interval or ())]
        needed = dict.fromkeys(column for name in names for column in SPECS[name].inputs)
        return tuple(column for column in needed if column not in WindowScore.NAMED)

    def condition(self) -> str:
        hold = f" for {self.for_blocks} blocks" if self.for_blocks else ""
        subject = f"{self.spec.title} of {self.window_blocks} blocks ({self.view})"
        clear = "" if self.clear_line is None else f", clear {self.cleared()}"
        return f"{subject} {self.over} {self.format_line(self.line)}{hold}{clear}"

    def values(self, series: WindowCounts, name: str | None = None) -> NDArray[np.float64]:
        """The metric, or another one by name, at each height; NaN where it is undefined."""
        spec = SPECS[name or self.metric]
        found: NDArray[np.float64] = np.asarray(spec.compute(series.integers()), np.float64)
        return np.where((found >= spec.range.low) & (found <= spec.range.high), found, np.nan)

    def levels(self, series: WindowCounts) -> LevelArray:
        value = self.values(series)
        judged = series.window_full & (series.n > 0) & np.isfinite(value)
        line, clear = self.line, self.clear_line
        if not self.rises:
            never = np.zeros(len(series), np.bool_)
            return levels(value < line, never, value >= line if clear is None else value > clear, judged)
        bound = value if self.spec.upper is None else self.values(series, self.spec.upper)
        return levels(value > line, bound > line, value <= line if clear is None else value < clear, judged)

    def reading(self, series: WindowCounts, at: int) -> Reading | None:
        part = series.part(slice(at, at + 1))

        def one(name: str | None) -> float | None:
            value = math.nan if name is None else float(self.values(part, name)[0])
            return value if math.isfinite(value) else None

        value, upper = one(self.metric), one(self.spec.upper)
        if value is None:
            return None
        low, high = self.spec.interval or (None, None)
        return Reading(value, self.line, None if upper is None else value, upper, one(low), one(high))

    def statement(self, reading: Reading, n: int) -> str:
        interval = ""
        if reading.interval_low is not None and reading.interval_high is not None:
            low, high = (self.format_value(bound) for bound in (reading.interval_low, reading.interval_high))
            interval = f" (95 % interval {low} to {high})"
        by = "" if self.view == "raw" else " by entity"
        return f"{self.spec.title}{by} over the last {n:,} {self.chain_word}blocks is {self.format_value(reading.value)}{interval}"

    def format_value(self, value: float) -> str:
        return TEXT.metric(value, self.spec.kind, self.spec.unit)

    def format_line(self, value: float) -> str:
        return TEXT.metric_line(value, self.spec.kind)

    def value_sql(self) -> str:
        return self.spec.sql

    def terms_sql(self) -> str:
        terms = terms_of([self.spec.sql, *([SPECS[self.spec.upper].sql] if self.spec.upper else [])])
        return f"WITH {', '.join(f'{SQL_TERMS[term]} AS {term}' for term in terms)} " if terms else ""

    def bounds_sql(self) -> str:
        return f", {SPECS[self.spec.upper].sql} AS value_high" if self.spec.upper else ""
