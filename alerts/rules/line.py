"""A line of a condition: one operator and one value. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from alerts.signals.signal import FloatArray

Operator = Literal["above", "at_least", "below", "at_most"]
OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)

_WORDS: Final[dict[Operator, str]] = {"above": "over", "at_least": "at least", "below": "below", "at_most": "at most"}
_COMPARE: Final = {
    "above": np.greater,
    "at_least": np.greater_equal,
    "below": np.less,
    "at_most": np.less_equal,
}

VALUE_WANTED: Final = "a number in the unit of the signal, such as 0.75 of a share or 2500 of points"

LINE_WANTED: Final = "a mapping with one of above, at_least, below and at_most"

LineValue = Annotated[float, Field(strict=True, allow_inf_nan=False)]


def _at_the_line(line: float | FloatArray, values: FloatArray, rounding: FloatArray | None) -> FloatArray:
    """Values that lie within their rounding of the line are the line."""
    return values if rounding is None else np.where(np.abs(values - line) <= rounding, line, values)


@dataclass(frozen=True, slots=True)
class ManyLines:
    """N lines: `operators` are places in `OPERATORS`. It compares N values, each with its own line, or (R, N): R for each."""

    operators: NDArray[np.intp]
    values: FloatArray

    @property
    def rises(self) -> NDArray[np.bool_]:
        """Whether large values pass each."""
        return self.operators < 2

    def passed(self, values: FloatArray, rounding: FloatArray | None = None) -> NDArray[np.bool_]:
        """As `Line.passed`."""
        near = _at_the_line(self.values, values, rounding)
        each = [_COMPARE[operator](near, self.values) for operator in OPERATORS]
        found: NDArray[np.bool_] = np.choose(self.operators, each)
        return found


class Line(BaseModel):
    """Exactly one of the four fields is given; `Condition.unfit` asks for that."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    SCHEMA: ClassVar[dict[str, Any]] = {"minProperties": 1, "maxProperties": 1}

    above: LineValue | None = Field(default=None, description=VALUE_WANTED)
    at_least: LineValue | None = Field(default=None, description=VALUE_WANTED)
    below: LineValue | None = Field(default=None, description=VALUE_WANTED)
    at_most: LineValue | None = Field(default=None, description=VALUE_WANTED)

    @property
    def given(self) -> tuple[Operator, ...]:
        """The operators that the file has."""
        return tuple(name for name in OPERATORS if getattr(self, name) is not None)

    @cached_property
    def operator(self) -> Operator:
        """The operator."""
        return self.given[0]

    @property
    def value(self) -> float:
        """The value beside it."""
        found: float = getattr(self, self.operator)
        return found

    @property
    def rises(self) -> bool:
        """Whether large values pass it."""
        return self.operator in ("above", "at_least")

    @property
    def inclusive(self) -> bool:
        """Whether the value itself passes it."""
        return self.operator in ("at_least", "at_most")

    @property
    def word(self) -> str:
        """Where a value that passes it stands: `over`, `at least`, `below` or `at most`."""
        return _WORDS[self.operator]

    def passed(self, values: FloatArray, rounding: FloatArray | None = None) -> NDArray[np.bool_]:
        """Whether each value passes it; NaN does not. A value within `rounding` of the line is the line.

        A share is the nearest double to its fraction of integers, and so is the line: the comparison is as exact as with integers.
        """
        near = _at_the_line(self.value, values, rounding)
        found: NDArray[np.bool_] = _COMPARE[self.operator](near, self.value)
        return found

    def passes(self, value: float) -> bool:
        """Whether one value passes it."""
        return bool(self.passed(np.array([value]))[0])

    def problem_of_clear(self, clear: Line) -> str:
        """What a clearing line beside it has to be; empty where `clear` is one: on the other side, with no value that passes both."""
        if clear.rises == self.rises:
            ours = "below or at_most" if self.rises else "above or at_least"
            return f"{ours}: it fires {self.word} its line"
        crossed = clear.value > self.value if self.rises else clear.value < self.value
        if crossed or (clear.value == self.value and clear.inclusive and self.inclusive):
            return f"a value not {'over' if self.rises else 'under'} the line ({self.value:g}), so that no value fires and clears"
        return ""

    def with_value(self, value: float) -> Line:
        """The same operator with another value."""
        return Line.model_validate({self.operator: float(value)})
