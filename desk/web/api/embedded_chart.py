"""One metric over time as a self-contained SVG, for `/embed/chart`. Pure: values in, text out."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from counterpoise.formats import PAGE
from counterpoise.metrics.spec import MetricSpec
from counterpoise.plots import marks
from counterpoise.plots.marks import EndLabel, Frame
from counterpoise.plots.scale import Scale, rounded_out, ticks, time_ticks
from desk.report.style_sheet import DARK, DRAWING, LIGHT

STYLE: Final = (
    f"svg {{{LIGHT}background: var(--page)}}\n"
    f"@media screen and (prefers-color-scheme: dark) {{ svg {{{DARK}}} }}\n{DRAWING}"
).replace("&", "&amp;")
STYLE_HASH: Final = "sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
"""What a Content-Security-Policy allows in place of every inline style."""

MIN_WIDTH, MAX_WIDTH, USUAL_WIDTH = 320, 2_000, 920
MIN_HEIGHT, MAX_HEIGHT, USUAL_HEIGHT = 200, 1_200, 360


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """A value at a time with the ends of its interval; NaN where there is none."""

    time: datetime
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class About:
    """What the chart is about, for its title and its description."""

    chain: str
    view: str
    window_blocks: int
    frequency: str
    dataset_kind: str


def written(spec: MetricSpec, value: float, digits: int = 2, *, lines: Sequence[float] = ()) -> str:
    """A value in the metric's unit, on its side of these lines."""
    if math.isnan(value):
        return PAGE.missing
    if spec.kind == "percent":
        return PAGE.share(value, lines=lines)
    return PAGE.number(value, 0 if spec.kind == "whole" else digits, lines=lines)


def chart(spec: MetricSpec, points: Sequence[ChartPoint], about: About, *, width: int, height: int) -> str:
    """The drawing. Without a defined value it is a sentence."""
    shown = [point for point in points if not math.isnan(point.value)]
    place = f"{about.chain}, {about.view} view, window {about.window_blocks:,} blocks, by {about.frequency}"
    title = f"{spec.title[0].upper()}{spec.title[1:]}: {place}"
    mark = "" if about.dataset_kind == "live" else f" ({about.dataset_kind} data)"
    frame = Frame(float(width), float(height), 58, 74, 46, 30)
    head = marks.element("style", STYLE) + marks.text(f"{title}{mark}", 12.0, 22.0, class_="label title")
    if not shown:
        body = marks.text("no value in this range", width / 2, height / 2, class_="tick", anchor="middle")
        return _drawing(head + body, frame, f"{title}{mark}", "There is no value in this range.")
    banded = spec.interval is not None
    description = _description(spec, shown, banded=banded)
    return _drawing(head + _plot(spec, shown, frame, banded=banded), frame, f"{title}{mark}", description)


def _plot(spec: MetricSpec, shown: Sequence[ChartPoint], frame: Frame, *, banded: bool) -> str:
    values = [value for point in shown for value in (point.value, point.low, point.high) if not math.isnan(value)]
    low, high = rounded_out(min(values), max(values), 6)
    if spec.range.high == 1.0:
        low, high = max(low, 0.0), min(high, 1.0)
    y = frame.upwards(low, high)
    first, last = shown[0], shown[-1]
    x = frame.across(first.time.timestamp(), max(last.time.timestamp(), first.time.timestamp() + 1))
    xs = [x(point.time.timestamp()) for point in shown]
    fine = 3 if high - low < 0.1 else 2
    parts = [marks.y_axis(frame, y, [(tick, written(spec, tick, fine)) for tick in ticks(low, high, 6)])]
    if banded:
        parts.append(_interval(shown, xs, y))
    parts.append(marks.line(zip(xs, (y(point.value) for point in shown), strict=True), class_="line mining"))
    parts.append(marks.dot(xs[-1], y(last.value), 3.5, class_="dot mining"))
    parts.append(
        marks.end_labels(frame, [EndLabel(y(last.value), written(spec, last.value, 3), "label strong mining")])
    )
    most = max(2, int((frame.x1 - frame.x0) / 88))
    labels = [(x(at.timestamp()), words) for at, words in time_ticks(first.time, last.time, most)]
    return "".join(parts) + marks.x_axis(frame, labels)


def _interval(shown: Sequence[ChartPoint], xs: Sequence[float], y: Scale) -> str:
    known = [place for place, point in enumerate(shown) if not math.isnan(point.low + point.high)]
    lows, highs = [y(shown[at].low) for at in known], [y(shown[at].high) for at in known]
    return marks.band([xs[at] for at in known], lows, highs, class_="interval mining")


def _description(spec: MetricSpec, shown: Sequence[ChartPoint], *, banded: bool) -> str:
    first, last = shown[0], shown[-1]
    band = ""
    if banded and not math.isnan(last.low + last.high):
        band = f", 95 % interval {written(spec, last.low, 3)} to {written(spec, last.high, 3)}"
    lowest, highest = (pick(point.value for point in shown) for pick in (min, max))
    return (
        f"Line, {PAGE.day(first.time)} to {PAGE.day(last.time)}. It ends at {written(spec, last.value, 3)}{band}. "
        f"Lowest {written(spec, lowest, 3)}, highest {written(spec, highest, 3)}. {spec.comment}."
    )


def _drawing(body: str, frame: Frame, title: str, description: str) -> str:
    return marks.drawing(
        body, width=frame.width, height=frame.height, name="chart", title=title, description=description
    )
