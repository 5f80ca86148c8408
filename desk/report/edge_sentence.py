"""How the share of the edge moved, in sentences for the report and the terminal. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from counterpoise.formats import PAGE
from desk.report.report_model import EdgePoint


def moved(first: EdgePoint, last: EdgePoint) -> str:
    """`up from 0.7 % to 4.8 %`, between two periods of one list."""
    way = "from" if first.share == last.share else "up from" if last.share > first.share else "down from"
    return f"{way} {PAGE.share_range(first.share, last.share)}"


def edge_sentence(lists: Mapping[str, Sequence[EdgePoint]]) -> str:
    """Sentences about the edge share: how it moved by each list, and a direction only if all lists agree.

    Each list has its points by day. Raises ValueError if one has fewer than two, or if there is no list.
    """
    if not lists or any(len(points) < 2 for points in lists.values()):
        raise ValueError("an edge share that moved needs two periods of every list")
    ends = {name: (points[0], points[-1]) for name, points in lists.items()}
    since = min(first.period_end for first, _ in ends.values())
    until = max(last.period_end for _, last in ends.values())
    changes = [f"it went {moved(first, last)} by the list {name}." for name, (first, last) in ends.items()]
    steps = {(last.share > first.share) - (last.share < first.share) for first, last in ends.values()}
    agreed = {1: "Every list shows a rise.", -1: "Every list shows a fall.", 0: "No list shows a change."}
    direction = agreed[steps.pop()] if len(steps) == 1 else "The lists disagree, so the direction is not determined."
    return (
        "This is the share of the edge in what Python developers install to run or to call models. "
        f"From {PAGE.day(since)} to {PAGE.day(until)} {changes[0]} "
        + "".join(f"{change[0].upper()}{change[1:]} " for change in changes[1:])
        + direction
    )
