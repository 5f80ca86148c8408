"""A result as a plot: the first column of times or numbers across, numeric columns upwards. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from counterpoise.plots import marks
from counterpoise.plots.marks import EndLabel, Frame
from counterpoise.plots.scale import rounded_out, ticks, time_ticks
from desk.results.type_names import TypeName, parse_type
from desk.results.writers import is_numeric

MAX_LINES: Final = 4
WIDTH, HEIGHT = 920.0, 320.0
_LARGEST: Final = 1e300
"""A larger number has no place: the range of two of them may be more than a float holds."""


def result_plot(heads: Sequence[tuple[str, str]], columns: Sequence[Sequence[Any]]) -> str | None:
    """An SVG of at most four lines, or None where nothing can be drawn: no column across, no other number, fewer than two rows."""
    kinds = [parse_type(spec) for _, spec in heads]
    across = next((at for at, kind in enumerate(kinds) if _is_time(kind)), None)
    if across is None:
        across = next((at for at, kind in enumerate(kinds) if is_numeric(kind)), None)
    if across is None or not columns:
        return None
    lines = [at for at, kind in enumerate(kinds) if at != across and is_numeric(kind)][:MAX_LINES]
    rows = [place for place in range(len(columns[across])) if not math.isnan(_number(columns[across][place]))]
    if not lines or len(rows) < 2:
        return None
    rows.sort(key=lambda place: _number(columns[across][place]))
    values = {at: [_number(columns[at][place]) for place in rows] for at in lines}
    defined = [value for column in values.values() for value in column if not math.isnan(value)]
    if not defined:
        return None
    places = [_number(columns[across][place]) for place in rows]
    return _drawn([name for name, _ in heads], across, values, places, is_time=_is_time(kinds[across]))


def _drawn(names: list[str], across: int, values: dict[int, list[float]], places: list[float], *, is_time: bool) -> str:
    frame = Frame(WIDTH, HEIGHT, 76, 150, 14, 30)
    low, high = rounded_out(
        min(value for column in values.values() for value in column if not math.isnan(value)),
        max(value for column in values.values() for value in column if not math.isnan(value)),
        6,
    )
    x, y = frame.across(places[0], places[-1]), frame.upwards(low, high)
    parts = [marks.y_axis(frame, y, [(tick, f"{tick:g}") for tick in ticks(low, high, 6)])]
    labels: list[EndLabel] = []
    for order, (at, column) in enumerate(values.items()):
        points = [
            None if math.isnan(value) else (x(place), y(value)) for place, value in zip(places, column, strict=True)
        ]
        parts.append(marks.line(points, class_=f"line series{order}"))
        ends = [point for point in points if point is not None]
        if ends:
            labels.append(EndLabel(ends[-1][1], marks.clipped(names[at], 20), f"label series{order}"))
    parts.append(marks.end_labels(frame, labels))
    parts.append(marks.x_axis(frame, _across_labels(places[0], places[-1], x, is_time=is_time)))
    shown = ", ".join(names[at] for at in values)
    return marks.drawing(
        "".join(parts),
        width=WIDTH,
        height=HEIGHT,
        name="result",
        title=f"{shown} by {names[across]}",
        description=f"Lines of {len(places)} rows. The table below has every value.",
        class_="plot",
    )


def _across_labels(low: float, high: float, x: Any, *, is_time: bool) -> list[tuple[float, str]]:
    if is_time:
        first, last = (datetime.fromtimestamp(value, UTC) for value in (low, high))
        return [(x(at.timestamp()), words) for at, words in time_ticks(first, last, 7)]
    return [(x(value), f"{value:g}") for value in ticks(low, high, 7)]


def _is_time(kind: TypeName) -> bool:
    return kind.bare.name in {"Date", "Date32", "DateTime", "DateTime64"}


def _number(value: Any) -> float:
    """NaN for what has no place on an axis."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return math.nan
    found = float(value)
    return found if abs(found) <= _LARGEST else math.nan
