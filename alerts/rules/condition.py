"""A condition on one signal: where it stands at each height, its words, and the SQL of its value.

Pure, but for one thing: a pool's name is compared with the shipped attribution, which is read from the package once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Annotated, Final, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from alerts.rules.line import LINE_WANTED, Line
from alerts.rules.names import nearest
from alerts.rules.rule import Reading, Unfit
from alerts.rules.verdict import BoolArray, Verdict
from alerts.signals.signal import FloatArray, Measured, Signal, SignalSubject
from alerts.signals.specs.signal_registry import SIGNALS
from alerts.signals.window_counts import WindowCounts, WindowPlace
from counterpoise.formats import TEXT, noun
from counterpoise.metrics.spec import Range
from counterpoise.pools.attribution_set import AttributionSet

MAX_CHANGE_BLOCKS: Final = 60_000
"""The longest change: a year of bitcoin blocks and some."""

SIGNAL_WANTED: Final = "a signal of docs/rules.md, such as hhi_10000 or unknown_share"


class Condition(BaseModel):
    """A signal past a line. Without a clearing line it clears where it is not past the line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    signal: Annotated[str, Field(strict=True, max_length=64)] = Field(
        default="", description=SIGNAL_WANTED, json_schema_extra={"enum": list(SIGNALS)}
    )
    pool: Annotated[str, Field(strict=True, pattern=r"^([a-z0-9][a-z0-9._-]{0,63})?$")] = Field(
        default="", description="the slug of a pool, or of an entity under the view entity"
    )
    change_blocks: int = Field(
        default=0,
        strict=True,
        ge=0,
        le=MAX_CHANGE_BLOCKS,
        description=f"a whole number of blocks, 0…{MAX_CHANGE_BLOCKS}: judges the change over so many blocks",
    )
    fire: Line | None = Field(default=None, description=LINE_WANTED)
    clear: Line | None = Field(default=None, description=LINE_WANTED)

    @property
    def source(self) -> Signal:
        """The signal."""
        return SIGNALS[self.signal]

    @property
    def line(self) -> Line:
        """The line at which it fires."""
        assert self.fire is not None  # noqa: S101 - `unfit` asks for it
        return self.fire

    @property
    def range(self) -> Range:
        """The values that it can take: for a change, both ways."""
        found = self.source.range
        span = found.high - found.low
        return Range(-span, span) if self.change_blocks else found

    @property
    def key(self) -> str:
        """Its signal with pool and change, as evidence names what a value is: `hhi_10000`, `pool_share antpool change 144`."""
        change = f" change {self.change_blocks}" if self.change_blocks else ""
        return f"{self.signal}{f' {self.pool}' if self.pool else ''}{change}"

    # What does not fit together.

    def unfit(self) -> Iterator[Unfit]:
        """What is wrong with its fields, each named from here."""
        if self.signal not in SIGNALS:
            yield Unfit("signal", self.signal or None, SIGNAL_WANTED, among=tuple(SIGNALS))
            return
        if self.source.per_pool and not self.pool:
            yield Unfit("pool", None, "the slug of a pool, or of an entity under the view entity", ("signal",))
        elif self.pool and not self.source.per_pool:
            yield Unfit("pool", self.pool, f"nothing: {self.signal} is about all pools", ("signal",))
        elif self.pool and self.pool not in _slugs():
            yield from _near_miss(self.pool)
        wrong = [name for name in ("fire", "clear") if (line := getattr(self, name)) and len(line.given) != 1]
        for name in wrong:
            yield Unfit(name, getattr(self, name).model_dump(exclude_none=True), LINE_WANTED)
        if self.fire is None:
            yield Unfit("fire", None, LINE_WANTED)
        elif not wrong:
            yield from self._unfit_lines()

    def _unfit_lines(self) -> Iterator[Unfit]:
        fire, clear, bounds = self.line, self.clear, self.range
        outside = False
        for name, line in (("fire", fire), ("clear", clear)):
            if line is not None and not bounds.low <= line.value <= bounds.high:
                outside = True
                expected = f"a value in the range of {self.signal}, {bounds}"
                yield Unfit(f"{name}.{line.operator}", line.value, expected, ("signal",))
        if outside:
            return
        end = bounds.high if fire.rises else bounds.low
        if fire.value == end and not fire.inclusive:
            never = f"a line that {self.signal} can pass: no value is {fire.word} {self.format_line(end)}"
            yield Unfit(f"fire.{fire.operator}", fire.value, never, ("signal",))
        if self.source.switch is not None:
            yield from self._unfit_switch()
        if clear is None:
            return
        problem = fire.problem_of_clear(clear)
        if problem:
            yield Unfit(f"clear.{clear.operator}", clear.value, problem, ("fire",))

    def _unfit_switch(self) -> Iterator[Unfit]:
        """A signal that is 0 or 1 has lines between the two, and no change."""
        if self.change_blocks:
            yield Unfit("change_blocks", self.change_blocks, f"nothing: {self.signal} is 0 or 1", ("signal",))
        for name, line in (("fire", self.fire), ("clear", self.clear)):
            if line is not None and line.passes(0.0) == line.passes(1.0):
                expected = f"a line between 0 and 1, the values of {self.signal}, such as at_least 1"
                yield Unfit(f"{name}.{line.operator}", line.value, expected, ("signal",))

    # Where it stands.

    def measured(self, series: WindowCounts) -> Measured:
        """The signal at each height; its change, where that is judged."""
        found = self.source.measure(series, self.pool)
        return found.change(self.change_blocks) if self.change_blocks else found

    def verdict(self, series: WindowCounts, judged: BoolArray | None = None) -> Verdict:
        """Where it stands at each height of its series; `judged`: whether a height is judged at all (a full window, if not given)."""
        known = (series.window_full & (series.n > 0)) if judged is None else judged.copy()
        if self.change_blocks:
            known &= _earlier(known, self.change_blocks)
        return judged_by_lines(self.line, self.clear, self.measured(series), known)

    def reading(self, series: WindowCounts, at: int) -> Reading:
        """The value at row `at` of its series with its bounds, NaN where it is undefined; `words` is the value alone."""
        part = series.part(slice(max(0, at - self.change_blocks), at + 1))
        measured, last = self.measured(part), len(part) - 1
        words = self.value_words(measured, last)
        interval: tuple[float | None, float | None] = (None, None)
        if self.source.interval is not None and not self.change_blocks:
            low, high = (float(end[last]) for end in self.source.interval(part))
            if math.isfinite(low) and math.isfinite(high):
                interval = low, high
                words += f" (95 % interval {self.format(low)} to {self.format(high)})"
        upper = None if measured.upper is None else float(measured.upper[last])
        low_end = None if upper is None else float(measured.low[last])
        return Reading(float(measured.high[last]), self.line.value, low_end, upper, *interval, words)

    # Its words.

    @property
    def title(self) -> str:
        """The signal as the subject of a sentence."""
        title = self.source.title.replace("{pool}", self.pool)
        return (
            f"change of {title} in {self.change_blocks:,} {noun(self.change_blocks, 'block')}"
            if self.change_blocks
            else title
        )

    @property
    def is_share(self) -> bool:
        """Whether a value is a share, neither the change of one nor a state."""
        return self.source.kind == "percent" and not self.change_blocks and self.source.switch is None

    @property
    def lines(self) -> tuple[float, ...]:
        """The values of the lines that it has."""
        return tuple(line.value for line in (self.fire, self.clear) if line is not None)

    def format(self, value: float, lines: Sequence[float] = ()) -> str:
        """A value in its unit, on its side of the condition's lines and of these."""
        if not math.isfinite(value):
            return TEXT.missing
        write = self.source.format_change if self.change_blocks else self.source.format
        return write(value, (*self.lines, *lines))

    def format_line(self, value: float) -> str:
        """A line as the rules file has it."""
        return self.source.format_change_line(value) if self.change_blocks else self.source.format_line(value)

    def breach(self) -> str:
        """`over 2,500`."""
        switch = self.source.switch
        if switch is not None:
            return switch.past_on if self.line.passes(1.0) else switch.past_off
        return f"{self.line.word} {self.format_line(self.line.value)}"

    def cleared(self) -> str:
        """Where the value stands when it clears: `below 2,400`, `no longer over 2,500`."""
        switch = self.source.switch
        if switch is not None:
            return switch.past_off if self.line.passes(1.0) else switch.past_on
        if self.clear is None:
            return f"no longer {self.breach()}"
        return f"{self.clear.word} {self.format_line(self.clear.value)}"

    def described(self, place: WindowPlace) -> str:
        """`HHI in points of 1008 blocks (raw) over 2,500`."""
        of = "" if self.source.switch is not None else "of "
        return f"{self.title} {of}{self.window_words(place)} {self.breach()}"

    def window_words(self, place: WindowPlace) -> str:
        """`1008 blocks (raw)`; `(raw)` for a signal that is not about a window."""
        return place.words if self.source.switch is None else f"({place.view})"

    def stated(self, value: str, n: int, view: str, chain_word: str) -> str:
        """`HHI in points over the last 1,008 blocks is 2,570`."""
        by = "" if view == "raw" else " by entity"
        if self.source.switch is not None:
            return f"the {chain_word}{self.title}{by} is {value} ({self.source.switch.note})"
        return f"{self.title}{by} over the last {n:,} {chain_word}blocks is {value}"

    def value_of_window(self, value: str, n: int) -> str:
        """A value with what it is of, for a list of facts."""
        switch = self.source.switch
        return f"{value} over {n:,} blocks" if switch is None else f"{value}: {switch.note}"

    def value_words(self, measured: Measured, at: int = 0) -> str:
        """The value at one height; `at most` where the stored integers only bound it."""
        low, high = float(measured.low[at]), float(measured.high[at])
        if not (math.isfinite(low) and math.isfinite(high)):
            return "not known"
        if low == high:
            return self.format(high)
        return f"{self.format(low)} to {self.format(high)}" if self.change_blocks else f"at most {self.format(high)}"

    def value_sql(self, subject: SignalSubject) -> str:
        """The expression of the signal's value, not of its change."""
        return self.source.sql(subject).value


@cache
def condition_of(key: str) -> Condition | None:
    """A condition whose `key` it is, for its words; None where there is no such signal.

    >>> condition_of("hhi_10000 change 1008").title, condition_of("") is None
    ('change of HHI in points in 1,008 blocks', True)
    """
    head, _, change = key.partition(" change ")
    signal, _, pool = head.partition(" ")
    if signal not in SIGNALS:
        return None
    return Condition(signal=signal, pool=pool, change_blocks=int(change or 0))


class PassesLines(Protocol):
    """One line, or one for each value."""

    @property
    def rises(self) -> bool | BoolArray: ...

    def passed(self, values: FloatArray, rounding: FloatArray | None = None) -> BoolArray: ...


def judged_by_lines(fire: PassesLines, clear: PassesLines | None, found: Measured, known: BoolArray) -> Verdict:
    """Where measured values stand to their lines."""
    fires = _agreed(fire, found)
    clears = (fires[0], ~fires[1]) if clear is None else _agreed(clear, found)
    known = known & np.isfinite(found.low) & np.isfinite(found.high) & fires[0]
    possible = np.zeros(known.shape, np.bool_)
    if found.upper is not None:
        possible = fire.passed(found.upper) & fire.rises
    return Verdict.of(known, fires[1], possible, clears[0] & clears[1])


def _agreed(line: PassesLines, found: Measured) -> tuple[BoolArray, BoolArray]:
    """Whether both ends of the value give one answer, and the answer."""
    low, high = line.passed(found.low, found.rounding), line.passed(found.high, found.rounding)
    return low == high, low & high


def _earlier(flags: BoolArray, blocks: int) -> BoolArray:
    found = np.zeros(len(flags), np.bool_)
    found[blocks:] = flags[:-blocks]
    return found


@cache
def _slugs() -> frozenset[str]:
    """Pools and entities of the shipped attribution."""
    return frozenset(slug for slug, _ in AttributionSet.default().entity_table.names.values())


def _near_miss(slug: str) -> Iterator[Unfit]:
    """A slug that looks like a shipped one. Another one may be of a registry of one's own."""
    if nearest(slug, sorted(_slugs())):
        yield Unfit(
            "pool", slug, "the slug of a pool or entity (`counterpoise pools list`)", among=tuple(sorted(_slugs()))
        )
