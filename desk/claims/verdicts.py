"""From two figures to a verdict. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal

Verdict = Literal[
    "holds", "held then", "did not hold", "reversed", "no change", "lists disagree", "not measurable", "no data"
]
Judge = Callable[[float, float], Verdict]

TOLERANCE: Final = 0.05
"""A figure that moved by less than this part of itself has not moved."""


def near(target: float, tolerance: float) -> Judge:
    """The claim is a level: it holds where the figure is within `tolerance` of `target`.

    >>> near(0.75, 0.02)(0.7415, 0.692), near(0.75, 0.02)(0.7, 0.75)
    ('held then', 'did not hold')
    """

    def judge(then: float, now: float) -> Verdict:
        if abs(then - target) > tolerance:
            return "did not hold"
        return "holds" if abs(now - target) <= tolerance else "held then"

    return judge


def rises(then: float, now: float) -> Verdict:
    """The claim is that the figure goes up.

    >>> rises(1.0, 1.2), rises(1.0, 0.8), rises(1.0, 1.04)
    ('holds', 'reversed', 'no change')
    """
    if abs(now - then) <= TOLERANCE * abs(then):
        return "no change"
    return "holds" if now > then else "reversed"


def falls(then: float, now: float) -> Verdict:
    """The claim is that the figure goes down."""
    opposite: dict[Verdict, Verdict] = {"holds": "reversed", "reversed": "holds"}
    found = rises(then, now)
    return opposite.get(found, found)


def verdict(judge: Judge | None, then: float | None, now: float | None, *, agree: bool = True) -> Verdict:
    """`not measurable` without a judge, `no data` without both figures, `lists disagree` where the sources' lists move apart."""
    if judge is None:
        return "not measurable"
    if then is None or now is None or not (math.isfinite(then) and math.isfinite(now)):
        return "no data"
    return judge(then, now) if agree else "lists disagree"
