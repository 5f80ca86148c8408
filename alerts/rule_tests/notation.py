"""The compact notation of an input series: `74x10 70..78x9 74?3x5 _x2 500/300x4`. Pure.

An item stands for one position, or with `xN` for N. `a..bxN` goes from a to b in N equal steps, both ends included. `?u` adds what
is of unknown origin, `a/b/c` are the blocks of the largest pools, `_` is a position without a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_POSITIONS: Final = 100_000
MAX_POOLS: Final = 64
MISSING: Final = "_"

_TIMES: Final = re.compile(r"(?P<item>.+?)(?:x(?P<times>\d{1,6}))?")
_NUMBER: Final = r"[-+]?\d{1,9}(?:\.\d{1,6})?"
_RAMP: Final = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")
_VALUE: Final = re.compile(rf"({_NUMBER}(?:/\d{{1,9}})*)(?:\?({_NUMBER}))?")
_WORD: Final = re.compile(r"[a-z_]+")


@dataclass(frozen=True, slots=True)
class Item:
    """One position: a number, the blocks of several pools, a word, or nothing (`_`); and what is of unknown origin beside it."""

    numbers: tuple[float, ...] = ()
    unknown: float = 0.0
    word: str = ""

    @property
    def is_missing(self) -> bool:
        """Whether the position has no value."""
        return not self.numbers and not self.word

    @property
    def number(self) -> float:
        """The only number; ValueError where there is none or are several."""
        if len(self.numbers) != 1:
            raise ValueError("expected a number")
        return self.numbers[0]


def parse_series(text: str) -> tuple[Item, ...]:
    """The positions of a series. ValueError names the item that is wrong.

    >>> [item.number for item in parse_series("74x2 70..72x3")]
    [74.0, 74.0, 70.0, 71.0, 72.0]
    """
    found: list[Item] = []
    for part in text.split():
        match = _TIMES.fullmatch(part)
        times = int(match["times"] or 1) if match else 0
        if match is None or times < 1:
            raise ValueError(f"{part[:40]!r} is no item, expected one such as 74, 74x10, 70..78x9 or _")
        if len(found) + times > MAX_POSITIONS:
            raise ValueError(f"over {MAX_POSITIONS} positions at {part[:40]!r}")
        found += _items(match["item"], times, part)
    if not found:
        raise ValueError("no position, expected items such as 74x10")
    return tuple(found)


def _items(text: str, times: int, part: str) -> list[Item]:
    if text == MISSING:
        return [Item()] * times
    if ramp := _RAMP.fullmatch(text):
        first, last = float(ramp[1]), float(ramp[2])
        if times < 2:
            raise ValueError(f"{part[:40]!r} is a ramp, expected its number of positions such as 70..78x9")
        return [Item((first + (last - first) * at / (times - 1),)) for at in range(times)]
    if value := _VALUE.fullmatch(text):
        numbers = tuple(float(number) for number in value[1].split("/"))
        if len(numbers) > MAX_POOLS:
            raise ValueError(f"{part[:40]!r} has over {MAX_POOLS} pools")
        return [Item(numbers, float(value[2] or 0))] * times
    if _WORD.fullmatch(text):
        return [Item(word=text)] * times
    raise ValueError(f"{part[:40]!r} is no item, expected one such as 74, 74x10, 70..78x9 or _")
