"""False alarms by simulation: rules over histories that are drawn from known shares.

The shares are those of a real history, by bins of 2,016 blocks (two weeks). A draw takes the blocks of each bin at random from the
bin, with replacement, so that its real shares are the true ones. A firing is false if the true value was past the rule's clearing
line, on the good side, in every bin that its blocks and its hold touch. It is close if the true value came between the two lines and
never past the line at which the rule fires: the rule then stands where it stands by chance.

The true value of a rule on a sequential detector is the metric that the detector is about, against the detector's own line. Its
blocks are those since its evidence began.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.backtest import YEAR_DAYS, backtest
from alerts.rules.conditional_rule import ConditionalRule
from alerts.rules.rule import HeightRule
from alerts.signals.detector_columns import DETECTOR_COLUMNS
from alerts.signals.levels import Level
from alerts.signals.specs.signal_registry import SIGNALS
from alerts.signals.window_counts import WindowCounts, WindowPlace
from counterpoise.detectors.tracks import DETECTOR_OF, Detector
from counterpoise.windows import View
from desk.rule_history import Codes, RuleHistory

BIN_BLOCKS: Final = 2016
"""Blocks whose shares count as true. The history needs this window."""

EVIDENCE_BLOCKS: Final = 20_000
"""Blocks that a firing of a detector rests on at most: at its line the evidence of older ones has shrunk by e¹⁵ or more."""

SEED: Final = 20_261_127


class Truth(IntEnum):
    """Where the true value of a bin stands: past the clearing line, between the two lines, or past the line at which a rule fires."""

    CLEAR = 0
    BETWEEN = 1
    OVER = 2


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a rule did in simulated years: all its firings, the false ones, and the close ones."""

    years: float
    firings: int
    false: int
    close: int

    @property
    def false_a_year(self) -> float:
        """False alarms in 365.25 days; 0 without duration."""
        return self.false / self.years if self.years > 0 else 0.0

    @property
    def close_a_year(self) -> float:
        """Close firings in 365.25 days; 0 without duration."""
        return self.close / self.years if self.years > 0 else 0.0


def bin_ends(blocks: int) -> NDArray[np.int64]:
    """The last row of each bin of so many blocks. The first bin has what the others leave."""
    return np.arange(blocks - 1, -1, -BIN_BLOCKS)[::-1]


def redrawn(codes: Codes, random: np.random.Generator) -> Codes:
    """Blocks drawn with the shares that each bin has."""
    drawn, start = np.empty_like(codes), 0
    for end in bin_ends(len(codes)).tolist():
        size = end + 1 - start
        drawn[start : end + 1] = codes[start + random.integers(0, size, size)]
        start = end + 1
    return drawn


def runs_of(codes: Codes, at_least: int) -> int:
    """How many runs of at least so many blocks one known pool made; a longer run counts once."""
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    lengths = np.diff(np.append(starts, len(codes)))
    return int(((lengths >= at_least) & (codes[starts] != 0)).sum())


def _detector_of(rule: HeightRule) -> Detector | None:
    """The detector whose state is the value of the rule, if it is one."""
    stored = DETECTOR_COLUMNS.get(rule.main.signal) if isinstance(rule, ConditionalRule) else None
    return DETECTOR_OF[stored.name] if stored else None


def truth_columns(rule: HeightRule) -> tuple[str, ...]:
    """The further columns that `truth_of` reads."""
    detector = _detector_of(rule)
    return rule.further_columns if detector is None else SIGNALS[detector.metric].columns


def truth_of(rule: HeightRule, shares: WindowCounts) -> NDArray[np.int8]:
    """Where the true value of each bin stands; `shares` has the rule's view at every height, by windows of a bin.

    The first of several conditions counts: its value is the rule's. A detector's line parts the values in two, so none is between.
    """
    ends = bin_ends(len(shares))
    # The first bin may be shorter than its window; the window then has all of its blocks.
    whole = replace(shares, window_full=np.ones(len(shares), np.bool_))
    detector = _detector_of(rule)
    if detector is not None and isinstance(rule, ConditionalRule):
        above = SIGNALS[detector.metric].measure(whole, "").high > detector.line
        past = above if rule.main.line.passes(1.0) else ~above
        return np.where(past, Truth.OVER, Truth.CLEAR).astype(np.int8)[ends]
    levels = rule.main.verdict(whole).levels() if isinstance(rule, ConditionalRule) else rule.levels(whole)
    clear = np.isin(levels, (Level.CLEAR, Level.CLEAR_POSSIBLE, Level.BLIND, Level.HELD))
    found: NDArray[np.int8] = np.where(levels == Level.OVER, Truth.OVER, np.where(clear, Truth.CLEAR, Truth.BETWEEN))
    return found.astype(np.int8)[ends]


def truth_at(rule: HeightRule, fired: int, truth: NDArray[np.int8], blocks: int, *, ended: int = 0) -> Truth:
    """The worst that the true value was in the bins that a firing at this row of a history of so many blocks touches.

    `ended` is the row at which the firing before it cleared, 0 for the first: there the evidence of a detector begins again.
    """
    window = max(rule.window_blocks, *(place.window_blocks for place in rule.beside), 0)
    if _detector_of(rule) is not None:
        window = max(window, EVIDENCE_BLOCKS)
    else:
        ended = 0
    first, last = np.searchsorted(bin_ends(blocks), [max(0, fired - rule.for_blocks - window + 1, ended), fired])
    return Truth(int(truth[first : last + 1].max()))


def _view_of(rule: HeightRule) -> View:
    """The view of the value that a rule judges first."""
    return rule.place_of(rule.main).view if isinstance(rule, ConditionalRule) else rule.view


def simulate(history: RuleHistory, rules: Sequence[HeightRule], draws: int, seed: int = SEED) -> tuple[Simulated, ...]:
    """What each rule does over so many drawn histories, in the order of the rules. The seed decides it all."""
    truths = [
        truth_of(rule, history.window(WindowPlace(_view_of(rule), BIN_BLOCKS), truth_columns(rule))) for rule in rules
    ]
    found: list[list[Truth]] = [[] for _ in rules]
    for number in range(draws):
        drawn = history.with_codes(redrawn(history.codes, np.random.default_rng([seed, number])))
        for at, rule in enumerate(rules):
            series = drawn.series(rule)
            first, blocks = int(series.height[0]), len(series)
            ended = 0
            for one in backtest(rule, series).firings:
                found[at].append(truth_at(rule, one.fired - first, truths[at], blocks, ended=ended))
                ended = blocks if one.cleared is None else one.cleared - first
    years = draws * history.days / YEAR_DAYS
    return tuple(Simulated(years, len(one), one.count(Truth.CLEAR), one.count(Truth.BETWEEN)) for one in found)
