"""What every peer answers for a block, and a fold that one message at a time keeps in a key-value state.

Standard library only: the interpreter of a peer imports this file too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Protocol

WINDOWS: Final = (144, 1_008, 2_016, 4_320)
"""Lengths of the trailing windows in blocks; `counterpoise.windows` has the same."""
UNKNOWN: Final = 0
"""The code of a block without a known producer: it counts in the denominator and is never ranked."""
COUNTS_KEY: Final = "counts"

Answer = tuple[int, int, int]
"""Of one window: blocks of the four largest pools, sum of squared counts (HHI · n²), and the Nakamoto number (0: not reached)."""
Totals = dict[int, Answer]
"""Sums of the answers of all blocks, by window: systems that fold alike have the same."""


class State(Protocol):
    """A key-value state of one message key."""

    def get(self, key: Any, default: Any = None) -> Any: ...

    def set(self, key: Any, value: Any) -> None: ...


def answer(counts: Iterable[int], blocks: int) -> Answer:
    """The answer for the counts of the known pools in a window of `blocks` blocks."""
    ordered = sorted(counts, reverse=True)
    covered = nakamoto = 0
    for rank, count in enumerate(ordered, start=1):
        covered += count
        if 2 * covered > blocks:
            nakamoto = rank
            break
    return sum(ordered[:4]), sum(count * count for count in ordered), nakamoto


def fold_block(state: State, place: int, pool: int) -> dict[int, Answer]:
    """Take up the block at `place` (0 for the first) and answer for every window that ends in it.

    The state has the pools of the longest window, one key a block, and the counts of all windows under one key: a block reads and
    writes six small values, whatever the length of its windows.
    """
    counts: dict[str, dict[str, int]] = state.get(COUNTS_KEY) or {str(window): {} for window in WINDOWS}
    found: dict[int, Answer] = {}
    for window in WINDOWS:
        of_window = counts[str(window)]
        if pool != UNKNOWN:
            of_window[str(pool)] = of_window.get(str(pool), 0) + 1
        if place >= window:
            _take_off(of_window, int(state.get(_slot(place - window))))
        found[window] = answer(of_window.values(), min(window, place + 1))
    state.set(_slot(place), pool)
    state.set(COUNTS_KEY, counts)
    return found


def _slot(place: int) -> str:
    return f"pool-{place % max(WINDOWS)}"


def _take_off(counts: dict[str, int], pool: int) -> None:
    if pool != UNKNOWN:
        left = counts[str(pool)] - 1
        if left:
            counts[str(pool)] = left
        else:
            del counts[str(pool)]


def add(totals: Totals, answers: dict[int, Answer]) -> None:
    """Add the answers of a block to the sums."""
    for window, (top4, squares, nakamoto) in answers.items():
        before = totals.get(window, (0, 0, 0))
        totals[window] = (before[0] + top4, before[1] + squares, before[2] + nakamoto)
