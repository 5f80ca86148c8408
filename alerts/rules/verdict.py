"""Where one or several conditions stand at each height, and the levels that follow. Pure, and vectorised over the heights.

A condition without data is unknown, neither true nor false (Kleene's logic): `all` is false where one condition is, and `any` is
true where one is, whatever the others are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from alerts.signals.levels import Level, LevelArray, levels

BoolArray = NDArray[np.bool_]
NoData = Literal["ignore", "fire", "keep"]
NO_DATA_LEVELS: Final[dict[NoData, Level]] = {"ignore": Level.BLIND, "fire": Level.OVER, "keep": Level.HELD}
"""The level of a height where nothing is known."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Arrays (R,). `known`: there is something to judge; the others are false where it is not.

    `over`: past the line. `possible`: past it were all unknown blocks made by those it is about. `clear`: past the clearing line.
    """

    known: BoolArray
    over: BoolArray
    possible: BoolArray
    clear: BoolArray

    @classmethod
    def of(cls, known: BoolArray, over: BoolArray, possible: BoolArray, clear: BoolArray) -> Verdict:
        """From arrays; what they hold where nothing is known does not count."""
        return cls(known, over & known, possible & known, clear & known)

    def levels(self, no_data: NoData = "ignore", keep_firing_for: int = 0) -> LevelArray:
        """One level a height. It clears once `keep_firing_for` heights before it, and itself, are past the clearing line."""
        cleared = self.clear if not keep_firing_for else self.clear & (_run(self.clear) > keep_firing_for)
        found = levels(self.over, self.possible, cleared, self.known)
        return np.where(self.known, found, NO_DATA_LEVELS[no_data]).astype(np.int8)


def all_of(verdicts: Sequence[Verdict]) -> Verdict:
    """Every condition holds. It clears where one of them does."""
    known = _every([one.known for one in verdicts]) | _some([one.known & ~one.over for one in verdicts])
    return Verdict.of(
        known,
        _every([one.over for one in verdicts]),
        _every([one.over | one.possible for one in verdicts]),
        _some([one.clear for one in verdicts]),
    )


def any_of(verdicts: Sequence[Verdict]) -> Verdict:
    """One condition holds. It clears where all of them do."""
    known = _every([one.known for one in verdicts]) | _some([one.over for one in verdicts])
    return Verdict.of(
        known,
        _some([one.over for one in verdicts]),
        _some([one.over | one.possible for one in verdicts]),
        _every([one.clear for one in verdicts]),
    )


def _every(parts: Sequence[BoolArray]) -> BoolArray:
    return reduce(np.logical_and, parts)


def _some(parts: Sequence[BoolArray]) -> BoolArray:
    return reduce(np.logical_or, parts)


def _run(flags: BoolArray) -> NDArray[np.int64]:
    """How many heights in a row, this one included, have the flag."""
    at = np.arange(len(flags))
    last_without = np.maximum.accumulate(np.where(flags, -1, at)) if len(flags) else at
    return at - last_without
