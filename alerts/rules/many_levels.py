"""The levels of many rules at one height or a few, in arrays: each signal is measured once for all windows and heights, and all
lines are compared at once.

Several conditions of a rule are compared beside each other, and their verdicts joined. A rule that is no condition on signals is
judged alone. Pure.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from alerts.rules.condition import Condition, judged_by_lines
from alerts.rules.conditional_rule import ConditionalRule, Joint
from alerts.rules.line import OPERATORS, Line, ManyLines, Operator
from alerts.rules.rule import HeightRule
from alerts.rules.top_share_rule import TopShareRule
from alerts.rules.verdict import NO_DATA_LEVELS, NoData, Verdict
from alerts.rules.when import WhenRule
from alerts.signals.levels import LevelArray
from alerts.signals.signal import Measured, Signal
from alerts.signals.specs.signal_registry import SIGNALS
from alerts.signals.window_counts import WindowCounts, WindowPlace, stacked

SeriesKey = Hashable
_Row = tuple[SeriesKey, WindowPlace | None, int]
"""A series or a window beside it, and how many heights before its last one."""

_OTHER_SIDE: Final[dict[Operator, Operator]] = {
    "above": "at_most",
    "at_least": "below",
    "below": "at_least",
    "at_most": "above",
}


@dataclass(frozen=True, slots=True)
class _Conditions:
    """A rule as its conditions, each with the window beside its series that it judges (None: its own).

    `judged` has the rule's word on which windows are judged.
    """

    at: int
    series: SeriesKey
    conditions: tuple[tuple[Condition, WindowPlace | None], ...]
    joint: Joint = "all"
    judged: HeightRule | None = None
    judged_key: Hashable = None
    no_data: NoData = "ignore"
    keeps: bool = False


class ManyLevels:
    """N rules of one chain."""

    def __init__(self, rules: Sequence[HeightRule], series: Sequence[SeriesKey]) -> None:
        """`series` names the series that each of the rules reads."""
        compared: list[_Conditions] = []
        self._alone: list[tuple[int, SeriesKey]] = []
        self._rules = rules
        for at, (rule, its) in enumerate(zip(rules, series, strict=True)):
            found = _conditions(at, rule, its)
            if found is None:
                self._alone.append((at, its))
            else:
                compared.append(found)
        self._keeps = frozenset(one.at for one in compared if one.keeps)
        self._compile(compared)

    def _compile(self, compared: Sequence[_Conditions]) -> None:
        """Rules as places in tables: of rows of series, of signals measured at all rows, of ways to judge a window.

        A column is a condition; those of one rule stand together, from `_first` on.
        """
        rows: dict[_Row, int] = {}
        signals: dict[tuple[str, str], int] = {}
        judges: dict[Hashable, int] = {}
        self._judges: list[HeightRule | None] = []
        table = []
        for one in compared:
            if one.judged_key not in judges:
                judges[one.judged_key] = len(judges)
                self._judges.append(one.judged)
            for condition, place in one.conditions:
                now = rows.setdefault((one.series, place, 0), len(rows))
                then = rows.setdefault((one.series, place, condition.change_blocks), len(rows))
                signal = signals.setdefault((condition.signal, condition.pool), len(signals))
                table.append((now, then, signal, judges[one.judged_key]))
        self._rows = list(rows)
        self._signals: list[tuple[Signal, str]] = [(SIGNALS[name], pool) for name, pool in signals]
        self._now, self._then, self._signal, self._judge = np.array(table, np.intp).reshape(-1, 4).T
        self._at = np.array([one.at for one in compared], np.intp)
        self._no_data = np.array([NO_DATA_LEVELS[one.no_data] for one in compared], np.int8)
        self._needs_all = np.array([one.joint == "all" for one in compared], np.bool_)
        sizes = [len(one.conditions) for one in compared]
        self._first = np.cumsum([0, *sizes[:-1]])
        self._several = len(table) > len(compared)
        conditions = [condition for one in compared for condition, _ in one.conditions]
        self._changes = np.array([one.change_blocks > 0 for one in conditions], np.bool_)
        self._fire = _lines([(one.line.operator, one.line.value) for one in conditions])
        self._clear = _lines([_clearing(one.line, one.clear) for one in conditions])

    def is_exact(self, at: int) -> bool:
        """Whether `at_last` has the level of rule `at` as the rule itself gives it. A rule with `keep_firing_for` is `CLEAR` there
        from its first height past the clearing line on: where it fires, `alone` has to be asked."""
        return at not in self._keeps

    def alone(self, at: int, series: WindowCounts, heights: int) -> LevelArray:
        """The level of rule `at` at each of the last heights of its series, by the rule itself."""
        rule = self._rules[at]
        needed = rule.lookback_blocks + heights
        return rule.levels(series.part(slice(-needed, None)) if len(series) > needed else series)[-heights:]

    def at_last(self, series: Mapping[Any, WindowCounts], heights: int = 1) -> LevelArray:
        """(heights, N): the level of each rule at each of the last heights of its series, by name; see `is_exact`.

        A series has these heights, and before them those that its rules look back on, as far as there are any.
        """
        found = np.empty((heights, len(self._rules)), np.int8)
        if len(self._at):
            found[:, self._at] = self._at_last(series, heights)
        for at, its in self._alone:
            found[:, at] = self.alone(at, series[its], heights)
        return found

    def _at_last(self, series: Mapping[Any, WindowCounts], heights: int) -> LevelArray:
        sources = [series[name] if place is None else series[name].beside[place] for name, place, _ in self._rows]
        begins = [len(of) - heights - back for of, (_, _, back) in zip(sources, self._rows, strict=True)]
        there = np.concatenate([np.arange(begin, begin + heights) >= 0 for begin in begins])
        stack = stacked(sources, begins, heights)
        each_height = np.arange(heights)[:, np.newaxis]
        rows_now, rows_then = self._now * heights + each_height, self._then * heights + each_height
        judged = np.stack([_is_judged(judge, stack) for judge in self._judges]) & there
        known = judged[self._judge, rows_now] & judged[self._judge, rows_then]
        now, then = self._measured(stack, rows_now, rows_then)
        change = now.minus(then)
        values = Measured(
            np.where(self._changes, change.low, now.low),
            np.where(self._changes, change.high, now.high),
            None if now.upper is None else np.where(self._changes, np.nan, now.upper),
            None if change.rounding is None else np.where(self._changes, change.rounding, np.nan),
        )
        verdict = self._joined(judged_by_lines(self._fire, self._clear, values, known))
        return np.where(verdict.known, verdict.levels(), self._no_data).astype(np.int8)

    def _joined(self, one: Verdict) -> Verdict:
        """Of each condition to of each rule, as `all_of` and `any_of`."""
        if not self._several:
            return one
        every = partial(np.logical_and.reduceat, indices=self._first, axis=-1)
        some = partial(np.logical_or.reduceat, indices=self._first, axis=-1)
        possible = one.over | one.possible
        return Verdict.of(
            every(one.known) | np.where(self._needs_all, some(one.known & ~one.over), some(one.over)),
            np.where(self._needs_all, every(one.over), some(one.over)),
            np.where(self._needs_all, every(possible), some(possible)),
            np.where(self._needs_all, some(one.clear), every(one.clear)),
        )

    def _measured(
        self, stack: WindowCounts, rows_now: NDArray[np.intp], rows_then: NDArray[np.intp]
    ) -> tuple[Measured, Measured]:
        """Each rule's signal at each height, and where it judges a change at the one before."""
        with np.errstate(all="ignore"):  # a row may lack the columns of a signal that no rule asks for there
            measured = [signal.measure(stack, pool) for signal, pool in self._signals]
        absent = np.full(len(stack), np.nan)
        low, high = np.stack([one.low for one in measured]), np.stack([one.high for one in measured])
        upper = np.stack([absent if one.upper is None else one.upper for one in measured])
        now, then = (self._signal, rows_now), (self._signal, rows_then)
        return Measured(low[now], high[now], upper[now]), Measured(low[then], high[then])


def _conditions(at: int, rule: HeightRule, series: SeriesKey) -> _Conditions | None:
    """What decides a rule's level, where it is conditions on signals."""
    if isinstance(rule, TopShareRule):
        # A share and a line are the nearest doubles to fractions of small integers: they compare as these do.
        fire, clear = Line(above=rule.above), Line(below=rule.clear_below)
        return _Conditions(at, series, ((Condition(signal=f"top{rule.k}_share", fire=fire, clear=clear), None),))
    if not isinstance(rule, ConditionalRule):
        return None
    own = WindowPlace(rule.view, rule.window_blocks)
    placed = [(one, rule.place_of(one)) for one in rule.conditions]
    conditions = tuple((one, None if place == own else place) for one, place in placed)
    if not isinstance(rule, WhenRule):
        return _Conditions(at, series, conditions, rule.joint)
    key = (rule.min_samples, rule.max_unknown)
    judged = None if key == (None, None) else rule
    return _Conditions(at, series, conditions, rule.joint, judged, key, rule.no_data, rule.keep_firing_for > 0)


def _is_judged(judge: HeightRule | None, stack: WindowCounts) -> NDArray[np.bool_]:
    if isinstance(judge, WhenRule):
        return judge.judged(stack)
    full: NDArray[np.bool_] = stack.window_full & (stack.n > 0)
    return full


def _clearing(fire: Line, clear: Line | None) -> tuple[Operator, float]:
    """Where a rule clears; without a clearing line where it is not past the line."""
    return (_OTHER_SIDE[fire.operator], fire.value) if clear is None else (clear.operator, clear.value)


def _lines(lines: Sequence[tuple[Operator, float]]) -> ManyLines:
    return ManyLines(
        np.array([OPERATORS.index(operator) for operator, _ in lines], np.intp),
        np.array([value for _, value in lines], np.float64),
    )
