"""Whether developers turn to the edge, said aloud by every include-list. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from counterpoise.formats import PAGE
from desk.report.model import EdgePoint


def moved(first: EdgePoint, last: EdgePoint) -> str:
    """`up from 0.7 % to 4.8 %`, between two periods of one list."""
    way = "from" if first.share == last.share else "up from" if last.share > first.share else "down from"
    return f"{way} {PAGE.share_range(first.share, last.share)}"


def edge_sentence(lists: Mapping[str, Sequence[EdgePoint]]) -> str:
    """What a desk would say aloud of the edge share: how it moved by each list, and no direction unless they all agree.

    Each list has its points by day; ValueError where one has fewer than two, or there is no list.
    """
    if not lists or any(len(points) < 2 for points in lists.values()):
        raise ValueError("an edge share that moved needs two periods of every list")
    ends = {name: (points[0], points[-1]) for name, points in lists.items()}
    parts = [f"{moved(first, last)} by the list {name}" for name, (first, last) in ends.items()]
    steps = {(last.share > first.share) - (last.share < first.share) for first, last in ends.values()}
    call = {1: "it rises by every list", -1: "it falls by every list", 0: "it stands still by every list"}
    since = min(first.period_end for first, _ in ends.values())
    until = max(last.period_end for _, last in ends.values())
    said = call[steps.pop()] if len(steps) == 1 else "the lists disagree, so which way it goes is no call"
    return (
        f"Of what Python developers install to run or to call models, the share of the edge went {' and '.join(parts)} "
        f"from {PAGE.day(since)} to {PAGE.day(until)}: {said}."
    )
