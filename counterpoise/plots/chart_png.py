"""A line over time with its bound and lines across, as a PNG: for a place that shows pictures and no SVG. Pure.

Colours are those of the page on white. It is drawn at twice its size and made smaller, which smooths its lines.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from counterpoise.plots.marks import Frame
from counterpoise.plots.scale import Scale, rounded_out, spread, ticks, time_ticks

WIDTH: Final = 900
HEIGHT: Final = 380
MOST_POINTS: Final = 800
_SCALE: Final = 2
_FRAME: Final = Frame(WIDTH, HEIGHT, left=80, right=130, top=18, bottom=40)
_TEXT_SIZE: Final = 15
_INK, _GRID, _AXIS = "#333333", "#e4e4e4", "#999999"
_LINE, _BAND, _DOT = "#1f5fa8", "#cfe0f3", "#1f5fa8"
_COLOURS: Final = ("#b3261e", "#5c6f4c")
"""The lines across have these, in their order."""


@dataclass(frozen=True, slots=True)
class LineChart:
    """Values at rising times (unix seconds); NaN breaks the line. `highs` are upper bounds, empty without any.

    `across` are (value, label) of lines over the whole width; `written` formats a value of the axis.
    """

    times: Sequence[float]
    values: Sequence[float]
    highs: Sequence[float] = ()
    across: Sequence[tuple[float, str]] = ()
    written: Callable[[float], str] = "{:g}".format


def line_chart_png(chart: LineChart) -> bytes:
    """The PNG, 900 by 380 pixels. ValueError where no value is finite."""
    known = [value for value in (*chart.values, *chart.highs) if math.isfinite(value)]
    if not any(math.isfinite(value) for value in chart.values):
        raise ValueError("a chart needs a value")
    low, high = rounded_out(*_range([*known, *(value for value, _ in chart.across)]), 5)
    x, y = _FRAME.across(min(chart.times), max(chart.times)), _FRAME.upwards(low, high)
    image = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE), "white")
    draw = _Pen(ImageDraw.Draw(image))
    for value in ticks(low, high, 5):
        draw.line([(_FRAME.x0, y(value)), (_FRAME.x1, y(value))], _GRID)
        draw.text(_FRAME.x0 - 8, y(value), chart.written(value), "rm")
    draw.line([(_FRAME.x0, _FRAME.y0), (_FRAME.x1, _FRAME.y0)], _AXIS)
    first, last = (datetime.fromtimestamp(end, UTC) for end in (min(chart.times), max(chart.times)))
    for moment, label in time_ticks(first, last, 6):
        at = x(moment.timestamp())
        draw.line([(at, _FRAME.y0), (at, _FRAME.y0 + 4)], _AXIS)
        draw.text(at, _FRAME.y0 + 16, label, "mm")
    _draw_values(draw, chart, x, y)
    places = spread([y(value) for value, _ in chart.across], 18.0, _FRAME.y1, _FRAME.y0)
    for (value, label), place, colour in zip(chart.across, places, _COLOURS, strict=False):
        draw.dashes(_FRAME.x0, _FRAME.x1, y(value), colour)
        draw.text(_FRAME.x1 + 8, place, label, "lm", colour)
    small = image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    small.quantize(128).save(written, "PNG", optimize=True)
    return written.getvalue()


def _draw_values(draw: _Pen, chart: LineChart, x: Scale, y: Scale) -> None:
    """The bound as an area, the line over it, and a dot at its end."""
    step = max(1, math.ceil(len(chart.values) / MOST_POINTS))
    shown = range((len(chart.values) - 1) % step, len(chart.values), step)
    for run in _runs(shown, chart.values):
        if chart.highs:
            upper = [(x(chart.times[at]), y(chart.highs[at])) for at in run if math.isfinite(chart.highs[at])]
            draw.area([*upper, *((x(chart.times[at]), y(chart.values[at])) for at in reversed(run))], _BAND)
        draw.line([(x(chart.times[at]), y(chart.values[at])) for at in run], _LINE, width=2.2)
    last = max(at for at in range(len(chart.values)) if math.isfinite(chart.values[at]))
    draw.dot(x(chart.times[last]), y(chart.values[last]), 4.0, _DOT)


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _runs(places: Sequence[int], values: Sequence[float]) -> list[list[int]]:
    """Stretches of places with finite values."""
    found: list[list[int]] = [[]]
    for at in places:
        if math.isfinite(values[at]):
            found[-1].append(at)
        elif found[-1]:
            found.append([])
    return [run for run in found if run]


class _Pen:
    """Draws in units of the finished picture."""

    def __init__(self, draw: ImageDraw.ImageDraw) -> None:
        self._draw = draw
        self._font = ImageFont.load_default(_TEXT_SIZE * _SCALE)

    def line(self, points: Sequence[tuple[float, float]], colour: str, *, width: float = 1.0) -> None:
        if len(points) > 1:
            self._draw.line(_scaled(points), colour, round(width * _SCALE), joint="curve")

    def area(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        if len(points) > 2:
            self._draw.polygon(_scaled(points), colour)

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        self._draw.ellipse(_scaled([(x - radius, y - radius), (x + radius, y + radius)]), colour)

    def dashes(self, x0: float, x1: float, y: float, colour: str) -> None:
        for at in range(round(x0), round(x1), 12):
            self.line([(at, y), (min(at + 7, x1), y)], colour, width=1.5)

    def text(self, x: float, y: float, words: str, anchor: str, colour: str = _INK) -> None:
        self._draw.text((x * _SCALE, y * _SCALE), words, colour, self._font, anchor=anchor)


def _scaled(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(x * _SCALE, y * _SCALE) for x, y in points]
