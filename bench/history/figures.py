"""Figures of a short and a long history, and the ratio between them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

RATIO_LIMIT: Final = 1.2
"""What a long history may cost more than a short one."""


@dataclass(frozen=True, slots=True)
class Value:
    """A measurement with its unit; `floor` is the smallest difference that counts: below it lies the noise of the machine."""

    value: float
    unit: str
    floor: float = 0.0


def ratio(short: Value, long: Value) -> float:
    """Long ÷ short; 1 where both are below what can be told apart from nothing."""
    if max(short.value, long.value) <= long.floor or short.value == long.value:
        return 1.0
    return long.value / max(short.value, short.floor) if max(short.value, short.floor) > 0 else float("inf")


def grown(short: Mapping[str, Value], long: Mapping[str, Value]) -> list[str]:
    """Names of the figures above the limit."""
    return [name for name in short if ratio(short[name], long[name]) > RATIO_LIMIT]


def table(short: Mapping[str, Value], long: Mapping[str, Value], heads: tuple[str, str]) -> str:
    """A row a figure: its value in both histories and their ratio; what is above the limit is in bold."""
    lines = [f"| figure | {heads[0]} | {heads[1]} | ratio |", "|---|---|---|---|"]
    over = set(grown(short, long))
    for name, first in short.items():
        times = f"{ratio(first, long[name]):.2f}"
        lines.append(f"| {name} | {cell(first)} | {cell(long[name])} | {f'**{times}**' if name in over else times} |")
    return "\n".join(lines)


def cell(value: Value) -> str:
    """`1,572 rows`, `31.72 ms`."""
    return f"{value.value:,.0f} {value.unit}" if value.unit in ("rows", "bytes") else f"{value.value:,.2f} {value.unit}"
