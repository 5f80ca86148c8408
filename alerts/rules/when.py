"""`when`: one condition on a signal, or all or any of several."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationInfo, WithJsonSchema

from alerts.rules.condition import Condition
from alerts.rules.conditional_rule import ConditionalRule, Joint, PlacedCondition
from alerts.rules.line import LINE_WANTED, Line
from alerts.rules.rule import LEADERS_ADVICE, Share, Unfit, exact, parse_duration
from alerts.rules.verdict import BoolArray, NoData
from alerts.signals.levels import LevelArray
from alerts.signals.window_counts import WindowCounts
from counterpoise.chain.chain_registry import BITCOIN, CHAINS
from counterpoise.formats import counted
from counterpoise.windows import WINDOWS_BLOCKS

MAX_CONDITIONS: Final = 8
MAX_HOLD_BLOCKS: Final = 100_000
HOLD_WANTED: Final = f"a whole number of blocks, 0…{MAX_HOLD_BLOCKS}, or a duration such as 6h"


class Hold(int):
    """A number of blocks. `seconds` is the duration that the file has in its place, which on another chain is other blocks."""

    seconds: int | None = None


def blocks_in(seconds: int, chain: str) -> Hold:
    """The blocks that a chain aims at in a time, rounded up."""
    found = Hold(math.ceil(seconds / CHAINS.get(chain, BITCOIN).block_spacing_seconds))
    found.seconds = seconds
    return found


def _hold(value: object, info: ValidationInfo) -> Hold:
    if isinstance(value, Hold):
        return value
    found = Hold(-1)
    if isinstance(value, str):
        found = blocks_in(parse_duration(value), info.data.get("chain", BITCOIN.name))
    elif isinstance(value, int) and not isinstance(value, bool):
        found = Hold(value)
    if not 0 <= found <= MAX_HOLD_BLOCKS:
        raise ValueError("not a hold")
    return found


_HOLD_SCHEMA: Final = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": MAX_HOLD_BLOCKS},
        {"type": "string", "pattern": r"^\s*0*[1-9]\d{0,5}\s?[smhd]\s*$"},
    ]
}
HoldBlocks = Annotated[int, PlainValidator(_hold), WithJsonSchema(_HOLD_SCHEMA)]


class When(Condition):
    """One condition, or `all` or `any` of several."""

    all: tuple[PlacedCondition, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_CONDITIONS,
        strict=False,
        description=f"a list of 1…{MAX_CONDITIONS} conditions that all have to hold",
    )
    any: tuple[PlacedCondition, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_CONDITIONS,
        strict=False,
        description=f"a list of 1…{MAX_CONDITIONS} conditions of which one has to hold",
    )


class WhenRule(ConditionalRule):
    """Fires while a signal is past its line, or while all or any of several conditions hold.

    `fire` and `clear` stand in the condition, or for a single condition beside `when`. A window without data ends what is pending and
    leaves what fires (`no_data: ignore`), leaves both (`keep`), or counts as past the line (`fire`). There is no data in a window
    that is not full, or with `min_samples` in one of fewer blocks; in one of which more than `max_unknown` are unknown; and where the
    signal is undefined.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    advice: ClassVar[str] = LEADERS_ADVICE

    type: Literal["when"] = "when"
    when: When = Field(description="a mapping with `signal`, or with a list `all` or `any` of such mappings")
    fire: Line | None = Field(default=None, description=LINE_WANTED)
    clear: Line | None = Field(default=None, description=LINE_WANTED)
    for_blocks: HoldBlocks = Field(default=0, alias="for", description=HOLD_WANTED, validate_default=True)
    keep_firing_for: HoldBlocks = Field(default=0, description=HOLD_WANTED, validate_default=True)
    min_samples: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=max(WINDOWS_BLOCKS),
        description=f"a whole number of blocks, 1…{max(WINDOWS_BLOCKS)}",
    )
    max_unknown: Share | None = Field(
        default=None, description="a share above 0 and below 1 with at most 6 decimals, such as 0.1"
    )
    no_data: NoData = Field(default="ignore", description="ignore, fire or keep")

    # What does not fit together.

    def unfit(self) -> tuple[Unfit, ...]:
        found = [*self._unfit_shape()]
        if not found:
            prefixes = ["when"] if self.is_single else [f"when.{self.joint}.{at}" for at in range(len(self._parts()))]
            for prefix, condition in zip(prefixes, self.conditions, strict=True):
                for one in condition.unfit():
                    beside_when = one.field.partition(".")[0] in ("fire", "clear") and self.is_single
                    here = beside_when and getattr(self.when, one.field.partition(".")[0]) is None
                    yield_field = one.field if here else f"{prefix}.{one.field}"
                    found.append(one._replace(field=yield_field))
        return (*found, *super().unfit())

    def _unfit_shape(self) -> Iterator[Unfit]:
        given = [name for name in ("signal", "all", "any") if getattr(self.when, name)]
        if len(given) != 1:
            wanted = "one of signal, all and any"
            yield Unfit("when", ", ".join(given) or None, wanted)
            return
        if not self.is_single:
            for name in ("pool", "change_blocks", "fire", "clear"):
                if getattr(self.when, name):
                    yield Unfit(
                        f"when.{name}",
                        getattr(self.when, name),
                        f"nothing: it belongs into a condition of `{self.joint}`",
                    )
            for name in ("fire", "clear"):
                if getattr(self, name):
                    yield Unfit(
                        name, _plain(getattr(self, name)), f"nothing: it belongs into each condition of `{self.joint}`"
                    )
            return
        for name in ("fire", "clear"):
            if getattr(self, name) and getattr(self.when, name):
                yield Unfit(
                    f"when.{name}", _plain(getattr(self.when, name)), f"nothing: the rule has `{name}`", (name,)
                )

    # Its parts.

    @property
    def is_single(self) -> bool:
        return self.when.all is None and self.when.any is None

    @property
    def joint(self) -> Joint:
        return "any" if self.when.any is not None else "all"

    def _parts(self) -> tuple[PlacedCondition, ...]:
        return self.when.all or self.when.any or ()

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        if not self.is_single:
            return self._parts()
        lines = {"fire": self.when.fire or self.fire, "clear": self.when.clear or self.clear}
        return (self.when.model_copy(update=lines),)

    @property
    def lookback_blocks(self) -> int:
        return super().lookback_blocks + self.keep_firing_for

    def on_chain(self, chain: str) -> Self:
        """With the chain's blocks in a hold that is a duration."""
        holds = {
            name: blocks_in(hold.seconds, chain)
            for name in ("for_blocks", "keep_firing_for")
            if isinstance(hold := getattr(self, name), Hold) and hold.seconds is not None
        }
        return super().on_chain(chain).model_copy(update=holds)

    def varied(self, *, line: float | None = None, hold: int | None = None, clear: float | None = None) -> Self | None:
        hold_blocks = self.for_blocks if hold is None else Hold(hold)
        if line is None and clear is None:
            return self.model_copy(update={"for_blocks": hold_blocks})
        if not self.is_single:
            return None
        main = self.main
        if clear is not None and main.clear is None:
            return None
        lines = {
            "fire": main.line if line is None else main.line.with_value(line),
            "clear": main.clear if clear is None or main.clear is None else main.clear.with_value(clear),
        }
        bare = self.when.model_copy(update={"fire": None, "clear": None})
        return self.model_copy(update={**lines, "when": bare, "for_blocks": hold_blocks})

    # Where it stands.

    def levels(self, series: WindowCounts) -> LevelArray:
        return self.verdict(series).levels(self.no_data, self.keep_firing_for)

    def judged(self, series: WindowCounts) -> BoolArray:
        full = series.window_full if self.min_samples is None else series.n >= self.min_samples
        judged: BoolArray = full & (series.n > 0)
        if self.max_unknown is not None:
            limit = exact(self.max_unknown)
            judged = judged & (series.unknown * limit.denominator <= limit.numerator * series.n)
        return judged

    def condition(self) -> str:
        kept = f", kept firing for {counted(self.keep_firing_for, 'block')}" if self.keep_firing_for else ""
        return f"{super().condition()}{kept}"


def _plain(value: Any) -> Any:
    return value.model_dump(exclude_none=True) if isinstance(value, BaseModel) else value
