"""What a unit test of a rule is: inputs, and what is expected at some positions. Positions count from 1. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from alerts.rule_tests.notation import Item, parse_series
from alerts.rules.rule import DurationSeconds

State = Literal["inactive", "possible", "pending", "firing"]
Sent = Literal["nothing", "firing", "resolved", "retracted", "error", "inactive"]
_RANGE: Final = re.compile(r"([1-9]\d{0,5})-([1-9]\d{0,5})")

_CLOSED: Final = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _span(value: Any) -> tuple[int, int]:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value, value
    found = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[1]) > int(found[2]):
        raise ValueError("expected a position such as 12, or a range such as 12-40, counted from 1")
    return int(found[1]), int(found[2])


def _series(value: Any) -> tuple[Item, ...]:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("expected a series such as 74x10 76x40 70..78x9")
    return parse_series(str(value))


def _texts(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


ItemSeries = Annotated[tuple[Item, ...], BeforeValidator(_series)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]


class Expectation(BaseModel):
    """What holds at a position, or at each one of a range.

    `sent` is what is sent there, `nothing` for no message. `message` are texts that the message contains; it is then sent once.
    """

    model_config = _CLOSED

    at: Annotated[tuple[int, int], BeforeValidator(_span)]
    state: State | None = None
    sent: Sent | None = None
    message: Texts = ()

    @model_validator(mode="after")
    def _expects_something(self) -> Expectation:
        if self.state is None and self.sent is None and not self.message:
            raise ValueError("expected `state`, `sent` or `message` beside `at`")
        return self


class Reorganisation(BaseModel):
    """From position `at` on another branch replaces the blocks. `expect` is about that branch, and what is sent because of it."""

    model_config = _CLOSED

    at: Annotated[int, Field(strict=True, ge=2)]
    values: ItemSeries
    expect: Annotated[tuple[Expectation, ...], Field(min_length=1, strict=False)]


class RuleTest(BaseModel):
    """One test of one rule: `values` for a rule on concentration, `inputs` for a rule on a timer."""

    model_config = _CLOSED

    rule: str
    name: str = ""
    chain: str = ""
    values: ItemSeries = ()
    inputs: dict[str, ItemSeries] = Field(default_factory=dict)
    every: DurationSeconds | None = None
    expect: Annotated[tuple[Expectation, ...], Field(min_length=1, strict=False)]
    reorg: Reorganisation | None = None


class RuleTestFile(BaseModel):
    """A whole file. `rules` is the path of the rules file from the folder of this one; the shipped rules if left out."""

    model_config = _CLOSED

    version: Literal[1]
    rules: str = ""
    tests: Annotated[tuple[RuleTest, ...], Field(min_length=1, strict=False)]
