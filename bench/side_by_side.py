"""`--against COMMIT`: a benchmark that prints tables, run at this commit and at another one by turns.

Of every number in its tables the medians of both sides stand beside each other, with their ratio: that is what may be compared
between machines.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from bench.other_commit import by_turns
from bench.report import machine

HELD_AGAINST: Final = frozenset({"against", "limit", "ratio", "the fold by it"})
"""Columns that follow from the others."""
PLAIN: Final = frozenset({"measured"})
"""Heads that say nothing beside the name of the figure."""

_NUMBER: Final = re.compile(r"^\W*(-?\d[\d,]*(?:\.\d+)?)\s*(\S*)")

Numbers = Mapping[str, tuple[float, str]]


def add_against(parser: argparse.ArgumentParser) -> None:
    """The options of a comparison."""
    parser.add_argument(
        "--against", metavar="COMMIT", help="run at this commit and at that one by turns, and print both"
    )
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side, with --against")


def compared(name: str, chosen: argparse.Namespace, options: Iterable[str] = ()) -> bool:
    """Whether another commit was asked for: then `python -m bench.NAME` ran on both sides with `options`, and a table is printed."""
    if not chosen.against:
        return False
    if chosen.rounds < 1:
        raise SystemExit("--rounds is at least 1")
    sides: dict[str, list[Numbers]] = {"now": [], chosen.against: []}
    try:
        for side, printed in by_turns(name, chosen.against, chosen.rounds, tuple(options)):
            sides[side].append(numbers(printed))
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"bench.{name} does not run at one of the commits: {' '.join(map(str, error.cmd))}") from None
    print(f"{machine()}; medians of {chosen.rounds}\n\n{both(sides)}")
    return True


def chosen_options(chosen: argparse.Namespace, *names: str) -> Iterator[str]:
    """These options as they were chosen, for the runs of both sides; what is None or false is left out."""
    for name in names:
        value = getattr(chosen, name.replace("-", "_"))
        if value is True:
            yield f"--{name}"
        elif value is not None and value is not False:
            yield f"--{name}={','.join(map(str, value)) if isinstance(value, list) else value}"


def numbers(printed: str) -> dict[str, tuple[float, str]]:
    """The number and unit of every cell of the tables in a text, by the name of its row and the head of its column.

    >>> numbers("| figure | measured | ratio |\\n|---|---|---|\\n| start | 1,500.5 ms | 0.50 |")
    {'start': (1500.5, 'ms')}
    """
    found: dict[str, tuple[float, str]] = {}
    heads: list[str] = []
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            heads = []
        elif not heads:
            heads = cells
        else:
            for head, cell in zip(heads[1:], cells[1:], strict=False):
                number = _NUMBER.match(cell)
                if number and head not in HELD_AGAINST:
                    name = cells[0] if head in PLAIN else f"{cells[0]}, {head}"
                    found[_unlike(found, name)] = float(number[1].replace(",", "")), number[2].strip("*")
    return found


def _unlike(found: Mapping[str, object], name: str) -> str:
    """The name, with a number where an earlier table has it too."""
    number = 2
    plain = name
    while name in found:
        name, number = f"{plain} ({number})", number + 1
    return name


def both(sides: Mapping[str, Sequence[Numbers]]) -> str:
    """The medians of both sides by figure, with their ratio; a dash where one side lacks the figure, or the other is 0."""
    (_, ours), (commit, theirs) = sides.items()
    lines = [f"| figure | now | {commit} | ratio |", "|---|---|---|---|"]
    for name in dict.fromkeys(name for runs in (ours, theirs) for run in runs for name in run):
        (now, unit), (then, old_unit) = _median(ours, name), _median(theirs, name)
        ratio = f"{now / then:.2f}" if now is not None and then else "–"
        lines.append(f"| {name} | {_cell(now, unit)} | {_cell(then, old_unit)} | {ratio} |")
    return "\n".join(lines)


def _median(runs: Sequence[Numbers], name: str) -> tuple[float | None, str]:
    values = [run[name] for run in runs if name in run]
    return (statistics.median(value for value, _ in values), values[0][1]) if values else (None, "")


def _cell(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:,.2f} {unit}".strip()
