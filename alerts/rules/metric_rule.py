"""`metric`: any metric of pool concentration past a line, in either direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from alerts.rules.condition import Condition
from alerts.rules.conditional_rule import ConditionalRule
from alerts.rules.line import Line as ConditionLine
from alerts.rules.rule import LEADERS_ADVICE, Unfit
from counterpoise.contracts.base import Slug
from counterpoise.metrics.spec import MetricSpec
from counterpoise.metrics.specs.metric_registry import SPECS

Line = Annotated[float, Field(strict=True, allow_inf_nan=False)]

_LINE_WANTED = "a number in the unit of the metric, such as 0.75 of a share or 2500 of points"


class MetricRule(ConditionalRule):
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

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """The metric past its line, as type `when` has it."""
        clear = None
        if self.clear_line is not None:
            clear = ConditionLine(**{"below" if self.rises else "above": self.clear_line})
        fire = ConditionLine(**{"above" if self.rises else "below": self.line})
        return (Condition(signal=self.metric, fire=fire, clear=clear),)

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
