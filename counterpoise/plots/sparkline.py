"""A line as small as a word, for a cell of a table. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from counterpoise.plots import marks
from counterpoise.plots.marks import Frame
from counterpoise.plots.scale import Scale

WIDTH: Final = 96.0
HEIGHT: Final = 24.0


def sparkline(values: Sequence[float | None], *, name: str, title: str, description: str) -> str:
    """The values at even steps from left to right; None breaks the line, and a value between two breaks is a dot.

    The scale is the row's own, from its lowest to its highest value: it shows the course, not the size. Nothing where no value is.
    """
    known = [value for value in values if value is not None]
    if not known:
        return ""
    frame = Frame(WIDTH, HEIGHT, 3, 3, 3, 3)
    x = Scale(0, max(len(values) - 1, 1), frame.x0, frame.x1)
    y = frame.upwards(min(known), max(known))
    points = [None if value is None else (x(place), y(value)) for place, value in enumerate(values)]
    parts = [marks.line(points, class_="line mining")]
    for place, point in enumerate(points):
        alone = all(not 0 <= near < len(points) or points[near] is None for near in (place - 1, place + 1))
        if point is not None and (alone or place == len(points) - 1):
            parts.append(marks.dot(*point, 2.0, class_="dot mining"))
    return marks.drawing(
        "".join(parts), width=WIDTH, height=HEIGHT, name=name, title=title, description=description, class_="spark"
    )
