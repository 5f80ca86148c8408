"""The picture of a backtest: the value, its two lines, and when the rule fired. Pure: values in, SVG out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.backtest import Backtest
from alerts.rules.rule import HeightRule
from alerts.signals.window_counts import WindowCounts
from counterpoise.formats import PAGE
from counterpoise.plots import marks
from counterpoise.plots.marks import Frame
from counterpoise.plots.scale import Scale, rounded_out, ticks, time_ticks
from desk.report.style_sheet import standalone

WIDTH: Final = 960.0
HEIGHT: Final = 380.0


def backtest_picture(rule: HeightRule, series: WindowCounts, found: Backtest) -> str:
    """A drawing as a separate document. A column is as wide as a unit: the lowest and highest value of its blocks are in it."""
    frame = Frame(WIDTH, HEIGHT, 62, 16, 58, 30)
    values = np.where(series.window_full, rule.values(series), np.nan)
    line, clear = rule.lines
    known = values[np.isfinite(values)]
    shown = [line, *([] if clear is None else [clear]), *([] if not len(known) else [known.min(), known.max()])]
    y = frame.upwards(*rounded_out(float(min(shown)), float(max(shown)), 6))
    begin, end = int(series.time[0]), max(int(series.time[-1]), int(series.time[0]) + 1)
    x = frame.across(begin, end)
    body = [
        marks.text(rule.name, 4.0, 16.0, class_="label title"),
        marks.text(f"{rule.condition()}. {_counts(found)}", 4.0, 36.0, class_="label quiet"),
        *_episodes(series, found, frame, x),
        marks.y_axis(frame, y, [(tick, rule.format_value(tick)) for tick in ticks(y.low, y.high, 6)]),
        *_values(series.time, values, x, y),
        marks.segment(frame.x0, y(line), frame.x1, y(line), class_="rule"),
    ]
    if clear is not None and clear != line:
        body.append(marks.segment(frame.x0, y(clear), frame.x1, y(clear), class_="rule faint"))
    first, last = (datetime.fromtimestamp(at, UTC) for at in (begin, end))
    labels = [(x(at.timestamp()), words) for at, words in time_ticks(first, last, 10)]
    description = f"The value from {PAGE.day(first)} to {PAGE.day(last)}, with the line at {rule.format_line(line)}. {_counts(found)}"
    return standalone(
        "".join(body) + marks.x_axis(frame, labels),
        width=WIDTH,
        height=HEIGHT,
        name="backtest",
        title=rule.name,
        description=description,
    )


def _counts(found: Backtest) -> str:
    fired = len(found.firings)
    return (
        f"{fired} firing{'' if fired == 1 else 's'} in {found.days:,.0f} days, {found.days_in_breach:,.0f} days firing."
    )


def _episodes(series: WindowCounts, found: Backtest, frame: Frame, x: Scale) -> list[str]:
    """Each firing shaded, with a strip above it that stays visible however short it is."""
    parts, first = [], int(series.height[0])
    for firing in found.firings:
        fired = int(series.time[firing.fired - first])
        cleared = int(series.time[-1 if firing.cleared is None else firing.cleared - first])
        left, breadth = x(fired), max(2.0, x(cleared) - x(fired))
        parts.append(marks.rectangle(left, frame.y1, breadth, frame.y0 - frame.y1, class_="episode"))
        parts.append(marks.rectangle(left, frame.y1 - 5, breadth, 5.0, class_="firing"))
    return parts


def _values(time: NDArray[np.int64], values: NDArray[np.float64], x: Scale, y: Scale) -> list[str]:
    """The range of each column of the drawing, and a line through its middle."""
    column = np.floor(x.start + (time - x.low) / (x.high - x.low) * (x.end - x.start)).astype(np.int64)
    keep = np.isfinite(values)
    columns, inverse = np.unique(column[keep], return_inverse=True)
    low, high = np.full(len(columns), np.inf), np.full(len(columns), -np.inf)
    np.minimum.at(low, inverse, values[keep])
    np.maximum.at(high, inverse, values[keep])
    xs = [float(at) for at in columns]
    lows, highs = [y(float(value)) for value in low], [y(float(value)) for value in high]
    middle = zip(xs, ((a + b) / 2 for a, b in zip(lows, highs, strict=True)), strict=True)
    return [marks.band(xs, lows, highs, class_="range mining"), marks.line(middle, class_="line thin mining")]
