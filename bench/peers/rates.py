"""Rates of the systems side by side, and what each computes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.peers.window_answers import Totals

CAPABILITIES: Final = ("top 4, HHI, Nakamoto", "state kept", "entities", "intervals", "reorg safe", "redelivery safe")
"""What a system may compute or hold; each has a column."""


@dataclass(frozen=True, slots=True)
class Rate:
    """CPU seconds of a system for `blocks` blocks, and the sums of its answers: empty where they are defined otherwise."""

    name: str
    blocks: int
    cpu_seconds: float
    totals: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Blocks per CPU second."""
        return self.blocks / self.cpu_seconds


@dataclass(frozen=True, slots=True)
class Peer:
    """A rate with what the system does beside, each of `CAPABILITIES` with yes, no or a word."""

    rate: Rate
    does: Sequence[str]


def check_alike(rates: Sequence[Rate]) -> None:
    """SystemExit where two systems answer differently."""
    first = rates[0]
    for other in rates[1:]:
        if other.totals and dict(other.totals) != dict(first.totals):
            raise SystemExit(f"{other.name} answers {dict(other.totals)}, {first.name} {dict(first.totals)}")


def totals_of(sums: Mapping[int, Sequence[int]]) -> Totals:
    """Sums as plain integers."""
    return {int(window): (int(a), int(b), int(c)) for window, (a, b, c) in sums.items()}


def table(ours: Peer, peers: Sequence[Peer]) -> str:
    """A row a system, ours first; the ratio is its rate ÷ ours, under 1.00 where ours is faster."""
    heads = ("system", "blocks per CPU second", "ratio", *CAPABILITIES)
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for peer in (ours, *peers):
        ratio = peer.rate.per_second / ours.rate.per_second
        cells = (peer.rate.name, f"{peer.rate.per_second:,.0f}", f"{ratio:.2f}", *peer.does)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
