"""From two figures to a verdict and its reason. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from counterpoise.formats import TEXT

Verdict = Literal[
    "holds", "held then", "did not hold", "reversed", "no change", "lists disagree", "not measurable", "no data"
]

TOLERANCE: Final = 0.05
"""A figure that moved by less than this part of itself has not moved."""


class Judge(Protocol):
    """The test that a claim sets for its figure."""

    def __call__(self, then: float, now: float) -> Verdict:
        """The verdict on two finite figures."""
        ...

    def why(self, then: float, now: float, written: Callable[[float], str]) -> str:
        """The reason of that verdict in one sentence; `written` writes a figure."""
        ...


@dataclass(frozen=True, slots=True)
class Near:
    """The claim is a level: it holds where the figure is within `tolerance` of `target`."""

    target: float
    tolerance: float

    def __call__(self, then: float, now: float) -> Verdict:
        if not self._at(then):
            return "did not hold"
        return "holds" if self._at(now) else "held then"

    def why(self, then: float, now: float, written: Callable[[float], str]) -> str:
        """Each figure, and whether it is at the level.

        >>> near(0.75, 0.02).why(0.7415, 0.692, lambda share: f"{100 * share:.1f} %")
        'The claim is 75.0 %, within 2.0 %: 74.2 % is, 69.2 % is not.'
        """
        level = f"{written(self.target)}, within {written(self.tolerance)}" if self.tolerance else written(self.target)
        found = (f"{written(one)} is{'' if self._at(one) else ' not'}" for one in (then, now))
        return f"The claim is {level}: {', '.join(found)}."

    def _at(self, figure: float) -> bool:
        return abs(figure - self.target) <= self.tolerance


@dataclass(frozen=True, slots=True)
class Moves:
    """The claim is a direction: it holds where the figure moved that way, by more than TOLERANCE of itself."""

    up: bool

    def __call__(self, then: float, now: float) -> Verdict:
        if abs(now - then) <= TOLERANCE * abs(then):
            return "no change"
        return "holds" if (now > then) == self.up else "reversed"

    def why(self, then: float, now: float, written: Callable[[float], str]) -> str:
        """The move beside the direction of the claim.

        >>> rises.why(2.0, 1.5, str), falls.why(0.0, 1.0, str)
        ('The claim is a rise. The figure fell by 25.0 %.', 'The claim is a fall. The figure rose from 0.0.')
        """
        claim = f"The claim is a {'rise' if self.up else 'fall'}."
        if then == now:
            return f"{claim} The figure is the same."
        by = f"from {written(then)}" if then == 0 else f"by {TEXT.share(abs(now / then - 1))}"
        small = "; up to 5 % counts as no change" if self(then, now) == "no change" else ""
        return f"{claim} The figure {'rose' if now > then else 'fell'} {by}{small}."


def near(target: float, tolerance: float) -> Near:
    """See Near.

    >>> near(0.75, 0.02)(0.7415, 0.692), near(0.75, 0.02)(0.7, 0.75)
    ('held then', 'did not hold')
    """
    return Near(target, tolerance)


rises: Final = Moves(up=True)
"""See Moves.

>>> rises(1.0, 1.2), rises(1.0, 0.8), rises(1.0, 1.04)
('holds', 'reversed', 'no change')
"""
falls: Final = Moves(up=False)


def verdict(judge: Judge | None, then: float | None, now: float | None, *, agree: bool = True) -> Verdict:
    """`not measurable` without a judge, `no data` without both figures, `lists disagree` where the sources' lists move apart."""
    if judge is None:
        return "not measurable"
    if then is None or now is None or not (math.isfinite(then) and math.isfinite(now)):
        return "no data"
    return judge(then, now) if agree else "lists disagree"
