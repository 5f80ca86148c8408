"""A plot with the table behind it. Every plot of the page is made here, so that none is without its numbers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from counterpoise.plots.marks import Frame, number, text_of
from desk.report import report_plots as plots
from desk.web import markup

MOST_ROWS: Final = 60
"""Rows of a table behind a plot: more points than these are put together in stretches."""

Draw = Callable[[float, str], str]
"""A plot at a width, under a name."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Numbers:
    """The table behind a plot; heads as for `markup.scrolled_table`. There is at least one row."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Readable:
    """What `static/readings.js` needs to show single values: the points as JSON, the edges of the axes by width, and a label."""

    points: str
    frame_of: Callable[[float], Frame]
    label: str
    how: str


def figure(
    draw: Draw,
    name: str,
    numbers: Numbers,
    *,
    width: float = plots.WIDE,
    head_markup: str = "",
    readable: Readable | None = None,
) -> str:
    """The plot at `width` and for a telephone, and its table, folded. `head_markup` stands above the plot."""
    both = "".join(
        f'<div class="{class_}"{_frame(readable, across)}>{draw(across, f"{name}-{class_}")}</div>'
        for class_, across in (("wide", width), ("narrow", plots.NARROW))
    )
    if readable is None:
        return f"<figure>{head_markup}{both}</figure>{table(numbers)}"
    return (
        f'<figure data-points="{text_of(readable.points)}" tabindex="0" role="group" aria-label="{text_of(readable.label)}">'
        f'{head_markup}{both}<p class="reading" aria-live="polite">{text_of(readable.how)}</p></figure>{table(numbers)}'
    )


def table(numbers: Numbers) -> str:
    """The numbers behind a plot, folded. ValueError where there are none: a plot without numbers is not to be drawn."""
    if not numbers.rows:
        raise ValueError(f"no numbers behind the plot {numbers.caption!r}")
    content = markup.scrolled_table(f"{numbers.caption}: numbers", numbers.heads, numbers.rows)
    summary = f'<summary>Table<span class="unseen">: {text_of(numbers.caption)}</span></summary>'
    return f'<details class="numbers">{summary}{content}</details>'


def stretches(points: Sequence[T], most: int = MOST_ROWS) -> list[Sequence[T]]:
    """The points in at most `most` stretches of one length; the last ends with the last point, the first may be shorter.

    >>> stretches([1, 2, 3, 4, 5], 3)
    [[1], [2, 3], [4, 5]]
    """
    size = max(1, -(-len(points) // most))
    ends = range(len(points), 0, -size)
    return [points[max(0, end - size) : end] for end in reversed(ends)]


def _frame(readable: Readable | None, width: float) -> str:
    if readable is None:
        return ""
    frame = readable.frame_of(width)
    edges = " ".join(number(edge) for edge in (frame.x0, frame.x1, frame.y1, frame.y0))
    return f' data-frame="{edges}"'
